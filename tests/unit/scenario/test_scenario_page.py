"""The page on scenario files names every key and every kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.scenario import shape
from simulator.scenario.schema import Scenario


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "scenario-format.md").read_text(encoding="utf-8")


def test_every_kind_stands_in_the_table_of_kinds(page: str) -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (`\w+`(?:, `\w+`)*) \| `kinesim list \w+` \|$", page, re.MULTILINE)
    shown = {place: re.findall(r"`(\w+)`", kinds) for place, kinds in rows}
    expected = {
        f"{part}.{key}": list(shape.kinds(info.annotation))
        for part, part_info in shape.fields(Scenario).items()
        for model in shape.models(part_info.annotation)
        for key, info in shape.fields(model).items()
        if shape.kinds(info.annotation)
    }
    assert shown == expected


def test_every_key_at_the_top_is_explained(page: str) -> None:
    table = page.partition("## The parts")[2].partition("Everything")[0]
    assert [key for key in shape.fields(Scenario) if f"`{key}`" not in table] == []
