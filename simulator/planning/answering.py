"""The answer to a plan: the best candidate, what is next, what binds, what matters, and what is missed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from simulator.errors import InfeasiblePlanError
from simulator.planning.asking import Question
from simulator.planning.bisecting import Bracket
from simulator.planning.evaluating import Candidate, Evaluated, Evaluator, scenario_of
from simulator.planning.goals import LABELS, Bound, Wanted
from simulator.planning.ranking import front_of, losses_of, ranked
from simulator.planning.space import Space
from simulator.scenario.plans import PlanSpec
from simulator.scenario.sweeps import Choices
from simulator.sweeps.design import Point
from simulator.sweeps.jobs import path_in
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
    "price of a verdict": ("workload.verifier.usd_per_trial",),
    "price of judged tokens": ("workload.verifier.usd_per_million_tokens",),
    "time of a verdict": ("workload.verifier.seconds_per_trial",),
}
"""Numbers that a plan rests on and that are no choices, by name; those that a scenario has are varied."""

MOST: Final = {"chance of a trial": 1.0}
"""Largest values of inputs that have one."""

WHOLE: Final = ("tasks in progress", "output", "cap on outputs")
"""Inputs that are whole numbers."""

LONG: Final = 1_000_000
"""Whole numbers from here on are shortened."""


@dataclass(frozen=True)
class Effect:
    """What a change of one choice or input does to the best plan.

    Parameters
    ----------
    what : the choice or input.
    before, after : its values, in words.
    change : figure of the first goal with it, relative to the plan's, less 1; NaN if it cannot run or has no
        such figure; infinite if the plan's is 0.
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
        front = front_of(self.best, goals)
        alike = {losses_of(each, goals): each for each in reversed(front)}
        return tuple(each for each in front if alike[losses_of(each, goals)] is each)

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
        if self.bracket is not None:
            return self._unmet_ends(self.bracket)
        if self.nearest is None or self.nearest.reason:
            return f"no candidate can run: {self.nearest.reason if self.nearest else 'there is none'}"
        labels = told_labels(self.nearest)
        return f"no candidate meets all limits; the nearest, {labels}: {'; '.join(self.amiss(self.nearest))}"

    def _unmet_ends(self, bracket: Bracket) -> str:
        easy = bracket.tries[0].known
        at = told_labels(easy)
        held = next((told_labels(each.known) for each in bracket.tries if each.holds), None)
        other = "lowest" if self.spec.highest is not None else "highest"
        if easy.reason:
            return f"the end that should be easy, {at}, cannot run: {easy.reason}"
        if held is not None:
            return f"the limits hold at {held} and not at {at}: that has a {other} value, and no other"
        known = min(
            (each.known for each in bracket.tries if not each.known.reason),
            key=lambda each: each.violation(self.wanted.bounds),
        )
        return f"no end meets all limits; the nearest, {told_labels(known)}: {'; '.join(self.amiss(known))}"

    def amiss(self, known: Evaluated) -> list[str]:
        """Return the limits that a candidate misses, by how much, and the figures that it does not have."""
        lacking = known.lacks(self.wanted)
        return [
            f"{LABELS[bound.path]} is {known.mean(bound.path):.6g}, and must be at "
            f"{'least' if bound.sign > 0 else 'most'} {bound.value:g} ({_off(part)})"
            for bound, part in known.missed(self.wanted.bounds).items()
            if LABELS[bound.path] not in lacking
        ] + [f"there is no {label}" for label in lacking]


def told_labels(known: Evaluated) -> str:
    """Return a candidate's choices in words."""
    names = short(list(known.candidate.labels))
    return ", ".join(f"{names[name]} {_short(label)}" for name, label in known.candidate.labels.items())


TIMES_OFF: Final = 10.0
"""Part of a limit from which what is missed is told as times it, not in per cent."""


def _off(part: float) -> str:
    return f"{part:.1%} off" if part < TIMES_OFF else f"off by {part:,.0f} times the limit"


