"""Decision records keep their form; the page of invariants names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import errors

ROOT = Path(__file__).resolve().parents[2]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
MAX_LINES = 35
ROW = re.compile(r"^\| INV-(\d+) \| (.+) \| (.+) \|$", re.MULTILINE)


@pytest.fixture
def invariants() -> list[tuple[str, str, str]]:
    return ROW.findall((ROOT / "docs" / "invariants.md").read_text(encoding="utf-8"))


def test_records_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_number_its_three_parts_and_is_short(record: Path) -> None:
    lines = record.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# {record.name[:4]}: ")
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequences",
    ]
    assert len(lines) <= MAX_LINES


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_the_index_lists_a_record_under_its_title(record: Path) -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    title = record.read_text(encoding="utf-8").splitlines()[0].partition(": ")[2]
    assert f"| [{record.name[:4]}]({record.name}) | {title} |" in index.splitlines()


def test_invariants_are_numbered_without_gaps(invariants: list[tuple[str, str, str]]) -> None:
    assert [int(number) for number, _, _ in invariants] == list(range(1, len(invariants) + 1))
    assert len(invariants) >= 16


def test_every_test_named_for_an_invariant_exists(invariants: list[tuple[str, str, str]]) -> None:
    named = [place for _, _, tests in invariants for place in re.findall(r"`([^`]+::[^`]+)`", tests)]
    missing = [place for place in named if not exists(place)]
    assert missing == []


def exists(place: str) -> bool:
    """Say whether a test written as ``file::name`` is there."""
    name, _, test = place.partition("::")
    path = ROOT / name
    return path.is_file() and f"def {test}(" in path.read_text(encoding="utf-8")


def test_a_place_that_is_not_there_is_noticed() -> None:
    here = Path(__file__).relative_to(ROOT).as_posix()
    assert exists(f"{here}::test_records_are_numbered_without_gaps")
    assert not exists(f"{here}::test_nothing")
    assert not exists("tests/none.py::test_nothing")


def test_an_error_names_an_invariant_as_the_page_does() -> None:
    assert str(errors.InvariantViolation(4, "free + held != total")).startswith("INV-4: ")
