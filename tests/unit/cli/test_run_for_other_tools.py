"""``kinesim run --emit`` and ``--perfetto``: which files come to be, and what is refused before a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))

from command import Kinesim
from own_runs import CLOSED, OPEN, document

FILES = {"vllm-bench": "vllm-bench.json", "aiperf": "profile_export.jsonl", "csv": "requests.csv"}
ROUNDING = 1e-12
"""Relative errors below it are those of floating-point numbers."""


def stopping() -> dict[str, Any]:
    """Return a scenario with trials that are cancelled and answers that are cut at the limit."""
    raw = document(OPEN, kv={"prefix_sharing": False})
    raw["workload"]["strategy"] = {"kind": "best_of_n", "trials": 4, "stop_at_first_success": True}
    raw["workload"]["outcomes"] = {"kind": "fixed", "solve_probability": 0.5}
    raw["workload"]["max_tokens"] = 100
    return raw


SCENARIOS = {"poisson": document(OPEN), "closed": document(CLOSED), "best-of-n": stopping()}


def save(raw: dict[str, Any], name: str = "own.yaml") -> None:
    Path(name).write_text(json.dumps(raw), encoding="utf-8")


def errors_of(told: dict[str, Any]) -> list[float | None]:
    tables = [*told["quantities"].values()]
    single = [error for one in tables for error in one["error"].values()]
    return single + [
        error for one in told["regimes"] for of in one["error"].values() for error in of.values()
    ]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("load", SCENARIOS)
def test_reading_a_run_back_gives_no_error(kinesim: Kinesim, name: str, load: str) -> None:
    save(SCENARIOS[load])
    assert kinesim("run", "own.yaml", "--quiet", "--emit", name) == 0
    assert (kinesim.out, kinesim.err) == ("", "")
    path = f"own.{FILES[name]}"
    assert kinesim("validate", "own.yaml", "--measured", path, "--json") == 0
    told = json.loads(kinesim.out)
    assert told["verdict"]["inside"] is True
    errors = errors_of(told)
    assert len(errors) > 30
    assert all(error is not None and abs(error) < ROUNDING for error in errors)
    assert kinesim("validate", "own.yaml", "--measured", path, "--tolerance", "itl.p99=0.01%") == 0


@pytest.mark.parametrize("name", FILES)
def test_another_server_does_not_pass(kinesim: Kinesim, name: str) -> None:
    save(document(OPEN))
    assert kinesim("run", "own.yaml", "--quiet", "--emit", name) == 0
    words = ("--measured", f"own.{FILES[name]}", "--set", "parallelism.tp=2")
    assert kinesim("validate", "own.yaml", *words) == 1


def test_files_go_where_they_are_sent_and_what_they_lack_is_said(kinesim: Kinesim) -> None:
    save(stopping())
    assert kinesim("run", "own.yaml", "--emit", "csv=deep/mine.csv", "--emit", "aiperf") == 0
    assert "cancelled requests stand as failed, with the tokens they got" in kinesim.err
    assert kinesim.err.endswith("wrote deep/mine.csv\nwrote own.profile_export.jsonl\n")
    assert Path("deep/mine.csv").is_file()
    assert not list(Path().rglob("*.partial"))


def test_a_folder_of_results_holds_the_files_of_each_run(kinesim: Kinesim) -> None:
    raw = document(OPEN)
    raw["variants"] = {"one": {"parallelism": {"tp": 1}}, "two": {"parallelism": {"tp": 2}}}
    raw["report"] = {"seeds": 2}
    save(raw)
    assert kinesim("run", "own.yaml", "--out", "out", "--emit", "csv", "--emit", "aiperf=x.jsonl") == 0
    inside = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("requests.csv"))
    assert inside == [f"{name}/seed-{seed}/requests.csv" for name in ("one", "two") for seed in (0, 1)]
    assert set(inside) <= set(json.loads(Path("out/manifest.json").read_text(encoding="utf-8"))["files"])
    beside = sorted(path.name for path in Path().glob("*.jsonl"))
    assert beside == [f"x.{name}.seed-{seed}.jsonl" for name in ("one", "two") for seed in (0, 1)]
    # Files of the results are known, so the folder may be replaced.
    assert kinesim("run", "own.yaml", "--out", "out", "--overwrite", "--quiet") == 0
    assert not list(Path("out").rglob("requests.csv"))


def test_a_file_of_a_variant_is_that_of_its_own_server(kinesim: Kinesim) -> None:
    raw = document(OPEN)
    raw["variants"] = {"one": {"parallelism": {"tp": 1}}, "two": {"parallelism": {"tp": 2}}}
    save(raw)
    assert kinesim("run", "own.yaml", "--quiet", "--emit", "csv") == 0
    words = ("validate", "own.yaml", "--measured", "own.two.seed-0.requests.csv")
    assert kinesim(*words) == 1
    assert kinesim(*words, "--set", "parallelism.tp=2", "--tolerance", "tpot.p99=0.0001%") == 0


def test_a_name_that_is_no_file_name_becomes_one(kinesim: Kinesim) -> None:
    save(document(OPEN) | {"name": "my/own run: 2"})
    assert kinesim("run", "own.yaml", "--quiet", "--emit", "csv") == 0
    assert Path("my-own-run-2.requests.csv").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--emit", "vlm-bench"),
            "--emit vlm-bench: unknown format 'vlm-bench'; did you mean vllm-bench? (allowed:",
        ),
        (("--emit", "csv="), "--emit csv=: no file follows the =; leave it out, or name one"),
        (("--emit", "csv=a", "--emit", "csv=b"), "--emit csv=b: csv is asked for twice"),
        (("--emit", "csv=a.x", "--emit", "aiperf=a.x"), "would write a.x, which is that of --emit csv=a.x"),
        (("--emit", "csv=own.yaml"), "would write own.yaml, which is own.yaml; choose two names"),
        (("--emit", "csv=out", "--out", "out"), "would write out, which is out; choose two names"),
        (("--emit", "csv=there.csv"), "there.csv exists; choose another name or pass --overwrite"),
        (("--emit", "csv=folder"), "folder is a folder, not a file"),
        (("--perfetto", "there.csv"), "there.csv exists; choose another name or pass --overwrite"),
        (
            ("--perfetto", "a.x", "--emit", "csv=a.x"),
            "--perfetto a.x would write a.x, which is that of --emit",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_run(
    kinesim: Kinesim, words: tuple[str, ...], told: str
) -> None:
    save(document(OPEN))
    Path("there.csv").write_text("mine", encoding="utf-8")
    Path("folder").mkdir()
    assert kinesim("run", "own.yaml", *words) == 2
    assert told in kinesim.err
    assert kinesim.out == ""
    assert Path("there.csv").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in Path().iterdir()) == ["folder", "own.yaml", "there.csv"]


def test_all_faults_of_the_formats_are_told_at_once(kinesim: Kinesim) -> None:
    save(document(OPEN))
    assert kinesim("run", "own.yaml", "--emit", "cvs", "--emit", "csv=") == 2
    assert len(kinesim.err.splitlines()) == 2


def test_what_is_there_is_replaced_where_that_is_asked_for(kinesim: Kinesim) -> None:
    save(document(OPEN))
    Path("there.csv").write_text("mine", encoding="utf-8")
    assert kinesim("run", "own.yaml", "--quiet", "--emit", "csv=there.csv", "--overwrite") == 0
    assert Path("there.csv").read_text(encoding="utf-8").startswith("request_id,")