def binding_limits(evaluator: Evaluator, best: Evaluated) -> dict[Bound, float]:
    """Return the limits without which a better candidate is known, and the part by which it is better.

    A limit binds if a candidate that misses this one alone is better than the best.
    """
    if not evaluator.wanted.goals:
        return {}
    goal = evaluator.wanted.goals[0]
    found = dict[Bound, float]()
    for each in evaluator.ledger.values():
        missed = each.missed(evaluator.wanted.bounds)
        if len(missed) != 1:
            continue
        gain = goal.sign * each.beside(best, goal.path, confidence=0.5)[0]
        if gain > 0.0:  # no where it has no such figure
            bound = next(iter(missed))
            found[bound] = max(found.get(bound, 0.0), gain)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def nearest_miss(evaluator: Evaluator) -> Evaluated | None:
    """Return the candidate that misses least; one that cannot run only if none can."""
    order = ranked(evaluator)
    return order[0] if order else None


def effects_of(space: Space, question: Question, evaluator: Evaluator, best: Evaluated) -> tuple[Effect, ...]:
    """Return what changing one choice or one input at a time does to the best plan, the largest first.

    All are simulated with the seeds of the plan, so differences are paired.

    Parameters
    ----------
    space, question : what may be chosen, and which inputs are to be varied.
    evaluator : one of its own: candidates with other inputs are no candidates of the plan.
    best : the plan.
    """
    asked = [*_choices_beside(space, best.candidate), *_inputs(question, evaluator, best.candidate)]
    found = evaluator.evaluate([change.candidate for change in asked], question.spec.seeds)
    path = question.wanted.goals[0].path
    effects = []
    for change, each in zip(asked, found, strict=True):
        missed = [str(bound) for bound in each.missed(question.wanted.bounds)]
        lacking = [f"has no {label}" for label in each.lacks(question.wanted)]
        amiss = (each.reason,) if each.reason else (*missed, *lacking)
        ratio = _relative(each.mean(path), best.mean(path))
        effects.append(Effect(change.what, change.before, change.after, ratio, amiss))
    return tuple(sorted(effects, key=lambda one: 1.0 if math.isnan(one.change) else -abs(one.change)))


def _relative(value: float, reference: float) -> float:
    if reference:
        return value / reference - 1.0
    return math.copysign(math.inf, value) if value > 0.0 or value < 0.0 else value  # NaN stays, as 0 does


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


def _inputs(question: Question, evaluator: Evaluator, candidate: Candidate) -> Iterator[_Change]:
    """Yield the best candidate with one input lower and higher."""
    changed = candidate.point.changes
    _, document = scenario_of(evaluator.base, candidate)
    if question.spec.sensitivity is not None:
        for axis in question.inputs:
            for choice in axis.choices if isinstance(axis, Choices) else ():
                before = _at(document, axis.name)
                yield _with(candidate, axis.name, before, choice.label, choice.changes)
        return
    for what, paths in INPUTS.items():
        values = [_at(document, path) for path in paths]
        if any(one in changed for path in paths for one in (path, path_in(path, candidate.variant))):
            continue  # it is a choice
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            continue
        for factor in (1.0 / question.spec.swing, question.spec.swing):
            scaled = [_scaled(what, value, factor) for value in values]
            if scaled != values:
                yield _with(candidate, what, values[0], scaled[0], dict(zip(paths, scaled, strict=True)))


def _scaled(what: str, value: float, factor: float) -> float:
    scaled = min(value * factor, MOST.get(what, math.inf))
    return max(1, round(scaled)) if what in WHOLE else scaled


def _with(
    candidate: Candidate, what: str, before: object, after: object, changes: Mapping[str, object]
) -> _Change:
    own = {path_in(path, candidate.variant): value for path, value in changes.items()}
    point = Point(candidate.point.labels, {**candidate.point.changes, **own})
    return _Change(what, _short(before), _short(after), Candidate(point, candidate.variant))


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
