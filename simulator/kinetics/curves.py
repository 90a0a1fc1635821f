"""Curves of accuracy: looked up inside their range, refused outside of it.

A curve is a table of points with its source.  Between points accuracy is taken as linear in the logarithm of
what is spent; nothing is extended beyond the first and the last point.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log
from typing import Final, Literal

from simulator.errors import SimulatorError

Mark = Literal["vector", "digitised", "derived", "measured"]
"""How figures were taken: exact from a vector drawing, read from a picture, worked out, or as printed."""

Spent = Literal["b200_s", "trials", "output_tokens"]
"""What the x of a curve counts: seconds of the paper's B200 (eFLOPs / 4.5e15), trials, or tokens."""

ROUNDING: Final = 1e-9
"""Relative slack at the ends of a range: what a conversion of units may lose."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy by what is spent.

    Parameters
    ----------
    name : what the curve is of.
    spent : what x counts.
    x : strictly increasing, above 0; two or more.
    accuracy : of each x, in [0, 1].
    mark, source : how the points were taken, and from where.

    Raises
    ------
    SimulatorError
        If the points make no curve.
    """

    name: str
    spent: Spent
    x: tuple[float, ...]
    accuracy: tuple[float, ...]
    mark: Mark
    source: str

    def __post_init__(self) -> None:
        is_curve = len(self.x) == len(self.accuracy) >= 2  # noqa: PLR2004 - a line has two ends
        rising = all(a < b for a, b in zip((0.0, *self.x), self.x, strict=False))
        if not (is_curve and rising and all(0.0 <= a <= 1.0 for a in self.accuracy)):
            message = (
                f"{self.name}: no curve; allowed: two or more points, {self.spent} above 0 and rising, "
                "accuracies from 0 to 1"
            )
            raise SimulatorError(message)

    @property
    def first(self) -> float:
        """Smallest x that the curve is known at."""
        return self.x[0]

    @property
    def last(self) -> float:
        """Largest x that the curve is known at."""
        return self.x[-1]

    def at(self, x: float) -> float:
        """Return the accuracy at `x`.

        Raises
        ------
        SimulatorError
            If `x` is outside of the curve; says its range.
        """
        if not self.first * (1 - ROUNDING) <= x <= self.last * (1 + ROUNDING):
            message = f"{self.name} at {self.spent} {x:g}; allowed: {self.first:g} to {self.last:g}"
            raise SimulatorError(message)
        place = min(max(bisect_left(self.x, x), 1), len(self.x) - 1)
        low, high = self.x[place - 1], self.x[place]
        part = min(max(log(x / low) / log(high / low), 0.0), 1.0)
        return (1.0 - part) * self.accuracy[place - 1] + part * self.accuracy[place]

    def reaching(self, accuracy: float) -> float:
        """Return the smallest x at which the curve reaches `accuracy`.

        Raises
        ------
        SimulatorError
            If the curve begins above `accuracy` or never reaches it.
        """
        if not self.accuracy[0] <= accuracy <= max(self.accuracy):
            message = (
                f"{self.name} at accuracy {accuracy:g}; allowed: {self.accuracy[0]:g} to "
                f"{max(self.accuracy):g}"
            )
            raise SimulatorError(message)
        place = next(i for i, reached in enumerate(self.accuracy) if reached >= accuracy)
        if place == 0:
            return self.first
        low, high = self.accuracy[place - 1], self.accuracy[place]
        part = (accuracy - low) / (high - low)
        return exp((1.0 - part) * log(self.x[place - 1]) + part * log(self.x[place]))


def best_of(name: str, curves: Sequence[Curve]) -> Curve:
    """Return the frontier of curves: the best accuracy of any, where all are known.

    The frontier has the points of all curves and those where the best curve changes.

    Raises
    ------
    SimulatorError
        If the curves count different things or share no range.
    """
    first, last = shared_range(curves)
    points = sorted({x for curve in curves for x in curve.x if first <= x <= last} | {first, last})
    points = sorted({*points, *_crossings(curves, points)})
    best = tuple(max(curve.at(x) for curve in curves) for x in points)
    return Curve(name, curves[0].spent, tuple(points), best, curves[0].mark, curves[0].source)


def shared_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return the first and last x at which all curves are known.

    Raises
    ------
    SimulatorError
        If they count different things or share no range.
    """
    first, last = max(c.first for c in curves), min(c.last for c in curves)
    if first >= last or len({c.spent for c in curves}) > 1:
        message = f"{', '.join(c.name for c in curves)}: allowed: curves over one quantity that share a range"
        raise SimulatorError(message)
    return first, last


def bands(curves: Mapping[str, Curve]) -> list[tuple[str, float, float]]:
    """Return which of the curves is best from where to where: (name, first x, last x).

    Where all are 0 nothing is best; of equals the one named first is.
    """
    first, last = shared_range(list(curves.values()))
    points = sorted({x for curve in curves.values() for x in curve.x if first <= x <= last})
    points = sorted({*points, *_crossings(list(curves.values()), points)})
    found: list[tuple[str, float, float]] = []
    for low, high in pairwise(points):
        middle = (low * high) ** 0.5
        heights = {name: curve.at(middle) for name, curve in curves.items()}
        name = max(heights, key=heights.__getitem__)
        if heights[name] == 0.0:
            continue
        if found and found[-1][0] == name and found[-1][2] == low:
            found[-1] = (name, found[-1][1], high)
        else:
            found.append((name, low, high))
    return found


def _crossings(curves: Sequence[Curve], points: Sequence[float]) -> list[float]:
    """Return where two of the curves cross between neighbouring points, at which all are linear in log x."""
    found = []
    for low, high in pairwise(points):
        ends = [(curve.at(low), curve.at(high)) for curve in curves]
        for i, (a, b) in enumerate(ends):
            for c, d in ends[:i]:
                if (a - c) * (b - d) < 0.0:
                    part = (a - c) / ((a - c) - (b - d))
                    found.append(low * (high / low) ** part)
    return found
