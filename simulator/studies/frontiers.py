"""Models against each other at equal cost: which is the best, and up to which output length.

A model offers outputs of rising length; each has a cost and an accuracy.  Under a cap on the cost every model
makes the longest output that it affords, its longest known one at most.  Where it does not afford its
shortest known one it is not offered, and counts as never right: what shorter outputs would give is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LENGTHS: Final = 400
"""Output lengths between the shortest and the longest; 0.6 % apart over a factor of ten."""

CAPS: Final = 3000
"""Caps that models are compared at; 0.2 % apart over a factor of 400."""

ROUNDING: Final = 1e-9
"""Relative slack at the ends of a range of caps."""


@dataclass(frozen=True)
class Offer:
    """What a model offers.

    Parameters
    ----------
    tokens, gpu_s, accuracy : lengths of outputs, what each costs, how often it is right; rising, shape (n,).
    """

    tokens: Floats
    gpu_s: Floats
    accuracy: Floats

    def accuracy_for(self, caps: Floats) -> Floats:
        """Return the accuracy under each cap: 0 below the first cost, level beyond the last.

        The 0 stands for "not offered", not for an accuracy: that of shorter outputs is not known.
        """
        found: Floats = np.interp(np.log(caps), np.log(self.gpu_s), self.accuracy, left=0.0)
        return found

    def tokens_for(self, caps: Floats) -> Floats:
        """Return the output length that each cap buys, tokens; the longest known one beyond the last cost."""
        found: Floats = np.exp(np.interp(np.log(caps), np.log(self.gpu_s), np.log(self.tokens)))
        return found


@dataclass(frozen=True, slots=True)
class Stretch:
    """Caps between which one model is the best.

    Parameters
    ----------
    model : its name.
    first_gpu_s, last_gpu_s : the caps, s.
    first_tokens, last_tokens : the outputs that they buy.
    """

    model: str
    first_gpu_s: float
    last_gpu_s: float
    first_tokens: float
    last_tokens: float


def offer(tokens: Sequence[float], gpu_s: Sequence[float], accuracy: Callable[[float], float]) -> Offer:
    """Return an offer on a fine grid of lengths from costs at a few of them.

    Parameters
    ----------
    tokens, gpu_s : rising lengths and their costs; between them the cost is a power of the length.
    accuracy : by output length.
    """
    fine = np.geomspace(tokens[0], tokens[-1], LENGTHS)
    fine[[0, -1]] = tokens[0], tokens[-1]
    costs = np.exp(np.interp(np.log(fine), np.log(tokens), np.log(gpu_s)))
    return Offer(fine, costs, np.array([accuracy(float(length)) for length in fine]))


def caps_of(offers: Mapping[str, Offer]) -> Floats:
    """Return caps from the least cost of any model to the largest of any."""
    first = min(one.gpu_s[0] for one in offers.values())
    return np.geomspace(first, max(one.gpu_s[-1] for one in offers.values()), CAPS)


def stretches(offers: Mapping[str, Offer]) -> list[Stretch]:
    """Return which model is the best from where to where; of equals the one named first."""
    caps, names = caps_of(offers), list(offers)
    best = np.array([one.accuracy_for(caps) for one in offers.values()]).argmax(axis=0)
    ends = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(caps)]
    found = []
    for start, end in pairwise(ends):
        name, between = names[best[start]], caps[[start, end - 1]]
        first, last = offers[name].tokens_for(between).tolist()
        found.append(Stretch(name, float(between[0]), float(between[1]), first, last))
    return found


def longest_useful(offers: Mapping[str, Offer], shifts: Floats | None = None) -> Floats:
    """Return the longest output, tokens, of each model at which no other is better for the same cost.

    Parameters
    ----------
    offers : by model.
    shifts : by how much accuracies are off, all of a model's by the same, shape (draws, models); None: one
        draw without.  Accuracies stay between 0 and 1.

    Returns
    -------
    numpy.ndarray
        Shape (draws, models); 0 for a model that never is the best.
    """
    caps, every = caps_of(offers), list(offers.values())
    shifts = np.zeros((1, len(every))) if shifts is None else shifts
    accuracy = np.array([one.accuracy_for(caps) for one in every])
    tokens = np.array([one.tokens_for(caps) for one in every])
    first, last = (np.array([[one.gpu_s[end]] for one in every]) for end in (0, -1))
    known = caps >= first * (1 - ROUNDING)
    within = known & (caps <= last * (1 + ROUNDING))
    found = np.zeros(shifts.shape)
    for draw, shift in enumerate(shifts):
        seen = np.where(known, np.clip(accuracy + shift[:, np.newaxis], 0.0, 1.0), 0.0)
        useful = within & (seen > 0.0) & (seen >= seen.max(axis=0))
        last_place = len(caps) - 1 - useful[:, ::-1].argmax(axis=1)
        found[draw] = np.where(useful.any(axis=1), tokens[np.arange(len(every)), last_place], 0.0)
    return found
