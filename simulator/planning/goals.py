"""What is wanted of a run, in figures: goals, limits, and by how much a limit is missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, Final, Literal

from simulator.errors import ScenarioError
from simulator.metrics.measures import MEASURES, Unit, number
from simulator.metrics.notes import CHANCE
from simulator.scenario.plans import PlanSpec, figure_path
from simulator.units import SECONDS_PER_HOUR

EXTRA: Final[dict[str, tuple[str, Unit]]] = {
    "plan.gpus": ("GPUs", "count"),
    "cost.usd_per_hour": ("cost per hour", "usd"),
    "load.lag_ratio": ("arrivals not answered in time", "ratio"),
}
"""Figures of a plan beside the measures of a run: label and unit."""

KNOWN: Final = (*(measure.path for measure in MEASURES), *EXTRA)
LABELS: Final = {measure.path: measure.label for measure in MEASURES} | {
    path: label for path, (label, _) in EXTRA.items()
}
UNITS: Final[dict[str, Unit]] = {measure.path: measure.unit for measure in MEASURES} | {
    path: unit for path, (_, unit) in EXTRA.items()
}

LAG: Final = "load.lag_ratio"
"""Arrivals that were not answered in time, over what chance explains: above 1 the queue grows."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure to be made large (1) or small (-1)."""

    path: str
    sign: Literal[-1, 1]


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a limit.

    Parameters
    ----------
    path : the figure.
    value : the limit.
    sign : 1 where the figure must be at least that, -1 where at most.
    """

    path: str
    value: float
    sign: Literal[-1, 1]

    def missed_by(self, value: float) -> float:
        """Return by what part of the limit `value` misses it; 0 or less where it is met.

        A figure that a run does not have, of no solved task say, misses every limit.
        """
        if not isfinite(value):
            return 1e6
        scale = abs(self.value) or 1.0
        return self.sign * (self.value - value) / scale

    def __str__(self) -> str:
        return f"{LABELS[self.path]} {'>=' if self.sign > 0 else '<='} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that a plan asks of a run."""

    goals: tuple[Goal, ...]
    bounds: tuple[Bound, ...]


def wanted_of(spec: PlanSpec, where: Callable[..., str] = lambda *keys: ".".join(("plan", *keys))) -> Wanted:
    """Return the goals and limits of a plan.

    Parameters
    ----------
    spec : what is asked.
    where : says in words where the value at some keys of `spec` was written.

    Raises
    ------
    ScenarioError
        If a figure is unknown, or a limit can be met by no run: before anything is simulated.
    """
    faults, goals, bounds = list[str](), list[Goal](), dict[Bound, str]()
    for name, sign in spec.goals:
        try:
            goals.append(Goal(figure_path(name, KNOWN), sign))
        except ValueError as error:
            faults.append(f"{where('maximise' if sign > 0 else 'minimise')}: {error}")
    for name, limit in spec.constraints.items():
        place = where("constraints", name)
        try:
            path = figure_path(name, KNOWN)
        except ValueError as error:
            faults.append(f"{place}: {error}")
            continue
        if limit.at_least is not None:
            bounds[Bound(path, limit.at_least, 1)] = place
        if limit.at_most is not None:
            bounds[Bound(path, limit.at_most, -1)] = place
    faults += [f"{place}: {told}" for bound, place in bounds.items() if (told := _impossible(bound))]
    faults += [f"{bounds[one]}: {told}" for one, told in _contradictions(list(bounds))]
    if faults:
        raise ScenarioError(faults)
    load = (Bound(LAG, 1.0, -1),) if spec.keeps_up else ()
    return Wanted(tuple(goals), (*bounds, *load))


def _impossible(bound: Bound) -> str:
    """Return why no run can meet a limit; empty if one could."""
    is_ratio = UNITS[bound.path] == "ratio" and bound.path != LAG
    if bound.sign > 0 and is_ratio and bound.value > 1.0:
        return f"{bound}: no run has more than 1 (80 % is 0.8)"
    if bound.sign < 0 and bound.value < 0.0:
        return f"{bound}: no run has less than 0"
    return ""


def _contradictions(bounds: Sequence[Bound]) -> list[tuple[Bound, str]]:
    """Return pairs of limits that exclude each other, by the first, also of percentiles of one time."""
    return [
        (one, f"{one} and {other} exclude each other")
        for one in bounds
        for other in bounds
        if one.sign > 0 > other.sign and one.value > other.value and _never_above(one.path, other.path)
    ]


PARTS: Final = ("throughput.solved_tasks_per_s", "goodput.tasks_per_s")
"""Rates of some of the tasks that ``throughput.tasks_per_s`` counts."""


def _never_above(one: str, other: str) -> bool:
    """Say whether the figure `one` is at most the figure `other` in every run."""
    if one == other or (one in PARTS and other == "throughput.tasks_per_s"):
        return True
    points = ("p50", "p90", "p95", "p99", "max")
    (head, _, low), (same, _, high) = one.rpartition("."), other.rpartition(".")
    return head == same and low in points and high in points and points.index(low) <= points.index(high)


def values_of(summary: Mapping[str, Any] | None) -> dict[str, float]:
    """Return every figure of a run by its path; NaN where it has none, none at all where it did not run."""
    if summary is None:
        return {}
    found = {}
    for measure in MEASURES:
        value = number(summary, measure.path)
        found[measure.path] = float("nan") if value is None else value
    window = summary["window"]
    hours = window["seconds"] / SECONDS_PER_HOUR
    found["plan.gpus"] = float(summary["plan"]["gpus"])
    found["cost.usd_per_hour"] = summary["cost"]["usd"] / hours if hours else float("nan")
    found[LAG] = _lag(summary)
    return found


def _lag(summary: Mapping[str, Any]) -> float:
    """Return how many more tasks arrived than were answered in the window, over what chance explains.

    Chance is three standard deviations of a Poisson count, so n tasks tell a rate from one that is
    3 / sqrt(n) higher.  0 where a closed loop or a run to its end cannot fall behind.
    """
    window = summary["window"]
    if window["kind"] != "steady" or summary["plan"]["arrivals"] in ("closed_loop", "all_at_once"):
        return 0.0
    arrived = float(window["tasks_arrived"])
    rate = summary["throughput"]["tasks_per_s"] or 0.0
    answered = rate * window["seconds"]
    return float((arrived - answered) / max(CHANCE * sqrt(arrived), 1.0))
