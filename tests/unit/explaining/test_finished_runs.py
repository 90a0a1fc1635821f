"""A finished run, run again, is compared with what its folder holds, and only with that."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from small_runs import small

from simulator import compare, compare_sides, explain, simulate


def edited(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace('"tasks_ended": ', '"tasks_ended": 9'))


def aged(folder: Path) -> None:
    """Make a folder one of an older version that gave other figures: its hashes are right."""
    about = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    about["packages"]["kinesim"] = "0.0.1"
    for name in about["files"]:
        if name.endswith("summary.json"):
            edited(folder / name)
            about["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(about), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return compare(small(**{"report.seeds": 2})).to_dir(tmp_path / "one")


def other(folder: Path) -> str:
    return f"{folder}@engine.max_sequences=1"


def test_a_run_that_gives_what_its_folder_holds_is_not_noted(run: Path) -> None:
    assert explain(str(run), doubling=False).notes == explain(small(), doubling=False).notes
    assert not any("run again" in note for note in compare_sides([str(run), other(run)]).notes)


def test_explaining_a_folder_that_was_changed_says_so(run: Path) -> None:
    edited(run / "scenario" / "seed-1" / "summary.json")
    note = explain(str(run), doubling=False).notes[0]
    assert "(seed 1)" in note
    assert "summary.json was changed after the run" in note


def test_a_folder_of_another_version_names_it(run: Path) -> None:
    aged(run)
    assert "it was made by kinesim 0.0.1 (now " in explain(str(run), doubling=False).notes[0]


def test_folders_of_equally_named_runs_are_compared_too(run: Path, tmp_path: Path) -> None:
    twin = compare(small(**{"report.seeds": 2, "engine.max_sequences": 1})).to_dir(tmp_path / "two")
    edited(run / "scenario" / "seed-0" / "summary.json")
    edited(twin / "scenario" / "seed-0" / "summary.json")
    notes = [note for note in compare_sides([str(run), str(twin)]).notes if "run again" in note]
    assert [str(run) in notes[0], str(twin) in notes[1]] == [True, True]


def test_a_single_run_of_another_seed_is_not_said_to_be_of_another_version(tmp_path: Path) -> None:
    drawn = {"workload.lengths": {"kind": "lognormal", "median_tokens": 200.0, "log_sigma": 0.5}}
    folder = simulate(small(**drawn), seed=5).to_dir(tmp_path / "five")
    notes = compare_sides([small(**drawn, **{"engine.max_sequences": 1}), str(folder)]).notes
    assert not any("run again" in note for note in notes)


def test_a_summary_that_is_gone_is_told(run: Path) -> None:
    (run / "scenario" / "seed-0" / "summary.json").unlink()
    assert "cannot be read" in explain(str(run), doubling=False).notes[0]


def test_the_manifest_of_a_folder_stands_for_the_folder(run: Path) -> None:
    edited(run / "scenario" / "seed-0" / "summary.json")
    assert "was changed after the run" in explain(str(run / "manifest.json"), doubling=False).notes[0]
