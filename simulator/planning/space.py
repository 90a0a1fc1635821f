"""All candidates of a plan: what may be chosen, and which candidates are beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, prod

import numpy as np

from simulator.planning.evaluating import Candidate
from simulator.scenario.sweeps import Axis, Choice, Choices, Interval
from simulator.sweeps.design import Point


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

    def sampled(self, seed: int = 0) -> Iterator[Candidate]:
        """Yield candidates drawn from all over the space, the same for a seed each time, without end."""
        generator = np.random.default_rng(seed)
        while True:
            choices = [axis.at(float(generator.random())) for axis in self.axes]
            variant = generator.integers(len(self.variants)) if len(self.variants) > 1 else 0
            yield self.candidate(choices, self.variants[variant])

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
        return axis.choices[place_of(axis)[told(label)]]


def told(label: str | float) -> str:
    """Return a label as text, in which 1 is not True."""
    return json.dumps(label)


def place_of(axis: Choices) -> dict[str, int]:
    """Return the place of each value of an axis, by its label as `told`."""
    return {told(choice.label): place for place, choice in enumerate(axis.choices)}


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
    place = place_of(axis)[told(current.label)]
    if is_ordered(axis):
        return [axis.choices[at] for at in (place - 1, place + 1) if 0 <= at < len(axis.choices)]
    return [choice for at, choice in enumerate(axis.choices) if at != place]
