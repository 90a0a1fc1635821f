"""Limits that no candidate can meet, said before anything runs: those on figures that need no simulation.

GPUs and their price follow from hardware and layout; nothing is answered faster than it arrives; goodput is
only counted under a service level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod, sqrt
from typing import Final

from simulator.errors import ScenarioError, SimulatorError
from simulator.metrics.notes import CHANCE
from simulator.planning.goals import PARTS, Bound, Wanted
from simulator.report.quantities import digits
from simulator.scenario.loader import vary
from simulator.scenario.schema import Scenario, ServiceLevel
from simulator.scenario.sweeps import Axis, Choices
from simulator.sweeps.design import paths_of
from simulator.sweeps.jobs import Base, document_of

MOST_TRIED: Final = 200
"""Scenarios that are read to tell; each takes 2 to 5 ms."""

BY_LAYOUT: Final[Mapping[str, tuple[str, Callable[[Scenario], float]]]] = {
    "plan.gpus": ("GPUs", lambda one: one.parallelism.tp * one.parallelism.dp),
    "cost.usd_per_hour": (
        "USD per hour",
        lambda one: one.parallelism.tp * one.parallelism.dp * one.hardware.gpu.price_usd_per_hour.value,
    ),
}
"""Figures that follow from hardware and layout: their unit, and their value."""

TOO_MANY: Final = " GPUs, but "
"""Part of what is said of a layout that its node cannot hold, whatever else is chosen."""

RATES: Final = ("throughput.tasks_per_s", *PARTS)


def refuse_unreachable(
    base: Base,
    axes: Sequence[Axis],
    wanted: Wanted,
    where: Callable[[Bound], str],
    varied: Sequence[str] = (),
) -> None:
    """Refuse limits that no candidate can meet.

    Parameters
    ----------
    base, axes : the scenario, and what may be chosen.
    wanted : goals and limits.
    where : says in words where a limit was written.
    varied : paths that a search for an extreme changes: nothing is said of figures that rest on them.

    Raises
    ------
    ScenarioError
        With every such limit, and the nearest that a candidate comes to it.
    """
    layout = [bound for bound in wanted.bounds if bound.path in BY_LAYOUT]
    rates = [bound for bound in wanted.bounds if bound.path in RATES and bound.sign > 0]
    goodput = [bound for bound in wanted.bounds if bound.path.startswith("goodput.")]
    faults = [f"{where(bound)}: {told}" for bound, told in _of_layout(base, axes, layout, varied)]
    faults += [f"{where(bound)}: {told}" for bound, told in _of_rates(base, axes, rates, varied)]
    wants = [f"{where(bound)}: {bound}" for bound in goodput]
    wants += [f"plan: {goal.path}" for goal in wanted.goals if goal.path.startswith("goodput.")]
    found = _read(base, axes, ("report",), varied) if wants else None
    if found and all(one.report.slo == ServiceLevel() for one in found):
        told = "no run has goodput without a service level; set one, such as report.slo.task_s"
        faults += [f"{each}: {told}" for each in wants]
    if faults:
        raise ScenarioError(faults)


def _of_layout(
    base: Base, axes: Sequence[Axis], bounds: Sequence[Bound], varied: Sequence[str]
) -> Iterator[tuple[Bound, str]]:
    found = _read(base, axes, ("hardware", "parallelism"), varied) if bounds else None
    for bound in bounds if found else ():
        unit, figure = BY_LAYOUT[bound.path]
        values = [figure(each) for each in found or ()]
        nearest = max(values) if bound.sign > 0 else min(values)
        if bound.missed_by(nearest) > 0.0:
            most = "no candidate has more than" if bound.sign > 0 else "no candidate has less than"
            yield bound, f"{bound}: {most} {digits(nearest)} {unit}"


def _of_rates(
    base: Base, axes: Sequence[Axis], bounds: Sequence[Bound], varied: Sequence[str]
) -> Iterator[tuple[Bound, str]]:
    found = _read(base, axes, ("workload.arrivals", "workload.tasks"), varied) if bounds else None
    loads = [(getattr(one.workload.arrivals, "rate_per_s", None), one) for one in found or ()]
    known = [(rate, _most_by_chance(rate, one)) for rate, one in loads if isinstance(rate, float)]
    if not known or len(known) < len(loads):
        return  # a closed loop is as fast as its answers
    for bound in bounds:
        if bound.value > max(most for _, most in known):
            yield bound, f"{bound}: {digits(max(rate for rate, _ in known))} tasks arrive per second"


def _most_by_chance(rate_per_s: float, scenario: Scenario) -> float:
    """Return a rate that a quarter of the tasks, a short steady window, does not exceed by chance."""
    return rate_per_s * (1.0 + CHANCE / sqrt(scenario.workload.tasks.task_count / 4.0))


def _read(
    base: Base, axes: Sequence[Axis], parts: Sequence[str], varied: Sequence[str]
) -> list[Scenario] | None:
    """Return every scenario that the choices make of some parts of it; None where that is not known."""
    if any(_touches(path, part) for path in varied for part in parts):
        return None
    moving = [axis for axis in axes if any(_touches(path, part) for path in paths_of(axis) for part in parts)]
    lists = [axis.choices for axis in moving if isinstance(axis, Choices)]
    if len(lists) < len(moving) or prod(map(len, lists)) > MOST_TRIED:
        return None
    found = list[Scenario]()
    for choices in product(*lists):
        changes = {path: value for choice in choices for path, value in choice.changes.items()}
        try:
            scenario = vary(document_of(base.text), changes, must_fit=False).scenario
        except SimulatorError as error:
            if TOO_MANY in str(error):
                continue
            return None  # they may go together beside other choices
        found += scenario.variants.values() or [scenario]
    return found or None


def _touches(path: str, part: str) -> bool:
    return f"{path}.".startswith(f"{part}.") or f"{part}.".startswith(f"{path}.")
