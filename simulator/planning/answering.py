"""The answer to a plan: the best candidate, what is next, what binds, what matters, and what is missed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.errors import InfeasiblePlanError
from simulator.planning.bisecting import Bracket
from simulator.planning.evaluating import Candidate, Evaluated, Evaluator
from simulator.planning.goals import LABELS, Bound, Goal, Wanted
from simulator.planning.searching import Space, beats, ranked
from simulator.scenario.loader import vary
from simulator.scenario.plans import PlanSpec
from simulator.sweeps.design import Point
from simulator.sweeps.jobs import document_of
from simulator.sweeps.text import short

if TYPE_CHECKING:
    import pandas as pd

INPUTS: Final = {
    "arrival rate": ("workload.arrivals.rate_per_s",),
    "tasks in progress": ("workload.arrivals.concurrency",),
    "median output": ("workload.lengths.median_tokens",),
    "output": ("workload.lengths.tokens",),
    "cap on outputs": ("workload.max_tokens",),
    "chance of a trial": ("workload.outcomes.solve_probability",),
    "HBM bandwidth": ("hardware.gpu.hbm_bandwidth_bytes_per_s.value",),
    "HBM capacity": ("hardware.gpu.hbm_bytes.value", "hardware.gpu.hbm_usable_bytes.value"),
    "link bandwidth": ("hardware.gpu.link_bandwidth_bytes_per_s.value",),
    "price of a GPU": ("hardware.gpu.price_usd_per_hour.value",),
}
"""Numbers that a plan rests on and that are no choices, by name; those that a scenario has are varied."""

LONG: Final = 1_000_000
"""Whole numbers from here on are shortened."""

SWING: Final = 1.25
"""Factor by which inputs are varied, both ways."""


@dataclass(frozen=True)
class Effect:
    """What a change of one choice or input does to the best plan.

    Parameters
    ----------
    what : the choice or input.
    before, after : its values, in words.
    change : figure of the first goal with it, relative to the plan's, less 1; NaN if it cannot run.
    missed : limits that are missed with it, or why it cannot run.
    """

    what: str
    before: str
    after: str
    change: float
    missed: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What came of a plan.

    Parameters
    ----------
    spec, wanted : what was asked.
    how : how candidates were found.
    best : confirmed candidates that meet all limits, the best first.
    nearest : where none does: the confirmed candidate that misses least.
    binding : limits without which a better candidate is known, with how much better it is.
    effects : what changes of choices and inputs do, the largest first.
    bracket : of a monotone question.
    ledger : every candidate that was simulated.
    runs, kept : runs, and those of them that were in the store.
    confidence_ratio : level of the intervals.
    """

    spec: PlanSpec
    wanted: Wanted
    how: str
    best: tuple[Evaluated, ...]
    nearest: Evaluated | None
    binding: Mapping[Bound, float]
    effects: tuple[Effect, ...]
    bracket: Bracket | None
    ledger: tuple[Evaluated, ...]
    runs: int
    kept: int
    confidence_ratio: float

    @property
    def is_met(self) -> bool:
        """Whether something meets all limits."""
        return bool(self.best) or (self.bracket is not None and self.bracket.good is not None)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Every candidate: its choices, whether it meets the limits, why it cannot run, its figures."""
        from simulator.planning.tables import ledger_table  # noqa: PLC0415 - pandas only where it is asked for

        return ledger_table(self)

    @property
    def pareto(self) -> tuple[Evaluated, ...]:
        """Confirmed candidates that no other one beats in all goals, equal ones once."""
        goals = self.wanted.goals
        front = [each for each in self.best if not any(beats(other, each, goals) for other in self.best)]
        alike = {tuple(each.loss(goal) for goal in goals): each for each in reversed(front)}
        return tuple(each for each in front if alike[tuple(each.loss(goal) for goal in goals)] is each)

    def require_met(self) -> None:
        """Raise if nothing meets the limits.

        Raises
        ------
        InfeasiblePlanError
            Says which limits are missed, and by how much.
        """
        if self.is_met:
            return
        raise InfeasiblePlanError(self.unmet)

    @property
    def unmet(self) -> str:
        """What could not be met, and by how much, in words."""
        known = self.nearest
        if self.bracket is not None and self.bracket.bad is not None:
            known = self.bracket.bad.known
        if known is None:
            return "no candidate can run: " + (self.ledger[0].reason if self.ledger else "there is none")
        if known.reason:
            return f"no candidate can run: {known.reason}"
        told = [
            f"{LABELS[bound.path]} is {known.mean(bound.path):.6g}, and must be at "
            f"{'least' if bound.sign > 0 else 'most'} {bound.value:g} ({part:.1%} off)"
            for bound, part in known.missed(self.wanted.bounds).items()
        ]
        names = short(list(known.candidate.labels))
        labels = ", ".join(f"{names[name]} {label}" for name, label in known.candidate.labels.items())
        return f"no candidate meets all limits; the nearest, {labels}: {'; '.join(told)}"


def binding_limits(evaluator: Evaluator, best: Evaluated) -> dict[Bound, float]:
    """Return the limits without which a better candidate is known, and the part by which it is better.

    A limit binds if a candidate that misses this one alone is better than the best.
    """
    if not evaluator.wanted.goals:
        return {}
    goal = evaluator.wanted.goals[0]
    found = dict[Bound, float]()
    reference = best.loss(goal)
    for each in evaluator.ledger.values():
        if each.reason or each.loss(goal) >= reference:
            continue
        missed = each.missed(evaluator.wanted.bounds)
        if len(missed) == 1:
            bound = next(iter(missed))
            gain = (reference - each.loss(goal)) / abs(reference) if reference else math.inf
            found[bound] = max(found.get(bound, 0.0), gain)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def nearest_miss(evaluator: Evaluator) -> Evaluated | None:
    """Return the candidate that misses least; one that cannot run only if none can."""
    order = ranked(evaluator)
    return order[0] if order else None


def effects_of(
    space: Space, spec: PlanSpec, evaluator: Evaluator, best: Evaluated, goal: Goal
) -> tuple[Effect, ...]:
    """Return what changing one choice or one input at a time does to the best plan, the largest first.

    All are simulated with the seeds of the plan, so differences are paired.

    Parameters
    ----------
    space, spec : what may be chosen, and which inputs are to be varied.
    evaluator : one of its own: candidates with other inputs are no candidates of the plan.
    best, goal : the plan, and the figure that is looked at.
    """
    asked = [*_choices_beside(space, best.candidate), *_inputs(spec, evaluator, best.candidate)]
    found = evaluator.evaluate([change.candidate for change in asked], spec.seeds)
    reference = best.mean(goal.path)
    effects = []
    for change, each in zip(asked, found, strict=True):
        ratio = each.mean(goal.path) / reference - 1.0 if reference else math.nan
        missed = (
            [each.reason] if each.reason else [str(bound) for bound in each.missed(evaluator.wanted.bounds)]
        )
        effects.append(Effect(change.what, change.before, change.after, ratio, tuple(missed)))
    return tuple(sorted(effects, key=lambda one: -abs(one.change) if math.isfinite(one.change) else 1.0))


class _Change(NamedTuple):
    what: str
    before: str
    after: str
    candidate: Candidate


def _choices_beside(space: Space, candidate: Candidate) -> Iterator[_Change]:
    for each in space.neighbours(candidate):
        for name, label in each.labels.items():
            if label != candidate.labels[name]:
                yield _Change(name, _short(candidate.labels[name]), _short(label), each)


def _inputs(spec: PlanSpec, evaluator: Evaluator, candidate: Candidate) -> Iterator[_Change]:
    """Yield the best candidate with one input lower and higher."""
    changed = candidate.point.changes
    found = vary(document_of(evaluator.base.text, candidate.variant or None), changed, must_fit=False)
    document = (found.variants[candidate.variant] if candidate.variant else found.document).plain()
    if spec.sensitivity is not None:
        for path, pair in spec.sensitivity.items():
            for value in pair:
                yield _with(candidate, path, _at(document, path), {path: value})
        return
    for what, paths in INPUTS.items():
        values = [_at(document, path) for path in paths]
        if any(path in changed for path in paths):
            continue  # it is a choice
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            continue
        for factor in (1.0 / SWING, SWING):
            yield _with(candidate, what, values[0], dict(zip(paths, _scaled(values, factor), strict=True)))


def _scaled(values: Sequence[Any], factor: float) -> list[float]:
    return [max(1, round(value * factor)) if isinstance(value, int) else value * factor for value in values]


def _with(candidate: Candidate, what: str, before: object, changes: Mapping[str, object]) -> _Change:
    point = Point(candidate.point.labels, {**candidate.point.changes, **changes})
    after = _short(next(iter(changes.values())))
    return _Change(what, _short(before), after, Candidate(point, candidate.variant))


def _at(document: Any, path: str) -> Any:  # noqa: ANN401 - any value of a document
    for key in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def _short(value: object) -> str:
    return (
        f"{value:.4g}"
        if isinstance(value, float) or (isinstance(value, int) and value >= LONG)
        else str(value)
    )
