"""A Gaussian process over choices: what known values tell of others.

After Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import log
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

SHARES: Final = (0.3, 1.0, 4.0, 16.0)
"""How much more alike places are for each choice that they share."""

REACHES: Final = (0.3, 1.0)
"""How far along an ordered axis places are alike, in parts of its range."""

NOISES: Final = (1e-4, 1e-2, 1e-1)
"""Part of the variance that chance adds to a value."""

FLAT: Final = 1e-9
"""Relative spread of values that do not differ, and of what rounding leaves."""


class _Fit(NamedTuple):
    """A process under some settings.

    Parameters
    ----------
    likelihood : logarithm of the likelihood of the values, less what is the same for all settings.
    factor : Cholesky factor of their covariance, shape (n, n).
    weights : values divided by it, shape (n,).
    share, reach : settings.
    """

    likelihood: float
    factor: Matrix
    weights: Vector
    share: float
    reach: float


class Process:
    """A Gaussian process over places on axes, of which some are ordered.

    The covariance of two places is the product over axes of (1 + w c) / (1 + w): c is 1 where they are the
    same there, less the further apart they are on an ordered axis, 0 on others.  So it is a sum over all sets
    of choices that they may share (Duvenaud et al., Additive Gaussian processes, 2011).  w, the reach of
    ordered axes and the noise are those under which the known values are most likely.

    Parameters
    ----------
    ordered : axis by axis; places on such an axis are from 0 to 1, on others numbers that tell them apart.

    Examples
    --------
    >>> import numpy as np
    >>> known, values = np.array([[0.0], [0.2], [0.4], [0.8], [1.0]]), np.array([1.0, 2.0, 3.0, 5.0, 6.0])
    >>> mean, deviation = Process([True]).told(known, values, np.array([[0.6], [0.2]]))
    >>> mean.round(1).tolist(), bool(deviation[0] > deviation[1])
    ([4.0, 2.0], True)
    """

    def __init__(self, ordered: Sequence[bool]) -> None:
        self._ordered = tuple(ordered)

    def told(self, places: Matrix, values: Vector, others: Matrix) -> tuple[Vector, Vector]:
        """Return mean and standard deviation of what values are at other places, without chance.

        Parameters
        ----------
        places : where values are known, shape (n, axes).
        values : there, shape (n,).
        others : where they are asked for, shape (m, axes).
        """
        middle, spread = float(values.mean()), float(values.std())
        if spread <= FLAT * max(abs(middle), 1.0):
            return np.full(len(others), middle), np.ones(len(others))
        scaled = (values - middle) / spread
        fit = max(self._fits(places, scaled), key=lambda each: each.likelihood)
        variance = float(fit.weights @ fit.weights) / len(values)
        likeness = self._likeness(places, others, fit.share, fit.reach)
        across = _divided(fit.factor, likeness)
        left = np.maximum(1.0 - (across**2).sum(axis=0), FLAT)
        return middle + spread * (across.T @ fit.weights), spread * np.sqrt(variance * left)

    def _fits(self, places: Matrix, values: Vector) -> list[_Fit]:
        """Return a process for each setting; its variance is the most likely one (chapter 5.4.1)."""
        count, fits = len(values), []
        for share, reach in product(SHARES, REACHES):
            likeness = self._likeness(places, places, share, reach)
            for noise in NOISES:
                factor = np.linalg.cholesky(likeness + (noise + FLAT) * np.eye(count)).astype(np.float64)
                weights = _divided(factor, values)
                likelihood = -count / 2 * log(weights @ weights / count) - np.log(np.diag(factor)).sum()
                fits.append(_Fit(float(likelihood), factor, weights, share, reach))
        return fits

    def _likeness(self, some: Matrix, others: Matrix, share: float, reach: float) -> Matrix:
        likeness = np.ones((len(some), len(others)))
        for axis, ordered in enumerate(self._ordered):
            apart = np.abs(some[:, axis, None] - others[None, :, axis])
            alike = np.exp(-((apart / reach) ** 2) / 2) if ordered else (apart == 0.0).astype(np.float64)
            likeness *= (1.0 + share * alike) / (1.0 + share)
        return likeness


def _divided(factor: Matrix, values: NDArray[np.float64]) -> NDArray[np.float64]:
    divided: NDArray[np.float64] = solve_triangular(factor, values, lower=True, check_finite=False)
    return divided
