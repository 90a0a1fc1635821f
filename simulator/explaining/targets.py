"""Which figure counts for a run: how many tasks are solved, or how long a task takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.api import Result
from simulator.explaining.doubling import FIGURES, Gain, figures_of
from simulator.metrics.intervals import Interval
from simulator.metrics.keeping_up import OPEN_ARRIVALS, TASK_TIME, keeps_up

LOAD_SETS_IT: Final = 1.5
"""Rate under twice the load, over the rate as it is, from which the load is said to set it."""

Target = tuple[str, bool]
"""Path of a figure, and whether less of it is better."""

FASTER: Final[Target] = (TASK_TIME, True)
"""The mean task time."""


def is_open(result: Result) -> bool:
    """Say whether tasks arrive without waiting for answers."""
    return result.scenario.workload.arrivals.kind in OPEN_ARRIVALS


def target_of(results: Sequence[Result]) -> Target:
    """Return the figure that counts.

    Task time where arrivals set the rate; else the first throughput that is positive for every seed.
    """
    if keeps_up([result.summary for result in results]):
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
