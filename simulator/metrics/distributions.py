"""Exact summaries of weighted samples: mean, percentiles, maximum.

A percentile is the smallest value with at least that part of the weight at or below it; it is always
a value that occurred, and integer weights are compared as integers.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.attention.work import FloatVector, IntVector
from simulator.units import NS_PER_S

PERCENTS: Final = (50, 90, 95, 99)
"""Percentiles of every distribution in a summary."""

Distribution = dict[str, float | int | None]
"""`count` (sum of the weights), `mean`, `p50` ... `p99`, `max`; None where nothing was seen."""


def weighted_percentiles(values: IntVector, weights: IntVector, percents: tuple[int, ...]) -> list[int]:
    """Return percentiles of `values`, value i occurring `weights[i]` times.

    Parameters
    ----------
    values, weights : shape (n,); weights are not negative and not all zero.
    percents : whole percents, 1 to 100.

    Examples
    --------
    >>> weighted_percentiles(np.array([7, 1]), np.array([1, 3]), (50, 75, 76))
    [1, 1, 7]
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    total = int(reached[-1])
    # The rank is the least whole weight of at least p % of the total, so that no float decides.
    ranks = [-(-percent * total // 100) for percent in percents]
    return [int(values[order[np.searchsorted(reached, max(1, rank))]]) for rank in ranks]


def distribution(values: IntVector, weights: IntVector | None = None) -> Distribution:
    """Return count, mean, percentiles and maximum of `values`; those of weight zero are left out."""
    counts = np.ones(len(values), dtype=np.int64) if weights is None else weights
    seen = counts > 0
    values, counts = values[seen], counts[seen]
    total = int(counts.sum())
    if total == 0:
        return {"count": 0, "mean": None, **{f"p{p}": None for p in PERCENTS}, "max": None}
    percentiles = weighted_percentiles(values, counts, PERCENTS)
    mean = float((values.astype(np.float64) * counts).sum()) / total
    named = {f"p{percent}": value for percent, value in zip(PERCENTS, percentiles, strict=True)}
    return {"count": total, "mean": mean, **named, "max": int(values.max())}


def durations(values_ns: IntVector, weights: IntVector | None = None) -> Distribution:
    """Return the distribution of `values_ns`, in seconds."""
    found = distribution(values_ns, weights)
    return {
        key: value if key == "count" or value is None else value / NS_PER_S for key, value in found.items()
    }


def ecdf(values: IntVector, *, points: int = 400) -> tuple[IntVector, FloatVector]:
    """Return the steps of the empirical distribution of `values`: (value, part at or below it).

    With more than `points` values only every so many steps are kept, each exact, the last included.

    Examples
    --------
    >>> x, y = ecdf(np.array([3, 1]))
    >>> x.tolist(), y.tolist()
    ([1, 3], [0.5, 1.0])
    """
    ordered = np.sort(values)
    n = len(ordered)
    ranks = np.arange(1, n + 1) if n <= points else np.ceil(np.linspace(1, n, points)).astype(np.int64)
    return ordered[ranks - 1], ranks / max(1, n)
