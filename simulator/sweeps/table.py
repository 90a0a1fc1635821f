"""Tables of a sweep: one row a run, and one row a point with means over its seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulator.metrics.intervals import student_t_quantile
from simulator.sweeps.figures import FIGURES, HIGH, LOW, PATHS, WITH_INTERVAL

if TYPE_CHECKING:
    from simulator.sweeps.running import Swept

PLACE: Final = ("variant", "seed", "status", "reason", "scenario_sha256")
"""Columns of a run beside its axes and figures."""


def run_table(swept: Swept) -> pd.DataFrame:
    """Return one row a run, in the order of points, variants and seeds."""
    columns: dict[str, Any] = {name: [] for name in [*swept.points[0].labels, *PLACE]}
    for place, (job, row) in enumerate(zip(swept.jobs, swept.rows, strict=True)):
        for name, label in swept.points[place // swept.runs_per_point].labels.items():
            columns[name].append(label)
        for name, value in zip(
            PLACE, (job.variant, row.seed, row.status, row.reason, row.scenario_sha256), strict=True
        ):
            columns[name].append(value)
    if not any(columns["variant"]):
        del columns["variant"]
    columns["seed"] = pd.array(columns["seed"], dtype="Int64")
    figures = np.array([row.figures for row in swept.rows])
    return pd.DataFrame({**columns, **{name: figures[:, at] for at, name in enumerate(FIGURES)}})


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain values, every digit of them kept; None where there is none."""
    return table.astype(object).where(table.notna(), None).to_dict(orient="records")  # type: ignore[return-value] # names are texts


def point_table(swept: Swept) -> pd.DataFrame:
    """Return one row a point and variant, with the mean of every measure over the seeds and its interval.

    Notes
    -----
    Student's t over the seeds where there are several that ran; with one, the interval that the run itself
    gives, if any.  Where some seeds ran and others did not the row says why and has no figures.
    """
    runs = swept.runs
    keys = [name for name in [*swept.points[0].labels, "variant"] if name in runs.columns]
    seeds = swept.runs_per_point // max(1, len({job.variant for job in swept.jobs}))
    first = runs.iloc[::seeds].reset_index(drop=True)
    columns: dict[str, Any] = {name: first[name] for name in keys}
    stacked = np.stack([row.figures for row in swept.rows]).reshape(len(first), seeds, len(FIGURES))
    ran = (runs["status"] == "ok").to_numpy().reshape(len(first), seeds).all(axis=1)
    wrong = np.argmax((runs["status"] != "ok").to_numpy().reshape(len(first), seeds), axis=1)
    rows = np.arange(len(first)) * seeds + np.where(ran, 0, wrong)
    for name in ("status", "reason"):
        columns[name] = runs[name].to_numpy()[rows]
    columns["seeds"] = seeds
    stacked[~ran] = np.nan
    measures = stacked[:, :, : len(PATHS)]
    means = measures.mean(axis=1)
    low, high = _intervals(stacked, means, swept.confidence_ratio)
    for at, path in enumerate(PATHS):
        columns[path] = means[:, at]
        columns[f"{path}{LOW}"], columns[f"{path}{HIGH}"] = low[:, at], high[:, at]
    return pd.DataFrame(columns)


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
