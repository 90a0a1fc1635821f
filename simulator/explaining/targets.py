"""Which figure counts for a run: how many tasks are solved, or how long a task takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

from simulator.api import Result
from simulator.explaining.doubling import FIGURES, Gain, figures_of
from simulator.metrics.headline import KEEPS_UP_RATIO, OPEN_ARRIVALS, TASK_TIME
from simulator.metrics.intervals import Interval
from simulator.metrics.tables import RunTables
from simulator.metrics.window import window_of

SURE: Final = 1.645
"""Standard deviations below which 95 % of a normal variable lies: quantile 0.95, one-sided."""

LOAD_SETS_IT: Final = 1.5
"""Rate under twice the load, over the rate as it is, from which the load is said to set it."""

Target = tuple[str, bool]
"""Path of a figure, and whether less of it is better."""

FASTER: Final[Target] = (TASK_TIME, True)
"""The mean task time."""


def is_open(result: Result) -> bool:
    """Say whether tasks arrive without waiting for answers."""
    return result.scenario.workload.arrivals.kind in OPEN_ARRIVALS


def keeps_up(results: Sequence[Result]) -> bool:
    """Say whether open arrivals, not the node, set how many tasks end in the steady windows of runs.

    Notes
    -----
    Of a node that keeps up about as many tasks end in a window as arrive.  The few that are under way at
    its two ends differ by luck: where the arrivals are Poisson's and nothing queues, both counts are
    Poisson's with one mean, so their difference has the variance of their sum.
    """
    arrived = ended = under_way = 0
    for result in results:
        tables = RunTables.of(result.records)
        window = window_of(result.scenario, tables)
        if not is_open(result) or window.kind != "steady":
            return False
        arrivals, ends = tables.tasks["arrival_ns"], tables.tasks["ended_ns"]
        arrived += int(((arrivals > window.start_ns) & (arrivals <= window.end_ns)).sum())
        ended += int(window.ends_inside(ends).sum())
        for moment in (window.start_ns, window.end_ns):
            under_way += int((arrivals <= moment).sum() - ((ends >= 0) & (ends <= moment)).sum())
    backlog = arrived - ended
    return backlog <= (1.0 - KEEPS_UP_RATIO) * arrived or backlog <= SURE * sqrt(under_way)


def target_of(results: Sequence[Result]) -> Target:
    """Return the figure that counts.

    Task time where arrivals set the rate; else the first throughput that is positive for every seed.
    """
    if keeps_up(results):
        return FASTER
    figures = [figures_of(result.summary) for result in results]
    rates = [path for path in FIGURES if path != TASK_TIME]
    positive = [path for path in rates if all(one[path] for one in figures)]
    return (positive or rates)[0], False


def settled(target: Target, results: Sequence[Result], gains: Sequence[Gain]) -> Target:
    """Return the figure that counts once it is known what doublings do.

    Where no resource that was doubled raises the rate, but the load would, or arrivals are open, the load
    sets the rate, and time counts.
    """
    resources = [gain._replace(target=target) for gain in gains if gain.resource.kind != "load"]
    answered = all(figures_of(result.summary)[TASK_TIME] for result in results)
    if target == FASTER or not resources or not answered or not all(gain.is_none for gain in resources):
        return target
    return FASTER if all(map(is_open, results)) or load_sets_rate(gains) else target


def rate_under_twice_the_load(gains: Sequence[Gain]) -> Interval | None:
    """Return the first throughput that is known, of the run with twice the load over that of the run."""
    load = next((gain for gain in gains if gain.resource.kind == "load"), None)
    if load is None or load.refusal:
        return None
    return next((load.ratios[path] for path in FIGURES if path != TASK_TIME and load.ratios[path]), None)


def load_sets_rate(gains: Sequence[Gain]) -> bool:
    """Say whether twice the load gives far more tasks."""
    rate = rate_under_twice_the_load(gains)
    return rate is not None and rate.estimate >= LOAD_SETS_IT
