"""Quantiles of the Beta distribution, without a statistics package.

The distribution function is tabulated over the logit of p and inverted by interpolation between the
logits of both axes, where the tails are straight lines.  That keeps full relative precision for
shape parameters far below 1, whose quantiles reach p = 1e-100.

Symbols: a, b the shapes; I_x(a, b) the regularised incomplete beta function, by the continued
fraction of DLMF 8.17.22 with the modified Lentz algorithm.
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

TABLE_NODES: Final = 4097
"""Nodes of the table; the quantile's error falls with its square."""

KEPT_TABLES: Final = 32
"""Tables that are kept: every seed of a scenario asks for the same, which takes 10 ms to make."""

BEND_LOGITS: Final = 4.0
"""Distance from the centre, in logits of p, within which nodes lie evenly."""

CONVERGED: Final = 1e-14
"""Relative change at which the continued fraction has settled."""

LOG_SMALLEST: Final = -54.0 * float(np.log(2.0))
"""Logarithm of the smallest probability that a uniform can stand for."""


def zero_inflated_beta_quantile(u: FloatArray, *, alpha: float, beta: float, zero_ratio: float) -> FloatArray:
    """Return the quantiles of a Beta distribution of which a share is moved to 0.

    Parameters
    ----------
    u : shape (n,), ranks in [0, 1).
    alpha, beta : shapes of the Beta part.
    zero_ratio : weight of the point 0.

    Returns
    -------
    numpy.ndarray
        Shape (n,), in [0, 1]; never decreasing in `u`.

    Examples
    --------
    >>> ranks = np.array([0.1, 0.6])
    >>> zero_inflated_beta_quantile(ranks, alpha=1.0, beta=1.0, zero_ratio=0.2).round(6).tolist()
    [0.0, 0.5]
    """
    solvable = u >= zero_ratio
    ranks = (u[solvable] - zero_ratio) / (1.0 - zero_ratio)
    chances = np.zeros_like(u)
    chances[solvable] = beta_quantile(ranks, alpha=alpha, beta=beta)
    return chances


def beta_quantile(u: FloatArray, *, alpha: float, beta: float) -> FloatArray:
    """Return the quantiles of the Beta distribution.

    Parameters
    ----------
    u : shape (n,), ranks in [0, 1).
    alpha, beta : shapes a and b.

    Returns
    -------
    numpy.ndarray
        Shape (n,), in [0, 1].

    Examples
    --------
    >>> beta_quantile(np.array([0.25]), alpha=2.0, beta=1.0).round(6).tolist()
    [0.5]
    """
    ranks = np.clip(u, 2.0**-54, 1.0 - 2.0**-53)
    found = np.interp(np.log(ranks) - np.log1p(-ranks), *_table(alpha, beta))
    chances: FloatArray = np.exp(-np.logaddexp(0.0, -found))
    return chances


@lru_cache(maxsize=KEPT_TABLES)
def _table(a: float, b: float) -> tuple[FloatArray, FloatArray]:
    """Return the logits of I_x(a, b) and of x at the table's nodes, shape (`TABLE_NODES`,) each."""
    logits = _table_logits(a, b)
    log_below, log_above = _log_beta_tails(logits, a, b)
    odds = log_below - log_above
    for kept in (odds, logits):
        kept.setflags(write=False)
    return odds, logits


def _table_logits(a: float, b: float) -> FloatArray:
    """Return the logits of p at the table's nodes: close where the axes bend, far apart in the tails."""
    centre = float(np.log(a / b))
    ends = np.array([_tail_logit(a, b), -_tail_logit(b, a)])
    first, last = np.arcsinh((ends - centre) / BEND_LOGITS)
    nodes: FloatArray = centre + BEND_LOGITS * np.sinh(np.linspace(first, last, TABLE_NODES))
    return nodes


def _tail_logit(a: float, b: float) -> float:
    """Return a logit of p below which Beta(a, b) holds no more than the smallest probability.

    Not the largest such logit, only close enough to it that no nodes of the table are wasted.
    """
    low, high = -1.0, 40.0
    while _log_below(low, a, b) > LOG_SMALLEST:
        low *= 2.0
    for _ in range(10):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _log_below(middle, a, b) <= LOG_SMALLEST else (low, middle)
    return low


def _log_below(logit: float, a: float, b: float) -> float:
    """Return the logarithm of the probability that Beta(a, b) falls below `logit`."""
    return float(_log_beta_tails(np.array([logit]), a, b)[0][0])


def _log_beta_tails(logits: FloatArray, a: float, b: float) -> tuple[FloatArray, FloatArray]:
    """Return log I_x(a, b) and log(1 - I_x(a, b)) where `logits` holds the logit of x, shape (n,)."""
    log_x, log_1x = -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits)
    x = np.exp(log_x)
    lower = x < (a + 1.0) / (a + b + 2.0)  # where the fraction for I_x converges fast; else for 1 - I_x
    log_front = a * log_x + b * log_1x - (lgamma(a) + lgamma(b) - lgamma(a + b))
    near = np.empty_like(logits)
    near[lower] = log_front[lower] - np.log(a) + _log_fraction(x[lower], a, b)
    near[~lower] = log_front[~lower] - np.log(b) + _log_fraction(np.exp(log_1x[~lower]), b, a)
    near = np.minimum(near, -1e-300)
    far = np.log(-np.expm1(near))
    return np.where(lower, near, far), np.where(lower, far, near)


def _log_fraction(x: FloatArray, a: float, b: float) -> FloatArray:
    """Return log F with ``I_x(a, b) = x^a (1 - x)^b F / (a B(a, b))``, shape (n,) (DLMF 8.17.22)."""
    fraction, c, d = np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    change, n = np.full_like(x, np.inf), 0
    while bool(np.any(np.abs(change - 1.0) > CONVERGED)):  # after some sqrt(max(a, b)) terms
        n += 1
        m = n // 2
        numerator = m * (b - m) if n % 2 == 0 else -(a + m) * (a + b + m)
        term = numerator / ((a + n - 1.0) * (a + n)) * x
        d = 1.0 / (1.0 + term * d)
        c = 1.0 + term / c
        change = c * d
        fraction *= change
    return -np.log(fraction)
