"""``kinesim compare`` and ``kinesim explain``: what they print, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Kinesim

FEW = ["--set", "workload.tasks.repeats=1", "--seeds", "1"]
DENSE = "quickstart#dense"


def test_comparing_shows_what_differs_and_where_time_went(kinesim: Kinesim) -> None:
    assert kinesim("compare", DENSE, f"{DENSE}@engine.max_sequences=32@parallelism.dp=4", *FEW) == 0
    assert "parallelism.dp: 8 | 4" in kinesim.out
    assert "engine.max_sequences: 256 | 32" in kinesim.out
    assert "Where the GPUs' time went" in kinesim.out
    assert "Where the mean task's time went" in kinesim.out
    assert max(map(len, kinesim.out.splitlines())) <= 100


def test_the_variants_of_a_scenario_are_sides(kinesim: Kinesim) -> None:
    assert kinesim("compare", "quickstart", *FEW, "--json") == 0
    summary = json.loads(kinesim.out)
    assert list(summary["sides"]) == ["dense", "block_topk"]
    assert [row["path"] for row in summary["inputs"]] == ["model.attention"]
    for name in summary["sides"]:
        machine = summary["time"][name]["machine"]
        assert sum(p["seconds"] for p in machine["parts"].values()) == pytest.approx(machine["gpu_seconds"])
        task = summary["time"][name]["task"]
        assert sum(part["seconds"] for part in task["parts"].values()) == pytest.approx(task["mean_s"])


def test_a_finished_run_is_a_side_and_gives_the_figures_that_its_folder_holds(kinesim: Kinesim) -> None:
    kinesim(
        "run", "quickstart", "--set", "variants=null", *FEW[:2], "--set", "report.seeds=1", "--out", "out"
    )
    assert kinesim("compare", "out", "out@engine.max_sequences=32", "--json") == 0
    summary = json.loads(kinesim.out)
    held = json.loads(Path("out/summary.json").read_text(encoding="utf-8"))
    assert summary["variants"]["quickstart"] == held["variants"]["quickstart"]
    assert not any("other figures" in note["note"] for note in summary["notes"])


def test_a_folder_whose_figures_are_not_those_of_now_is_told(kinesim: Kinesim) -> None:
    kinesim("run", "quickstart", *FEW[:2], "--set", "report.seeds=1", "--out", "out")
    path = Path("out/dense/seed-0/summary.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"tasks_ended": ', '"tasks_ended": 9'))
    assert kinesim("compare", "out", "--json") == 0
    notes = [note["note"] for note in json.loads(kinesim.out)["notes"]]
    assert sum("dense gives other figures than the folder holds" in note for note in notes) == 1


def test_other_numbers_of_tasks_are_compared_and_told_not_to_be_paired(kinesim: Kinesim) -> None:
    assert kinesim("compare", DENSE, f"{DENSE}@workload.tasks.repeats=2", *FEW, "--json") == 0
    summary = json.loads(kinesim.out)
    assert summary["paired"] is False
    assert "not paired" in summary["notes"][0]["note"]


def test_all_sides_have_the_seeds_of_the_first_and_say_so(kinesim: Kinesim) -> None:
    other = f"{DENSE}@engine.max_sequences=32@seed=7"
    assert kinesim("compare", DENSE, other, *FEW, "--json") == 0
    summary = json.loads(kinesim.out)
    assert summary["seeds"] == 1
    assert any("dense max_sequences=32 seed=7 had others" in note["note"] for note in summary["notes"])


@pytest.mark.parametrize(
    ("sides", "code", "told"),
    [
        ([DENSE], 2, "only one side"),
        ([DENSE, DENSE], 2, "is the same scenario as side 1"),
        ([DENSE, "quikstart"], 2, "did you mean quickstart"),
        ([DENSE, "quickstart#densse"], 2, "did you mean dense"),
        ([DENSE, f"{DENSE}@engine.max_sequence=3"], 2, "did you mean max_sequences"),
        ([DENSE, "empty"], 2, "is no folder of a run"),
        ([DENSE, ""], 2, "(empty name)"),
        ([DENSE, f"{DENSE}@engine.max_sequences"], 2, "expected @PATH=VALUE"),
        ([DENSE, f"{DENSE}@model.preset=qwen3-32b@hardware=l40s-8"], 3, "GB weights"),
        (["quikstart", f"{DENSE}@model.preset=qwen3-32b@hardware=l40s-8"], 2, "GB weights"),
    ],
)
def test_what_cannot_be_compared_is_refused(kinesim: Kinesim, sides: list[str], code: int, told: str) -> None:
    Path("empty").mkdir()
    assert kinesim("compare", *sides) == code
    assert told in kinesim.err
    assert kinesim.out == ""
    assert "Traceback" not in kinesim.err


def test_a_folder_inside_a_run_names_the_run(kinesim: Kinesim) -> None:
    kinesim("run", "quickstart", *FEW[:2], "--set", "report.seeds=1", "--out", "out", "--quiet")
    assert kinesim("compare", "out/dense/seed-0", DENSE) == 2
    assert "it lies in the run" in kinesim.err


def test_a_file_whose_name_holds_an_at_sign_is_a_file(kinesim: Kinesim, root: Path) -> None:
    text = (root / "scenarios" / "quickstart.yaml").read_text(encoding="utf-8")
    Path("we@ird.yaml").write_text(text, encoding="utf-8")
    assert kinesim("compare", "we@ird.yaml#dense", "we@ird.yaml#dense@engine.max_sequences=32", *FEW) == 0


def test_the_faults_of_all_sides_are_told_at_once(kinesim: Kinesim) -> None:
    assert kinesim("compare", "quickstart#a", "quickstart#b") == 2
    assert [line[:6] for line in kinesim.err.splitlines()] == ["side 1", "side 2"]


def test_explaining_says_five_lines_and_shows_every_operation(kinesim: Kinesim) -> None:
    assert kinesim("explain", DENSE, *FEW, "--workers", "1") == 0
    heads = [line[:3] for line in kinesim.out.splitlines() if line[:2] in {"1.", "2.", "3.", "4.", "5."}]
    assert heads == ["1. ", "2. ", "3. ", "4. ", "5. "]
    for words in ("decode attention", "q/k/v projections", "held out", "twice the HBM bandwidth", "[WWW"):
        assert words in kinesim.out
    assert max(map(len, kinesim.out.splitlines())) <= 100


def test_explaining_prints_json(kinesim: Kinesim) -> None:
    assert kinesim("explain", DENSE, *FEW, "--no-doubling", "--json") == 0
    summary = json.loads(kinesim.out)
    assert len(summary["lines"]) == 5
    assert summary["doubled"] == []
    assert sum(one["share_ratio"] for one in summary["operations"]) == pytest.approx(1.0)


def test_explaining_asks_which_variant_is_meant(kinesim: Kinesim) -> None:
    assert kinesim("explain", "quickstart") == 2
    assert "quickstart#dense" in kinesim.err


MANY = [f"{DENSE}@engine.max_sequences={count}" for count in (8, 16, 24, 32, 48, 64)]


def test_seven_sides_with_alike_names_are_numbered_and_the_legend_says_which_is_which(
    kinesim: Kinesim,
) -> None:
    assert kinesim("compare", DENSE, *MANY, *FEW) == 0
    assert f"[7] dense max_sequences=64: {MANY[-1]}" in kinesim.out
    lines = kinesim.out.splitlines()
    title = lines.index("Where the GPUs' time went: share of the window, and GPU-seconds per task that ended")
    assert lines[title + 1].split()[:3] == ["[1]", "[2]", "[3]"]
    assert "dense max_sequenc~" not in kinesim.out
    assert max(map(len, lines)) <= 100


def test_long_changes_keep_to_the_width(kinesim: Kinesim) -> None:
    none = "{kind: fixed, solve_probability: 0.0, wrong_answers: {count: 12, popularity_ratio: 0.5}}"
    cut = ["--set", "report.horizon_s=0.5"]
    assert (
        kinesim("compare", DENSE, f"{DENSE}@workload.outcomes={none}@workload.max_tokens=30000", *FEW, *cut)
        == 0
    )
    assert "undefined, no task was answered" in kinesim.out
    assert max(map(len, kinesim.out.splitlines())) <= 100


@pytest.mark.parametrize("name", ["a@name=3.yaml", "a#b@c.yaml"])
def test_a_file_whose_name_holds_what_changes_do_takes_changes(
    kinesim: Kinesim, root: Path, name: str
) -> None:
    text = (root / "scenarios" / "quickstart.yaml").read_text(encoding="utf-8")
    Path(name).write_text(text, encoding="utf-8")
    assert kinesim("compare", f"{name}#dense", f"{name}#dense@engine.max_sequences=32", *FEW) == 0
    assert "engine.max_sequences: 256 | 32" in kinesim.out


def test_comparing_writes_a_folder_whole_and_only_once(kinesim: Kinesim) -> None:
    sides = (DENSE, f"{DENSE}@engine.max_sequences=32")
    assert kinesim("compare", *sides, *FEW, "--out", "out", "--workers", "2", "--json") == 0
    assert "wrote out" in kinesim.err
    assert json.loads(Path("out/answer.json").read_text(encoding="utf-8")) == json.loads(kinesim.out)
    assert {"metrics.csv", "inputs.csv", "time.csv"} < {path.name for path in Path("out").iterdir()}
    assert kinesim("compare", *sides, *FEW, "--out", "out") == 2
    assert "out exists" in kinesim.err
    assert kinesim("compare", *sides, *FEW, "--out", "out", "--overwrite") == 0


def test_explaining_writes_a_folder(kinesim: Kinesim) -> None:
    assert kinesim("explain", DENSE, *FEW, "--no-doubling", "--out", "out") == 0
    assert {"explanation.json", "operations.csv", "doubled.csv", "time.csv"} < {
        p.name for p in Path("out").iterdir()
    }
    assert Path("out/doubled.csv").read_text(encoding="utf-8") == "resource,label,gain\n"
    Path("mine").mkdir()
    Path("mine/file").touch()
    assert kinesim("explain", DENSE, *FEW, "--out", "mine", "--overwrite") == 2
    assert "left alone" in kinesim.err
    assert kinesim.out == ""


@pytest.mark.parametrize("source", ["out", "out/manifest.json", "./out#dense@engine.max_sequences=32"])
def test_a_run_that_is_read_is_not_written_over(kinesim: Kinesim, source: str) -> None:
    kinesim("run", "quickstart", *FEW[:2], "--set", "report.seeds=1", "--out", "out", "--quiet")
    before = Path("out/manifest.json").read_bytes()
    assert kinesim("compare", DENSE, source, *FEW, "--out", "out", "--overwrite") == 2
    assert "out holds what is read" in kinesim.err
    assert kinesim("explain", source, *FEW, "--out", "out", "--overwrite") == 2
    assert Path("out/manifest.json").read_bytes() == before


def test_a_folder_of_a_comparison_is_no_run(kinesim: Kinesim) -> None:
    kinesim("compare", "quickstart", *FEW, "--out", "out")
    assert kinesim("explain", "out") == 2
    assert "out/manifest.json" in kinesim.err
    assert "Traceback" not in kinesim.err
