"""The search for the best candidates: all of them where that is affordable, else Optuna and its neighbours.

One seed tells candidates roughly apart; the best ones are run again with more seeds before any of them is
called the best.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from math import inf, prod
from typing import Any, Final

import numpy as np

from simulator.errors import ScenarioError
from simulator.planning.evaluating import Candidate, Evaluated, Evaluator
from simulator.planning.goals import Goal
from simulator.scenario.plans import PlanSpec
from simulator.scenario.sweeps import Axis, Choice, Choices, Interval
from simulator.sweeps.design import Point

MOST_CANDIDATES: Final = 100_000
"""Candidates that are all tried: at ten a second three hours."""

FRONT: Final = 4
"""Times as many candidates that get all seeds where there are several goals."""


@dataclass(frozen=True)
class Space:
    """All candidates: one value of each axis, one of the variants.

    Parameters
    ----------
    axes : what may be chosen.
    variants : names of the scenario's variants, or one empty name.
    """

    axes: tuple[Axis, ...]
    variants: tuple[str, ...]

    @property
    def size(self) -> float:
        """Number of candidates; infinite where an axis is an interval of fractions."""
        return prod(_size(axis) for axis in self.axes) * len(self.variants)

    def all(self) -> Iterator[Candidate]:
        """Yield every candidate of a finite space."""
        for choices in product(*(_choices(axis) for axis in self.axes)):
            for variant in self.variants:
                yield self.candidate(choices, variant)

    def sampled(self) -> Iterator[Candidate]:
        """Yield candidates drawn from all over the space, the same each time, without end."""
        generator = np.random.default_rng(0)
        while True:
            choices = [axis.at(float(generator.random())) for axis in self.axes]
            yield self.candidate(choices, self.variants[0])

    def candidate(self, choices: Sequence[Choice], variant: str) -> Candidate:
        """Return the candidate with these values."""
        labels = {axis.name: choice.label for axis, choice in zip(self.axes, choices, strict=True)}
        changes = {path: value for choice in choices for path, value in choice.changes.items()}
        return Candidate(Point(labels, changes), variant)

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """Yield candidates that differ in one axis: by a place of ordered values, by any of the others."""
        current = [self._current(axis, candidate) for axis in self.axes]
        for place, axis in enumerate(self.axes):
            for choice in _beside(axis, current[place]):
                yield self.candidate([*current[:place], choice, *current[place + 1 :]], candidate.variant)
        for variant in self.variants:
            if variant != candidate.variant:
                yield self.candidate(current, variant)

    @staticmethod
    def _current(axis: Axis, candidate: Candidate) -> Choice:
        label = candidate.point.labels[axis.name]
        if isinstance(axis, Interval):
            return Choice(label, {axis.name: label})
        return next(choice for choice in axis.choices if choice.label == label)


def _size(axis: Axis) -> float:
    if isinstance(axis, Choices):
        return len(axis.choices)
    return axis.high - axis.low + 1 if axis.whole else inf


def _choices(axis: Axis) -> Sequence[Choice]:
    if isinstance(axis, Choices):
        return axis.choices
    return [Choice(value, {axis.name: value}) for value in range(int(axis.low), int(axis.high) + 1)]


def is_ordered(axis: Axis) -> bool:
    """Say whether the values of an axis are numbers in ascending or descending order."""
    if isinstance(axis, Interval):
        return True
    labels = [choice.label for choice in axis.choices]
    numbers = [label for label in labels if isinstance(label, int | float) and not isinstance(label, bool)]
    return len(numbers) == len(labels) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _beside(axis: Axis, current: Choice) -> list[Choice]:
    if isinstance(axis, Interval):
        steps = [float(current.label) * ratio for ratio in (0.9, 1.1)]  # an interval's labels are numbers
        if axis.whole:
            steps = [float(current.label) - 1, float(current.label) + 1]
        kept = [round(step) if axis.whole else step for step in steps if axis.low <= step <= axis.high]
        return [Choice(value, {axis.name: value}) for value in kept]
    place = next(at for at, choice in enumerate(axis.choices) if choice.label == current.label)
    if is_ordered(axis):
        return [axis.choices[at] for at in (place - 1, place + 1) if 0 <= at < len(axis.choices)]
    return [choice for choice in axis.choices if choice.label != current.label]


def search(
    space: Space,
    spec: PlanSpec,
    evaluator: Evaluator,
    *,
    storage: Any = None,  # noqa: ANN401 - Optuna's storages, by URL or object
) -> str:
    """Evaluate candidates until the runs of the plan are used up, or all are known; return how.

    Parameters
    ----------
    space : all candidates.
    spec : how many runs, which sampler.
    evaluator : simulates and remembers them.
    storage : of an Optuna study, so that it can be continued or shared; None keeps it in memory.

    Raises
    ------
    SimulatorError
        If Optuna is needed and not installed, its storage cannot be used, or there are too many candidates to
        try all.
    """
    if spec.sampler == "exhaustive" or (spec.sampler == "auto" and space.size <= spec.runs):
        _refuse_endless(space)
        evaluator.evaluate(space.all())
        return f"all {space.size:,.0f} candidates"
    from simulator.planning.studying import by_optuna  # noqa: PLC0415 - it knows spaces, which are here

    told = by_optuna(space, spec, evaluator, storage)
    _around_best(space, spec, evaluator)
    return f"{len(evaluator.ledger):,} of {space.size:,.0f} candidates, {told}, then neighbours of the best"


def _refuse_endless(space: Space) -> None:
    if space.size == inf:
        message = "plan.sampler: exhaustive needs lists of values, not intervals"
        raise ScenarioError(message)
    if space.size > MOST_CANDIDATES:
        message = (
            f"plan: all {space.size:,.0f} candidates are more than {MOST_CANDIDATES:,}; let a sampler look "
            "for the best of them (sampler: tpe, runs: 500), or give fewer choices"
        )
        raise ScenarioError(message)


def ranked(evaluator: Evaluator, *, fewest_seeds: int = 1) -> list[Evaluated]:
    """Return the candidates with enough seeds, the best first; those that miss a limit after all others.

    With several goals those that no other one beats come first, then those that only they beat, and so on.
    """
    bounds, goals = evaluator.wanted.bounds, evaluator.wanted.goals
    found = [each for each in evaluator.ledger.values() if each.reason or each.seeds >= fewest_seeds]
    if len(goals) > 1:
        met = [each for each in found if not each.violation(bounds)]
        fronts = {id(each): place for place, front in enumerate(_fronts(met, goals)) for each in front}
    else:
        fronts = {}
    return sorted(
        found,
        key=lambda each: (
            each.violation(bounds),
            fronts.get(id(each), 0),
            *(each.loss(goal) for goal in goals),
        ),
    )


def beats(one: Evaluated, other: Evaluated, goals: Sequence[Goal]) -> bool:
    """Say whether a candidate is no worse in any goal and better in one."""
    pairs = [(one.loss(goal), other.loss(goal)) for goal in goals]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _fronts(candidates: Sequence[Evaluated], goals: Sequence[Goal]) -> Iterator[list[Evaluated]]:
    """Yield those that none beats, then those that none of the rest beats, and so on."""
    left = list(candidates)
    while left:
        front = [each for each in left if not any(beats(other, each, goals) for other in left)]
        yield front
        kept = {id(each) for each in front}
        left = [each for each in left if id(each) not in kept]


def _around_best(space: Space, spec: PlanSpec, evaluator: Evaluator) -> None:
    """Evaluate neighbours of the best candidates until all of these are looked at, or the runs are used up.

    Neighbours of the best that meet the limits take turns with those of candidates that would be better still
    and miss a limit by little: where a goal has few values, as GPUs have, the way to a better plan leads
    through these, or through equally good ones that have more to spare.
    """
    looked = set[tuple[str, str]]()
    for turn in count():
        ranks = _ranks(spec, evaluator)
        left = [[each for each in rank if each.candidate.key not in looked] for rank in ranks]
        chosen = left[turn % 2] or left[1 - turn % 2]
        if not chosen or evaluator.runs >= spec.runs:
            return
        looked.add(chosen[0].candidate.key)
        new = [each for each in space.neighbours(chosen[0].candidate) if each.key not in evaluator.ledger]
        evaluator.evaluate(new[: spec.runs - evaluator.runs])


def _ranks(spec: PlanSpec, evaluator: Evaluator) -> tuple[list[Evaluated], list[Evaluated]]:
    """Return the best candidates, and those that are better but for a limit, the least amiss first."""
    goals, bounds = evaluator.wanted.goals, evaluator.wanted.bounds
    order = ranked(evaluator)
    if len(goals) == 1:  # equally good ones by what they have to spare
        order.sort(key=lambda each: (each.violation(bounds), each.loss(goals[0]), -each.spare(bounds)))
    best = order[: spec.finalists]
    hopeful = [
        each
        for each in order
        if not each.reason and each.violation(bounds) and each.loss(goals[0]) < best[0].loss(goals[0])
    ]
    return best, hopeful[: spec.finalists]


def confirm(spec: PlanSpec, evaluator: Evaluator) -> list[Evaluated]:
    """Run the best candidates with all seeds until the best ones have them; return those, the best first.

    With more seeds the order of candidates may change, so it is asked again until the first
    `finalists` are all confirmed (with several goals, four times as many: a front has many members).
    Then those without all seeds are out of the question.
    """
    finalists = spec.finalists * (FRONT if len(evaluator.wanted.goals) > 1 else 1)
    while True:
        best = [each for each in ranked(evaluator) if not each.reason][:finalists]
        missing = [each.candidate for each in best if each.seeds < spec.seeds]
        if not missing:
            return [each for each in ranked(evaluator, fewest_seeds=spec.seeds) if not each.reason]
        evaluator.evaluate(missing, spec.seeds)
