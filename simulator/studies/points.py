"""Many scenarios run with the same seeds, in processes; one row per point and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from simulator.api import simulate
from simulator.errors import InfeasiblePlanError
from simulator.metrics.measures import number
from simulator.processes import run_all
from simulator.scenario.schema import Scenario
from simulator.studies.study import Budget

PARTS: Final = "hardware.parts."

Label = str | int | float | bool


@dataclass(frozen=True)
class Point:
    """One scenario of a study and what tells it from the others.

    Parameters
    ----------
    labels : column by column, for example ``{"model": "qwen3-8b", "attention": "dense"}``.
    scenario : what to simulate.
    """

    labels: Mapping[str, Label]
    scenario: Scenario


def variants_of(scenario: Scenario, **labels: Label) -> Iterator[Point]:
    """Yield the variants of a scenario as points with the column ``variant`` beside `labels`."""
    for name, variant in (scenario.variants or {scenario.name: scenario}).items():
        yield Point({**labels, "variant": name}, variant)


def of_preset(model: str) -> dict[str, object]:
    """Return the overrides that put another preset into a scenario whose workload knows no model."""
    return {"model.preset": model}


def of_model(model: str) -> dict[str, object]:
    """Return the overrides that put another preset into a scenario whose lengths and outcomes are its own."""
    return of_preset(model) | {"workload.lengths.model": model, "workload.outcomes.model": model}


def run_points(points: Sequence[Point], measures: Mapping[str, str], budget: Budget) -> pd.DataFrame:
    """Simulate every point with as many seeds as the budget has, from the scenario's own seed on.

    Parameters
    ----------
    points : what to simulate; all have the same labels.
    measures : column by path in the summary of a run, such as
        ``{"solved_per_s": "throughput.solved_tasks_per_s"}`` (docs/metrics.md lists them).
    budget : seeds, processes (1 runs in this one) and whom to tell of progress; whether it is quick is for
        who makes the points.

    Returns
    -------
    pandas.DataFrame
        One row per point and seed, in order: the labels, ``seed``, the measures (NaN where a run has none),
        ``infeasible``, the reason why a point cannot run, empty where it can, and ``unsettled``, whether the
        run may not have settled when its window begins.  Equal for any number of workers.
    """
    jobs = [
        (point.scenario, point.scenario.seed + repetition, tuple(measures.values()))
        for point in points
        for repetition in range(budget.seeds)
    ]
    rows: list[dict[str, object]] = []
    labels = [point.labels for point in points for _ in range(budget.seeds)]
    for place, (found, reason, unsettled) in enumerate(run_all(_measured, jobs, budget.workers)):
        columns = dict(zip(measures, found, strict=True))
        told = {"infeasible": reason, "unsettled": unsettled}
        rows.append({**labels[place], "seed": jobs[place][1], **columns, **told})
        if budget.progress is not None:
            budget.progress(place + 1, len(jobs))
    return pd.DataFrame(rows)


_Job = tuple[Scenario, int, tuple[str, ...]]
_Found = tuple[list[float], str, bool]


def _measured(job: _Job) -> _Found:
    scenario, seed, paths = job
    try:
        summary = simulate(scenario, seed=seed).summary
    except InfeasiblePlanError as why:
        return [float("nan")] * len(paths), str(why), False
    return [_figure(summary, path) for path in paths], "", bool(summary["window"]["unsettled"])


def _figure(summary: dict[str, Any], path: str) -> float:
    """Return a figure of a run; NaN where it has none, as a part that took no time has none."""
    part = path.removeprefix(PARTS)
    if part != path and part.partition(".")[0] not in summary["hardware"]["parts"]:
        return float("nan")
    found = number(summary, path)
    return float("nan") if found is None else found
