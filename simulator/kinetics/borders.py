"""Borders between best models: where one gives way to another, by cost and by accuracy.

A band is (model, from, to).  Published borders are read from figures by eye, and bands of curves that cross
at flat angles come and go, so a border is looked for by its two models, the nearest to the published one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from math import log
from typing import Final, Literal

from simulator.errors import SimulatorError
from simulator.kinetics.curves import Curve, bands
from simulator.kinetics.derived import length_at, paper_model

Band = tuple[str, float, float]
Law = Literal["flops", "eflops"]
"""What a model is chosen by: 2 P L alone, the law before the paper's, or all eFLOPs."""

ACCURACY_STEP: Final = 0.0005
"""Step of accuracies at which laws are compared; a twentieth of what a figure can be read to."""


def border(
    found: Sequence[Band], before: Collection[str], after: Collection[str], near: float
) -> float | None:
    """Return where one of `before` gives way to one of `after`, nearest to `near`; None if never.

    Nearest is by ratio.  Bands that do not touch are no border.
    """
    borders = [
        start
        for (left, _, end), (right, start, _) in pairwise(found)
        if left in before and right in after and start == end
    ]
    return min(borders, key=lambda place: abs(log(place / near)), default=None)


def check_reach(curves: Mapping[str, Curve], least: float, most: float) -> None:
    """Refuse borders that curves cannot show, for they begin later or end before.

    Parameters
    ----------
    curves : by model.
    least, most : where the border was published to lie, s, with the error of reading it.

    Raises
    ------
    SimulatorError
        With the range of the curves and the model that is best at its ends.
    """
    found = bands(curves)
    first, last = max(c.first for c in curves.values()), min(c.last for c in curves.values())
    if not (first < least and most < last):
        message = (
            f"these curves reach from {first:g} to {last:g} B200 s; the first best model is "
            f"{found[0][0]}, the last {found[-1][0]}"
        )
        raise SimulatorError(message)


def bands_by_accuracy(curves: Mapping[str, Curve], law: Law) -> list[Band]:
    """Return which model reaches which accuracies at the least FLOPs of parameters, or the least eFLOPs.

    Parameters
    ----------
    curves : dense Long-CoT by model.
    law : what is counted.  FLOPs are those of the output that the cost of reaching the accuracy buys.

    Returns
    -------
    list
        (model, from, to), accuracies in steps of `ACCURACY_STEP`.
    """
    highest = max(max(curve.accuracy) for curve in curves.values())
    found: list[Band] = []
    for step in range(1, int(highest / ACCURACY_STEP) + 1):
        accuracy = step * ACCURACY_STEP
        spent = {
            name: _spent(name, curve.reaching(accuracy), law)
            for name, curve in curves.items()
            if curve.accuracy[0] <= accuracy <= max(curve.accuracy)
        }
        best = min(spent, key=spent.__getitem__, default="")
        if found and found[-1][0] == best:
            found[-1] = (best, found[-1][1], accuracy)
        elif best:
            found.append((best, found[-1][2] if found else accuracy, accuracy))
    return found


def _spent(model: str, b200_s: float, law: Law) -> float:
    """Return what a law counts of a dense trial of a cost."""
    if law == "eflops":
        return b200_s
    return paper_model(model).active_parameters * length_at(model, b200_s)


def largest_loss(curves: Mapping[str, Curve], published: Sequence[Band], margin: float) -> float:
    """Return the most accuracy that the published best models lose under the best of `curves`.

    Parameters
    ----------
    curves : by model.
    published : bands by cost, s, each model the best in its own.
    margin : relative; so near to a border a band is not looked at.

    Raises
    ------
    SimulatorError
        If no band is within the curves.
    """
    first, last = max(c.first for c in curves.values()), min(c.last for c in curves.values())
    points = sorted({x for curve in curves.values() for x in curve.x if first <= x <= last})
    losses = [
        max(curve.at(x) for curve in curves.values()) - curves[model].at(x)
        for model, low, high in published
        for x in points
        if low * (1 + margin) <= x <= high * (1 - margin)
    ]
    if not losses:
        message = f"no published band within {first:g} to {last:g} B200 s, where these curves are known"
        raise SimulatorError(message)
    return max(losses)
