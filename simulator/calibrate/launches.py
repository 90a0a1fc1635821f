"""The least time of a step with prompts: what the host needs to launch it, however little the GPU has to do.

Such a step is not one captured graph. Up to the largest captured size engines replay graphs in pieces, one or
a few per layer; beyond it every kernel is launched by itself. Steps below that time tell nothing of kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulator.calibrate.fitting import Mask, Vector, rounded
from simulator.hardware import Calibration

ROUNDS: Final = 6
FEWEST_STEPS: Final = 20
"""Steps of a kind that wait for the host below which no time of it is told."""

LEAST_GAIN: Final = 0.02
"""What a least time must take off the mean relative error of the steps of its kind to be believed."""

DECODE, CAPTURED, EAGER = range(3)


def kinds_of(calibration: Calibration, steps: pd.DataFrame, new: str) -> NDArray[np.int64]:
    """Return how each step is launched: a whole graph, in captured pieces, or kernel by kernel.

    Parameters
    ----------
    calibration : its captured sizes.
    steps : with ``sequences``.
    new : the column of prompt tokens.
    """
    largest = calibration.graph_batches[-1] if calibration.graph_batches else 0
    prompts = steps[new].to_numpy()
    pieces = np.where(prompts + steps["sequences"].to_numpy() <= largest, CAPTURED, EAGER)
    found: NDArray[np.int64] = np.where(prompts > 0, pieces, DECODE)
    return found


def least_seconds(kinds: NDArray[np.int64], least: tuple[float, float]) -> Vector:
    """Return the least time of each step, s, shape (steps,): 0 of a decode step."""
    found: Vector = np.array((0.0, *least))[kinds]
    return found


def fit_least(
    kinds: NDArray[np.int64],
    measured: Vector,
    kernels_s: Callable[[Mask], Vector],
    *,
    before: tuple[float, float] = (0.0, 0.0),
) -> tuple[tuple[float, float], Mask, tuple[bool, bool]]:
    """Return the least times of steps with prompts, captured and not, s; which steps wait; which are new.

    Parameters
    ----------
    kinds : as `kinds_of` returns.
    measured : durations, s.
    kernels_s : fits the other numbers to the masked steps and returns what they make of all, s.
    before : least times so far, s, which stay where the steps do not tell them.

    Notes
    -----
    A least time is 0 where none shows though steps are short enough for it. In turns: the kernels are fitted
    to the steps that do not wait, then each least time to all of its kind. At first no step waits, or all
    with prompts do: the end that is nearer to what was measured counts.
    """
    ends = [_in_turns(kinds, measured, kernels_s, start) for start in (0.0, np.inf)]
    off = [_error(np.maximum(kernels, least_seconds(kinds, least)), measured) for least, kernels in ends]
    (captured_s, eager_s), kernels = ends[int(np.argmin(off))]
    told = captured_s > 0.0, eager_s > 0.0
    least = (
        captured_s or _kept(before[0], kernels[kinds == CAPTURED], measured[kinds == CAPTURED]),
        eager_s or _kept(before[1], kernels[kinds == EAGER], measured[kinds == EAGER]),
    )
    return least, kernels < least_seconds(kinds, least), told


def _kept(before: float, kernels: Vector, measured: Vector) -> float:
    """Return the least time so far, or 0 where steps whose kernels take less do not wait for it."""
    below = kernels < before
    if not below.any():
        return before
    if below.sum() >= FEWEST_STEPS:
        return 0.0
    waiting = _error(np.full(int(below.sum()), before), measured[below])
    return before if waiting <= _error(kernels[below], measured[below]) else 0.0


def _in_turns(
    kinds: NDArray[np.int64], measured: Vector, kernels_s: Callable[[Mask], Vector], start: float
) -> tuple[tuple[float, float], Vector]:
    """Return where the turns of `fit_least` end, and what the kernels take alone, s."""
    least, kernels = (start, start), kernels_s(kinds == DECODE) if start else measured
    for _ in range(ROUNDS):
        if not start or np.isfinite(least).all():
            kernels = kernels_s(kernels >= least_seconds(kinds, least))
        found = (
            _least(kernels[kinds == CAPTURED], measured[kinds == CAPTURED]),
            _least(kernels[kinds == EAGER], measured[kinds == EAGER]),
        )
        if found == least:
            break
        least = found
    return least, kernels


def _least(kernels: Vector, measured: Vector) -> float:
    """Return the time t for which ``max(kernels, t)`` is nearest to `measured` in the mean, or 0."""
    if len(measured) < FEWEST_STEPS:
        return 0.0
    tried = [rounded(float(t)) for t in np.quantile(measured, np.linspace(0.0, 1.0, 201))]
    errors = [_error(np.maximum(kernels, t), measured) for t in tried]
    best = int(np.argmin(errors))
    waiting = int((kernels < tried[best]).sum())
    gain = _error(kernels, measured) - errors[best]
    return tried[best] if gain > LEAST_GAIN and waiting >= FEWEST_STEPS else 0.0


def _error(predicted: Vector, measured: Vector) -> float:
    return float(np.mean(np.abs(np.log(predicted / measured))))
