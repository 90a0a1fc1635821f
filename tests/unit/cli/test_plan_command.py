"""``kinesim plan``: what is printed and written, and how what cannot be is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "planning"))

from command import Kinesim
from plans import document

from simulator import load_scenario


class Said(NamedTuple):
    """What a command left and printed."""

    code: int
    out: str
    err: str


def ask(kinesim: Kinesim, *arguments: str) -> Said:
    return Said(kinesim(*arguments), kinesim.out, kinesim.err)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the file of a scenario whose plan is the fewest GPUs that are done after 0.6 s."""
    monkeypatch.chdir(tmp_path)
    made = document()
    made["plan"] = {
        "minimise": ["gpus"],
        "constraints": {"latency.task_s.max": {"at_most": 0.6}},
        "choices": {"parallelism.dp": "1:8:*2"},
        "seeds": 1,
    }
    with Path("small.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(made, file)
    return "small.yaml"


def test_the_answer_is_printed(kinesim: Kinesim, small: str) -> None:
    said = ask(kinesim, "plan", small, "--workers", "1")
    assert said.code == 0
    assert said.out.startswith("Best: parallelism.dp 4: GPUs 4.\nNext: parallelism.dp 8: GPUs +100.0%.\n")
    assert "Binds: task time max <= 0.6. Without it a candidate 75.0% better is known." in said.out
    assert "Tried: all 4 candidates;" in said.out


def test_json_and_the_folder_say_the_same(kinesim: Kinesim, small: str) -> None:
    said = ask(kinesim, "plan", small, "--workers", "1", "--json", "--out", "answer")
    told = json.loads(said.out)
    assert told == json.loads(Path("answer/answer.json").read_text(encoding="utf-8"))
    assert [each["choices"] for each in told["plans"]] == [{"parallelism.dp": 4}, {"parallelism.dp": 8}]
    assert load_scenario("answer/01-4.yaml").parallelism.dp == 4
    assert kinesim("run", "answer/01-4.yaml", "--quiet") == 0
    assert kinesim("plan", small, "--workers", "1", "--out", "answer") == 2
    assert kinesim("plan", small, "--workers", "1", "--out", "answer", "--overwrite", "--quiet") == 0


def test_options_take_the_place_of_the_file(kinesim: Kinesim, small: str) -> None:
    said = ask(
        kinesim, "plan", small, "--workers", "1", "--maximise", "solved_tasks_per_s", "--limit", "gpus<=2"
    )
    assert said.out.startswith("Best: parallelism.dp 2: ") is False  # 2 GPUs take 1 s
    assert said.code == 3
    assert "no candidate meets all limits; the nearest, parallelism.dp" in said.err
    said = ask(
        kinesim,
        *("plan", small, "--workers", "1", "--maximise", "solved_tasks_per_s"),
        *("--limit", "gpus<=2", "--limit", "latency.task_s.max<=1.5"),
    )
    assert said.out.startswith("Best: parallelism.dp 2: solved tasks/s 20.")


def test_an_unmet_limit_exits_3_and_writes_the_ledger(kinesim: Kinesim, small: str) -> None:
    said = ask(
        kinesim, "plan", small, "--workers", "1", "--limit", "latency.task_s.max<=0.1", "--out", "answer"
    )
    assert said.code == 3
    assert "task time max is 0.3, and must be at most 0.1 (200.0% off)" in said.err
    assert Path("answer/ledger.csv").read_text(encoding="utf-8").count("task time max <= 0.1") == 4
    assert list(Path("answer").glob("*.yaml")) == []


def test_the_extreme_is_printed_with_its_bracket(kinesim: Kinesim, small: str) -> None:
    said = ask(kinesim, "plan", small, "--workers", "1", "--lowest", "parallelism.dp=1..8")
    assert said.code == 0
    assert said.out.startswith(
        "The lowest parallelism.dp that meets all limits is 4; 3 misses task time max <= 0.6"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--limit", "task_p95<600"], "--limit task_p95<600: expected FIGURE>=NUMBER or FIGURE<=NUMBER"),
        (["--limit", "task_p95<=soon"], "expected FIGURE>=NUMBER"),
        (["--limit", "task_p95<=nan"], "expected FIGURE>=NUMBER"),
        (["--limit", "task_p95<=1e999"], "expected FIGURE>=NUMBER"),
        (["--limit", "gpus>=9"], "GPUs >= 9: no candidate has more than 8 GPUs"),
        (["--lowest", "parallelism.d=1..8"], "--lowest parallelism.d: unknown key; did you mean dp?"),
        (["--limit", "gpus<=1", "--limit", "gpus<=2"], "gpus<= is given twice"),
        (["--highest", "parallelism.dp"], "--highest parallelism.dp: expected PATH=LOW..HIGH"),
        (["--choice", "parallelism.d=1,2"], "--choice parallelism.d: unknown key; did you mean dp?"),
        (["--choice", "parallelism.dp"], "--choice parallelism.dp: expected PATH=VALUES"),
        (["--minimise", "costs"], "unknown figure 'costs'; did you mean cost?"),
        (
            ["--storage", "nonsense://x", "--choice", "engine.max_sequences=1:4000"],
            "--storage nonsense://x: cannot",
        ),
    ],
)
def test_wrong_options_are_answered_with_what_is_allowed(
    kinesim: Kinesim, small: str, options: list[str], told: str
) -> None:
    said = ask(kinesim, "plan", small, "--workers", "1", *options)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert "Traceback" not in said.err


def test_faults_of_the_section_have_their_lines(kinesim: Kinesim, small: str) -> None:
    text = Path(small).read_text(encoding="utf-8")
    Path(small).write_text(text.replace("at_most: 0.6", "at_mst: 0.6"), encoding="utf-8")
    said = ask(kinesim, "plan", small)
    assert said.code == 2
    assert "plan.constraints" in said.err
    assert said.err.startswith("small.yaml:")


def test_faults_of_figures_and_inputs_have_their_lines(kinesim: Kinesim, small: str) -> None:
    text = Path(small).read_text(encoding="utf-8")
    text = text.replace("minimise: [gpus]", "minimise: [gpu]").replace(
        "latency.task_s.max", "latency.task.max"
    )
    inputs = "  seeds: 1\n  sensitivity: {workload.lengths.tokns: [1, 2]}\n"
    Path(small).write_text(text.replace("  seeds: 1\n", inputs), encoding="utf-8")
    said = ask(kinesim, "plan", small)
    assert said.code == 2
    places = [line.split(": ")[1] for line in said.err.splitlines() if line.startswith("small.yaml:")]
    assert places == [
        "plan.minimise",
        "plan.constraints.latency.task.max",
        "plan.sensitivity.workload.lengths.tokns",
    ]


def test_a_run_does_without_the_section(kinesim: Kinesim, small: str) -> None:
    assert kinesim("run", small, "--quiet", "--out", "run") == 0
    assert "plan" not in json.loads(Path("run/manifest.json").read_text(encoding="utf-8"))["scenario"]
