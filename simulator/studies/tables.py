"""Rows of points and seeds, averaged and compared, with confidence intervals over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from simulator.metrics.intervals import Interval, paired_ratio, t_interval

CONFIDENCE: Final = 0.95
"""Level of all intervals of the studies."""


def mean_over_seeds(frame: pd.DataFrame, by: Sequence[str], measure: str) -> pd.DataFrame:
    """Return the mean of a measure over the seeds of each point.

    Parameters
    ----------
    frame : rows of `run_points`.
    by : labels that tell points apart.
    measure : column to average; points where it is missing for any seed are left out.

    Returns
    -------
    pandas.DataFrame
        The labels, ``estimate``, ``low``, ``high`` (NaN for one seed), in the order of `frame`.
    """
    rows = []
    for labels, values in _points(frame, by, measure).items():
        rows.append(_row(by, labels, t_interval(values, CONFIDENCE)))
    return _table(rows, by)


def ratio_over_seeds(
    frame: pd.DataFrame, by: Sequence[str], measure: str, *, to: Mapping[str, object]
) -> pd.DataFrame:
    """Return a measure of each point over that of its reference, paired by seed.

    Parameters
    ----------
    frame : rows of `run_points`.
    by : labels that tell points apart.
    measure : column to compare.
    to : labels of the reference, for example ``{"variant": "dense"}``; the other labels are the point's.

    Returns
    -------
    pandas.DataFrame
        As of `mean_over_seeds`; points without a reference, or whose ratio is undefined, are left out.
    """
    found = _points(frame, by, measure)
    rows = []
    for labels, values in found.items():
        other = tuple(to.get(name, value) for name, value in zip(by, labels, strict=True))
        if other not in found or len(found[other]) != len(values):
            continue
        ratio = paired_ratio(found[other], values, CONFIDENCE)
        if ratio is not None:
            rows.append(_row(by, labels, ratio))
    return _table(rows, by)


def _table(rows: list[dict[str, object]], by: Sequence[str]) -> pd.DataFrame:
    bounds = ["estimate", "low", "high"]
    return pd.DataFrame(rows, columns=[*by, *bounds]).astype(dict.fromkeys(bounds, float))


def _points(frame: pd.DataFrame, by: Sequence[str], measure: str) -> dict[tuple[object, ...], list[float]]:
    """Return the values of each point, one per seed, without points that miss one."""
    found: dict[tuple[object, ...], list[float]] = {}
    for labels, value in zip(frame[list(by)].itertuples(index=False), frame[measure], strict=True):
        found.setdefault(tuple(labels), []).append(float(value))
    return {labels: values for labels, values in found.items() if not any(pd.isna(values))}


def _row(by: Sequence[str], labels: tuple[object, ...], interval: Interval) -> dict[str, object]:
    bounds = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return dict(zip(by, labels, strict=True)) | bounds
