"""``kinesim study``: what it prints, writes and refuses."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import Kinesim

from simulator.studies.questions import STUDIES

SMALL = ("overlap", "--quick", "--seeds", "2", "--workers", "1")


@pytest.fixture
def kinesim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kinesim:
    monkeypatch.chdir(tmp_path)
    return Kinesim(capsys, "study")


def test_without_a_name_all_are_listed(kinesim: Kinesim) -> None:
    assert kinesim() == 0
    assert [line.split()[0] for line in kinesim.out.splitlines()[1:]] == list(STUDIES)
    assert kinesim("--json") == 0
    assert [one["name"] for one in json.loads(kinesim.out)] == list(STUDIES)


def test_a_folder_without_a_study_is_refused(kinesim: Kinesim) -> None:
    assert kinesim("--out", "out") == 2
    assert kinesim.err == "--out out without a study: nothing would be written; name studies, or 'all'\n"
    assert kinesim.out == ""
    assert not Path("out").exists()


def test_an_answer_is_printed_and_a_folder_written_whole(kinesim: Kinesim) -> None:
    assert kinesim(*SMALL, "--out", "out") == 0
    assert kinesim.out.startswith("overlap: Sum, maximum or overlap")
    expected = {"overlap.csv", "manifest.json"}
    expected |= {"studies.html"} if find_spec("plotly") else set()
    expected |= {"overlap.png"} if find_spec("matplotlib") else set()
    assert {path.name for path in Path("out").iterdir()} == expected


def test_json_holds_the_rows(kinesim: Kinesim) -> None:
    assert kinesim(*SMALL, "--json") == 0
    found = json.loads(kinesim.out)["overlap"]
    assert {row["attention"] for row in found["rows"]} == {"dense", "block_topk"}
    assert found["answer"]


def test_unknown_studies_and_an_existing_folder_are_refused_before_anything_runs(kinesim: Kinesim) -> None:
    assert kinesim("overlp") == 2
    assert "did you mean overlap?" in kinesim.err
    Path("out").mkdir()
    assert kinesim("overlap", "--out", "out") == 2
    assert "exists" in kinesim.err
