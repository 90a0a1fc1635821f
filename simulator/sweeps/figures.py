"""The figures of a run that tables have, as one array: a summary of it takes far more memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.metrics.measures import MEASURES, look_up, number
from simulator.sweeps.jobs import Outcome, Status

LOW, HIGH = "_low", "_high"
"""Ends of the names of columns with the ends of intervals."""

PATHS: Final = tuple(measure.path for measure in MEASURES)
WITH_INTERVAL: Final = tuple(measure for measure in MEASURES if measure.interval is not None)

FIGURES: Final = (*PATHS, *(f"{measure.path}{end}" for measure in WITH_INTERVAL for end in (LOW, HIGH)))
"""Columns of figures: every measure, then the interval of those that a single run gives one."""


def figures_of(summary: Mapping[str, Any] | None) -> NDArray[np.float64]:
    """Return the figures of a run, shape (len(FIGURES),); NaN where it has none."""
    if summary is None:
        return np.full(len(FIGURES), np.nan)
    values = [number(summary, path) for path in PATHS]
    for measure in WITH_INTERVAL:
        interval = look_up(summary, measure.interval or "")
        ends = (None, None) if interval is None else (interval["low"], interval["high"])  # type: ignore[index] # an interval is a table
        values += ends
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Row:
    """What a table keeps of an `Outcome`.

    Parameters
    ----------
    status, reason, seed, scenario_sha256 : as of an outcome.
    figures : see `figures_of`.
    """

    status: Status
    reason: str
    seed: int | None
    scenario_sha256: str
    figures: NDArray[np.float64]


def row_of(outcome: Outcome) -> Row:
    """Return the row of an outcome."""
    return Row(
        outcome.status,
        outcome.reason,
        outcome.seed,
        outcome.scenario_sha256,
        figures_of(outcome.summary),
    )
