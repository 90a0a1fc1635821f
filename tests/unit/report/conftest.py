"""A made comparison: two variants of hand-written records, so that every shown number can be worked out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "metrics"))

from made_records import Made, bound, capacity, scenario, two_tasks

from simulator.api import Comparison, Result
from simulator.engine.records import RunRecords
from simulator.scenario.schema import Scenario


def made_result(chosen: Scenario, records: RunRecords, *, seed: int = 0, limited: bool = True) -> Result:
    return Result(chosen, seed, "fast", records, capacity(limited=limited), bound(chosen))


def slower() -> Made:
    """Return `two_tasks` with every moment at twice the time."""
    made = two_tasks()
    made.steps = [(r[0], 2 * r[1], 2 * r[2], *r[3:-2], 2 * r[-2], 2 * r[-1]) for r in made.steps]
    made.trials = [(*t[:8], *(2 * x if x >= 0 else x for x in t[8:12]), *t[12:]) for t in made.trials]
    made.tasks = [(t[0], 2 * t[1], 2 * t[2], *t[3:]) for t in made.tasks]
    return made


@pytest.fixture
def compared() -> Callable[..., Comparison]:
    """Return a function that makes a comparison; records by name replace the usual two variants."""

    def make(
        records: dict[str, RunRecords] | None = None,
        *,
        limited: bool = True,
        seeds: int = 1,
        **parts: Any,  # noqa: ANN401 - raw parts of a document
    ) -> Comparison:
        chosen = scenario(**{"question": "Which is faster?", **parts})
        rows = records or {"slow": slower().records(), "quick": two_tasks().records()}
        runs = {
            name: tuple(made_result(chosen, r, seed=seed, limited=limited) for seed in range(seeds))
            for name, r in rows.items()
        }
        return Comparison(chosen, runs)

    return make
