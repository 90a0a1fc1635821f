"""Confidence intervals: proportions, means over seeds, paired comparisons, one long run.

Seeds are independent repetitions; variants share their seeds (common random numbers), so they are
compared seed by seed.  Ignored: corrections for looking at many metrics at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist, fmean, stdev
from typing import Final

CONVERGED: Final = 1e-15
"""Relative change at which the continued fraction has converged."""

MAX_TERMS: Final = 10_000
"""Terms of the continued fraction; it needs about sqrt(max(a, b)) of them."""

TINY: Final = 1e-300
"""Stands in for zero in the continued fraction (modified Lentz)."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and how far it may be off.

    Parameters
    ----------
    estimate : the value itself.
    low, high : bounds of the confidence interval; None where `samples` cannot give one.
    samples : independent values behind it.
    method : how the bounds were found.
    """

    estimate: float
    low: float | None
    high: float | None
    samples: int
    method: str

    def to_dict(self) -> dict[str, float | int | str | None]:
        """Return the fields as plain values for JSON."""
        return {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "samples": self.samples,
            "method": self.method,
        }

    def holds(self, value: float) -> bool:
        """Say whether `value` lies between the bounds; False where there are none."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function (modified Lentz)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > TINY else TINY)
    value = d
    for m in range(1, MAX_TERMS):
        change = 1.0
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > TINY else TINY)
            c = 1.0 + numerator / c
            c = c if abs(c) > TINY else TINY
            change = c * d
            value *= change
        if abs(change - 1.0) < CONVERGED:
            break
    return value


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    Parameters
    ----------
    x : in [0, 1].
    a, b : positive parameters.

    Notes
    -----
    Continued fraction DLMF 8.17.22, on the side of the mean where it converges fast.

    Examples
    --------
    >>> round(incomplete_beta(0.25, 1.0, 2.0), 12)  # 1 - (1 - x)**2
    0.4375
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1.0 - x, b, a) / b


def student_t_upper_tail(t: float, degrees: int) -> float:
    """Return P(T > t) of Student's t with `degrees` degrees of freedom, for t >= 0."""
    return 0.5 * incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)


@lru_cache(maxsize=256)
def student_t_quantile(confidence: float, degrees: int) -> float:
    """Return the t that a two-sided interval of `confidence` reaches to.

    Parameters
    ----------
    confidence : level in (0, 1), for example 0.95.
    degrees : degrees of freedom, at least 1.

    Raises
    ------
    ValueError
        If `confidence` is outside (0, 1) or `degrees` below 1.

    Examples
    --------
    >>> round(student_t_quantile(0.95, 4), 3)
    2.776
    """
    if not 0.0 < confidence < 1.0 or degrees < 1:
        message = f"needs 0 < confidence < 1 and degrees >= 1, got {confidence} and {degrees}"
        raise ValueError(message)
    tail = (1.0 - confidence) / 2.0
    low, high = 0.0, 1.0
    while student_t_upper_tail(high, degrees) > tail:
        low, high = high, 2.0 * high
    while (middle := (low + high) / 2.0) not in {low, high}:
        if student_t_upper_tail(middle, degrees) > tail:
            low = middle
        else:
            high = middle
    return high


def wilson(successes: float, trials: int, confidence: float) -> Interval:
    """Return the Wilson score interval of a proportion.

    Parameters
    ----------
    successes : number of successes; or, for values in [0, 1] instead of yes and no, their sum.
    trials : number of trials, at least 1.
    confidence : level in (0, 1).

    Raises
    ------
    ValueError
        If not ``0 <= successes <= trials`` or there are no trials.

    Notes
    -----
    E. B. Wilson, JASA 22 (1927) 209.  A value in [0, 1] with mean p varies at most as a yes or no with
    chance p does, so the interval of a mean of such values is conservative.

    Examples
    --------
    >>> i = wilson(0, 10, 0.95)
    >>> i.low, round(i.high, 4)
    (0.0, 0.2775)
    """
    if trials < 1 or not 0 <= successes <= trials:
        message = f"{successes} successes of {trials} trials"
        raise ValueError(message)
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    p, shrink = successes / trials, z * z / trials
    middle = (p + shrink / 2.0) / (1.0 + shrink)
    reach = z / (1.0 + shrink) * sqrt(p * (1.0 - p) / trials + shrink / (4.0 * trials))
    low = 0.0 if successes == 0 else max(0.0, middle - reach)
    high = 1.0 if successes == trials else min(1.0, middle + reach)
    return Interval(p, low, high, trials, "wilson")


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Return the mean of independent `values` with Student's interval; one value has no bounds.

    Raises
    ------
    ValueError
        If there are no values.
    """
    if not values:
        message = "the mean of no values"
        raise ValueError(message)
    mean = fmean(values)
    if len(values) == 1:
        return Interval(mean, None, None, 1, "one value")
    reach = student_t_quantile(confidence, len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(mean, mean - reach, mean + reach, len(values), "t over seeds")


def _paired(first: Sequence[float], second: Sequence[float]) -> list[tuple[float, float]]:
    if len(first) != len(second):
        message = f"pairs need equal numbers of seeds, got {len(first)} and {len(second)}"
        raise ValueError(message)
    return list(zip(first, second, strict=True))


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float) -> Interval:
    """Return the mean of ``second - first`` over common seeds, with its interval.

    Raises
    ------
    ValueError
        If the numbers of seeds differ or are zero.

    Examples
    --------
    >>> paired_difference([1.0, 2.0], [2.0, 3.0], 0.95).low
    1.0
    """
    return t_interval([b - a for a, b in _paired(first, second)], confidence)


def paired_ratio(first: Sequence[float], second: Sequence[float], confidence: float) -> Interval | None:
    """Return the geometric mean of ``second / first`` over common seeds, with its interval.

    The interval is Student's on the logarithms, so it turns over with the ratio.

    Returns
    -------
    Interval or None
        None where a value is not positive: the ratio is not defined.

    Raises
    ------
    ValueError
        If the numbers of seeds differ or are zero.
    """
    pairs = _paired(first, second)
    if any(not (0.0 < a < inf and 0.0 < b < inf) for a, b in pairs):
        return None
    logs = t_interval([log(b) - log(a) for a, b in pairs], confidence)
    if logs.low is None or logs.high is None:
        return Interval(exp(logs.estimate), None, None, logs.samples, logs.method)
    return Interval(
        exp(logs.estimate), exp(logs.low), exp(logs.high), logs.samples, "t of log ratio over seeds"
    )


def batch_means(counts: Sequence[int], seconds: float, confidence: float) -> Interval | None:
    """Return a rate with an interval from a single stationary run, by batch means.

    Parameters
    ----------
    counts : events in equal, consecutive parts ("batches") of the run.
    seconds : length of one part, s, positive.
    confidence : level in (0, 1).

    Returns
    -------
    Interval or None
        None with fewer than two parts.

    Notes
    -----
    The parts are taken as independent (Law, Simulation Modeling and Analysis, section 9.5.3), so each
    should last several task times; a run that fills and drains is not stationary and has no such interval.
    """
    if len(counts) < 2:  # noqa: PLR2004 - a variance needs two values
        return None
    mean = t_interval([count / seconds for count in counts], confidence)
    low = None if mean.low is None else max(0.0, mean.low)
    return Interval(mean.estimate, low, mean.high, mean.samples, "batch means")
