"""Tables of a sweep: one row a run, and one row a point with means over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.metrics.intervals import student_t_quantile
from simulator.sweeps.columns import Columns
from simulator.sweeps.figures import FIGURES, HIGH, LOW, PATHS, WITH_INTERVAL

if TYPE_CHECKING:
    from simulator.sweeps.running import Swept

PLACE: Final = ("variant", "seed", "status", "reason", "scenario_sha256")
"""Columns of a run beside its axes and figures."""


def run_columns(swept: Swept) -> Columns:
    """Return one row a run, in the order of points, variants and seeds."""
    points = [swept.points[place // swept.runs_per_point] for place in range(len(swept.jobs))]
    columns: dict[str, Any] = {
        name: [point.labels[name] for point in points] for name in swept.points[0].labels
    }
    columns["variant"] = [job.variant for job in swept.jobs]
    if not any(columns["variant"]):
        del columns["variant"]
    for name in PLACE[1:]:
        columns[name] = [getattr(row, name) for row in swept.rows]
    figures = np.array([row.figures for row in swept.rows])
    return columns | {name: figures[:, at] for at, name in enumerate(FIGURES)}


def point_columns(swept: Swept) -> Columns:
    """Return one row a point and variant, with the mean of every measure over the seeds and its interval.

    Notes
    -----
    Student's t over the seeds where there are several that ran; with one, the interval that the run itself
    gives, if any.  Where some seeds ran and others did not the row says why and has no figures.
    """
    runs = swept.run_columns
    seeds = swept.runs_per_point // len({job.variant for job in swept.jobs})
    groups = range(0, len(swept.jobs), seeds)
    columns: dict[str, Any] = {
        name: list(runs[name][::seeds]) for name in [*swept.points[0].labels, "variant"] if name in runs
    }
    told = [_decisive([row.status for row in swept.rows[start : start + seeds]]) for start in groups]
    for name in ("status", "reason"):
        columns[name] = [runs[name][start + at] for start, at in zip(groups, told, strict=True)]
    columns["seeds"] = [seeds] * len(groups)
    stacked = np.stack([row.figures for row in swept.rows]).reshape(len(groups), seeds, len(FIGURES))
    stacked[np.array([status != "ok" for status in columns["status"]])] = np.nan
    means = stacked[:, :, : len(PATHS)].mean(axis=1)
    low, high = _intervals(stacked, means, swept.confidence_ratio)
    for at, path in enumerate(PATHS):
        columns[path] = means[:, at]
        columns[f"{path}{LOW}"], columns[f"{path}{HIGH}"] = low[:, at], high[:, at]
    return columns


def _decisive(statuses: Sequence[str]) -> int:
    """Return the place of the first run that did not go well, else of the first."""
    return next((at for at, status in enumerate(statuses) if status != "ok"), 0)


def _intervals(
    stacked: NDArray[np.float64], means: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the intervals of all measures, shape (rows, measures)."""
    seeds = stacked.shape[1]
    if seeds > 1:
        deviation = stacked[:, :, : len(PATHS)].std(axis=1, ddof=1)
        half = student_t_quantile(confidence, seeds - 1) * deviation / seeds**0.5
        return means - half, means + half
    low, high = np.full_like(means, np.nan), np.full_like(means, np.nan)
    for at, measure in enumerate(WITH_INTERVAL):
        place = PATHS.index(measure.path)
        low[:, place] = stacked[:, 0, len(PATHS) + 2 * at]
        high[:, place] = stacked[:, 0, len(PATHS) + 2 * at + 1]
    return low, high
