"""From axes to points: grids, rows, random draws and Latin hypercubes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import Final

import numpy as np

from simulator.errors import ScenarioError
from simulator.scenario.sweeps import Axis, Choice, Choices, Interval, SweepSpec

MOST_RUNS: Final = 1_000_000
"""Runs of a sweep: at ten a second more than a day."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a sweep.

    Parameters
    ----------
    labels : value by axis, as the table shows it.
    changes : values by dotted path, as for overrides.
    """

    labels: Mapping[str, str | int | float | bool]
    changes: Mapping[str, object]


def design(spec: SweepSpec, *, runs_per_point: int = 1, axes: Sequence[Axis] | None = None) -> list[Point]:
    """Return the points of a sweep, equal ones once.

    Parameters
    ----------
    spec : axes and how they are combined.
    runs_per_point : seeds times variants, for the limit on the size of a sweep.
    axes : the axes of `spec` with other changes behind their labels; None takes them as they are.

    Raises
    ------
    ScenarioError
        If axes do not go together, or there are too many points: with their number and a way out.
    """
    axes = spec.parsed if axes is None else axes
    faults = [*_mistakes(spec, axes), *overlaps(axes)]
    if faults:
        raise ScenarioError(faults)
    count = _count(spec, axes)
    if count * runs_per_point > MOST_RUNS:
        message = (
            f"sweep: {count:,} points with {runs_per_point} runs each are more than {MOST_RUNS:,} runs; draw "
            "some of them (combine: latin_hypercube, samples: 1000), or give fewer values or seeds"
        )
        raise ScenarioError(message)
    points = (_point(axes, choices) for choices in _chosen(spec, axes))
    if spec.samples is None:
        return list(points)  # no value of an axis stands there twice, so no point does
    found = dict[str, Point]()
    for point in points:
        found.setdefault(repr(point.changes), point)
    return list(found.values())


def _point(axes: Sequence[Axis], choices: Sequence[Choice]) -> Point:
    labels = {axis.name: choice.label for axis, choice in zip(axes, choices, strict=True)}
    return Point(labels, {path: value for choice in choices for path, value in choice.changes.items()})


def _mistakes(spec: SweepSpec, axes: Sequence[Axis]) -> Iterator[str]:
    drawn = spec.combine in ("random", "latin_hypercube")
    if drawn and spec.samples is None:
        yield f"sweep.samples: {spec.combine} draws points; say how many, for example 100"
    if not drawn and spec.samples is not None:
        yield f"sweep.samples: {spec.combine} takes all values; only random and latin_hypercube draw"
    for axis in axes:
        if isinstance(axis, Interval) and not drawn:
            yield (
                f"sweep.axes: {axis.name}: an interval has no values of its own; give some, such as "
                f"{axis.low:g}:{axis.high:g}:{(axis.high - axis.low) / 4:g}, or combine: latin_hypercube"
            )
    sizes = {axis.name: len(axis.choices) for axis in axes if isinstance(axis, Choices)}
    if spec.combine == "zip" and len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        yield f"sweep.axes: zip takes rows, one value of each axis; {told}"


def overlaps(axes: Sequence[Axis]) -> Iterator[str]:
    """Yield, in words, axes of which one changes what another one does."""
    paths = {axis.name: paths_of(axis) for axis in axes}
    for one, other in combinations(axes, 2):
        for path in paths[one.name]:
            for against in paths[other.name]:
                if (
                    path == against
                    or f"{path}.".startswith(f"{against}.")
                    or f"{against}.".startswith(f"{path}.")
                ):
                    yield f"sweep.axes: {one.name} and {other.name} both change {max(path, against, key=len)}"


def paths_of(axis: Axis) -> list[str]:
    """Return the paths that an axis changes."""
    if isinstance(axis, Interval):
        return [axis.name]
    return list(dict.fromkeys(path for choice in axis.choices for path in choice.changes))


def _count(spec: SweepSpec, axes: Sequence[Axis]) -> int:
    if spec.samples is not None:
        return spec.samples
    sizes = [len(axis.choices) for axis in axes if isinstance(axis, Choices)]
    return sizes[0] if spec.combine == "zip" else prod(sizes)


def _chosen(spec: SweepSpec, axes: Sequence[Axis]) -> Iterator[tuple[Choice, ...]]:
    if spec.samples is None:
        values = [axis.choices for axis in axes if isinstance(axis, Choices)]
        yield from zip(*values, strict=True) if spec.combine == "zip" else product(*values)
        return
    for row in _quantiles(spec, len(axes)):
        yield tuple(axis.at(float(quantile)) for axis, quantile in zip(axes, row, strict=True))


def _quantiles(spec: SweepSpec, dimensions: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    samples = spec.samples or 0
    if spec.combine == "random":
        return np.random.default_rng(spec.draw_seed).random((samples, dimensions))
    try:
        from scipy.stats.qmc import LatinHypercube  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = 'sweep.combine: latin_hypercube needs scipy: pip install "kinesim[plan]"'
        raise ScenarioError(message) from error
    drawn = LatinHypercube(d=dimensions, rng=np.random.default_rng(spec.draw_seed)).random(samples)
    return np.asarray(drawn, dtype=np.float64)
