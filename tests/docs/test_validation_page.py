"""The page of validation shows what the command finds."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.calibrate.runs import measured_runs
from simulator.validate import groups, validate
from simulator.validate.peer import peer_seconds
from simulator.validate.silicon import select
from simulator.validate.text import table

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("aiconfigurator_core") is None,
    reason="the measured runs come with aiconfigurator-core (the extra calibrate), which is not installed",
)
def test_a_group_of_the_page_is_found_again() -> None:
    runs = select(measured_runs(), gpu="h200-sxm", engine="sglang", model="llama-3.1-8b")
    validation = validate(runs, peer=peer_seconds, workers=2)
    (row, _) = table(groups(validation), validation.columns)
    shown = [line.split() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    assert list(row) in shown
