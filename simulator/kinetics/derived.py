"""Figures that follow from published curves: gains of sparse attention, frontiers, the price of another law.

Costs are those of the curves, seconds of the paper's B200 (eFLOPs / 4.5e15); lengths are those that the
closed form gives one dense trial for such a cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import PROMPT_TOKENS
from simulator.kinetics.curves import Curve, bands, best_of, shared_range
from simulator.kinetics.iso import iso_eflops_length
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S, PAPER_RIDGE, KineticsModel, kinetics_model


@dataclass(frozen=True, slots=True)
class Gain:
    """How far one curve lies above another.

    Parameters
    ----------
    accuracy : difference, in [-1, 1].
    b200_s : the cost at which it is found.
    """

    accuracy: float
    b200_s: float


def largest_gain(sparse: Curve, dense: Curve) -> Gain:
    """Return the largest gain in accuracy at equal cost, where both curves are known."""
    first, last = shared_range([sparse, dense])
    points = sorted({first, last, *(x for c in (sparse, dense) for x in c.x if first <= x <= last)})
    return max((Gain(sparse.at(x) - dense.at(x), x) for x in points), key=lambda gain: gain.accuracy)


def last_gain(sparse: Curve, dense: Curve) -> Gain:
    """Return the gain at the highest cost at which both curves are known."""
    _, last = shared_range([sparse, dense])
    return Gain(sparse.at(last) - dense.at(last), last)


def cost_ratio(dear: Curve, cheap: Curve, accuracy: float) -> float:
    """Return how many times as much `dear` costs as `cheap` at equal accuracy.

    Raises
    ------
    SimulatorError
        If one of them does not reach that accuracy.
    """
    return dear.reaching(accuracy) / cheap.reaching(accuracy)


def ratio_at_the_top(dense: Curve, sparse: Curve) -> float:
    """Return the cost ratio at the highest accuracy that the dense curve reaches."""
    return cost_ratio(dense, sparse, max(dense.accuracy))


def frontier(curves: Mapping[str, Curve], attention: str) -> Curve:
    """Return the best accuracy of any model by cost."""
    return best_of(f"frontier {attention}", list(curves.values()))


def longest_on_the_frontier(curves: Mapping[str, Curve], models: frozenset[str]) -> float:
    """Return the longest output, tokens, at which one of `models` is the best of all (dense attention).

    Raises
    ------
    SimulatorError
        If none of them ever is.
    """
    lengths = [length_at(name, high) for name, _, high in bands(curves) if name in models]
    if not lengths:
        message = f"none of {', '.join(sorted(models))} is ever the best on these curves"
        raise SimulatorError(message)
    return max(lengths)


@cache
def paper_model(name: str) -> KineticsModel:
    """Return a preset with the paper's parameters, read once."""
    return kinetics_model(name, parameters="paper")


def length_at(model: str, b200_s: float) -> float:
    """Return the output, tokens, that one dense trial of `model` makes for a cost in B200 seconds."""
    return iso_eflops_length(
        paper_model(model),
        b200_s * PAPER_PEAK_FLOPS_PER_S,
        ridge_flops_per_byte=PAPER_RIDGE,
        prompt_tokens=PROMPT_TOKENS,
    )


def price_of_counting_flops(curves: Mapping[str, Curve], accuracy: float) -> float:
    """Return how much more eFLOPs the model with the fewest parameter FLOPs takes than the best one.

    Parameters
    ----------
    curves : dense Long-CoT by model.
    accuracy : what both have to reach; models that do not are left out.
    """
    spent = {
        name: curve.reaching(accuracy)
        for name, curve in curves.items()
        if curve.accuracy[0] <= accuracy <= max(curve.accuracy)
    }
    flops = {
        name: paper_model(name).active_parameters * length_at(name, b200_s) for name, b200_s in spent.items()
    }
    return spent[min(flops, key=flops.__getitem__)] / min(spent.values())
