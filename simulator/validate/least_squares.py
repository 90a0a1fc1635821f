"""A step towards least squares of a function that moves by jumps: differences over wide steps, and bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulator.attention.work import FloatVector


def slopes_of(
    off: Callable[[FloatVector], FloatVector],
    at: FloatVector,
    now: FloatVector,
    limits: tuple[float, FloatVector],
) -> FloatVector:
    """Return what each number does to the differences, shape (differences, numbers).

    Parameters
    ----------
    off : the differences for some numbers.
    at, now : numbers and their differences.
    limits : the step over which slopes are taken, and the most of each number.

    Examples
    --------
    >>> slopes_of(lambda x: x * x, np.array([1.0]), np.array([1.0]), (0.5, np.array([2.0]))).tolist()
    [[2.5]]
    """
    wide, high = limits
    columns = []
    for place in range(len(at)):
        step = wide if at[place] + wide <= high[place] else -wide
        there = at.copy()
        there[place] += step
        columns.append((off(there) - now) / step)
    return np.stack(columns, axis=1)


def newton(
    slopes: FloatVector, now: FloatVector, ends: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> FloatVector:
    """Return the step to the least squares of a line, without numbers that it would take beyond an end."""
    least, most = ends
    free = np.ones(slopes.shape[1], dtype=np.bool_)
    whole = np.zeros(slopes.shape[1])
    while free.any():
        whole = np.zeros(slopes.shape[1])
        whole[free] = np.linalg.lstsq(slopes[:, free], -now, rcond=None)[0]
        beyond = (least & (whole < 0.0)) | (most & (whole > 0.0))
        if not beyond.any():
            break
        free &= ~beyond
    return whole
