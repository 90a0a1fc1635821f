"""Means and percentiles of one quantity of a run, as a file states them or as its requests give them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np

from simulator.measured.columns import Column, floats

PERCENTS: Final = (50.0, 90.0, 99.0)
"""Percentiles that are compared wherever single requests are known, %."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is known of the values of one quantity; None and missing entries are not known.

    Parameters
    ----------
    mean, std : of all values, in the unit of the quantity.
    percentiles : values by percent, for example ``{50.0: 0.2}``.
    bounds : for percentiles out of a histogram, the edges of the bucket that each lies in.
    """

    mean: float | None = None
    std: float | None = None
    percentiles: dict[float, float] = field(default_factory=dict)
    bounds: dict[float, tuple[float, float]] = field(default_factory=dict)


def statistics_of(values: Iterable[float]) -> Statistics | None:
    """Return mean, population deviation and `PERCENTS` of values; those that are NaN are left out.

    Returns
    -------
    Statistics or None
        None if there are no values. Percentiles are interpolated linearly between ranks, as the benchmark
        tools take them from numpy.

    Examples
    --------
    >>> statistics_of([1.0, 3.0, math.nan])
    Statistics(mean=2.0, std=1.0, percentiles={50.0: 2.0, 90.0: 2.8, 99.0: 2.98}, bounds={})
    """
    found = (values if isinstance(values, Column) else floats(values)).array()
    known = found[~np.isnan(found)]  # a copy, which is sorted in its place
    known.sort()
    if not len(known):
        return None
    # A view: numpy's own numbers are no Python floats.
    ordered = cast("Sequence[float]", memoryview(known))
    mean = math.fsum(ordered) / len(ordered)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in ordered) / len(ordered))
    return Statistics(mean, std, {percent: percentile(ordered, percent) for percent in PERCENTS})


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values by linear interpolation between ranks.

    Examples
    --------
    >>> percentile([1.0, 2.0, 4.0], 75.0)
    3.0
    """
    rank = percent / 100.0 * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (rank - below) * (ordered[above] - ordered[below])
