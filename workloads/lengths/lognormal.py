"""Lognormal lengths: the usual shape of reasoning traces, a long tail to the right."""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist
from typing import Annotated, Final, Literal

from pydantic import Field

from simulator.frozen import FrozenModel
from workloads.lengths.protocol import SMALLEST_U
from workloads.task import Task

MedianTokens = Annotated[float, Field(ge=1.0, le=1e7)]
"""Median of a length, tokens; real-valued, because it is fitted."""

LogSigma = Annotated[float, Field(ge=0.0, le=4.0)]
"""Standard deviation of the natural logarithm of a length."""

STANDARD_NORMAL: Final = NormalDist()

normal_quantile = STANDARD_NORMAL.inv_cdf
"""Quantile function of the standard normal distribution, for ranks in (0, 1)."""


class LognormalLengths(FrozenModel):
    """The logarithm of the length is normal: ``median_tokens * exp(log_sigma * z)``, rounded.

    Examples
    --------
    >>> lengths = LognormalLengths(median_tokens=8000.0, log_sigma=0.5)
    >>> lengths.quantile(0.5, Task(0, 100, 0.5))
    8000
    """

    kind: Literal["lognormal"] = Field(default="lognormal", description="[-] Selects this model.")
    median_tokens: MedianTokens = Field(description="[tokens] Median length (exp of the mean logarithm).")
    log_sigma: LogSigma = Field(description="[-] Standard deviation of the natural logarithm.")

    def quantile(self, u: float, task: Task) -> int:
        """Return the quantile, rounded to whole tokens and at least 1."""
        del task  # one distribution for all
        return lognormal_quantile(u, self.median_tokens, self.log_sigma)

    def mean_tokens(self, task: Task, *, cap: int) -> float:
        """Return the mean of min(length, `cap`), tokens; ignores rounding."""
        del task  # one distribution for all
        return lognormal_capped_mean(self.median_tokens, self.log_sigma, cap)


def lognormal_quantile(u: float, median_tokens: float, log_sigma: float) -> int:
    """Return the `u`-quantile of a lognormal length, whole tokens, at least 1.

    Examples
    --------
    >>> lognormal_quantile(0.0, 100.0, 0.0)
    100
    """
    z = normal_quantile(max(SMALLEST_U, u))
    return round(median_tokens * exp(log_sigma * z)) or 1


def lognormal_capped_mean(median_tokens: float, log_sigma: float, cap: int) -> float:
    """Return the mean of min(X, `cap`) for a lognormal X, tokens.

    ``m exp(s^2 / 2) Phi(a - s) + c (1 - Phi(a))`` with ``a = ln(c / m) / s``: the partial expectation
    of the lognormal below the cap plus the cap for what lies above.

    Examples
    --------
    >>> round(lognormal_capped_mean(1000.0, 0.5, 10**7), 1) == round(1000.0 * exp(0.125), 1)
    True
    """
    if log_sigma == 0.0:
        return min(median_tokens, float(cap))
    a = log(cap / median_tokens) / log_sigma
    below = median_tokens * exp(log_sigma**2 / 2.0) * STANDARD_NORMAL.cdf(a - log_sigma)
    return below + cap * (1.0 - STANDARD_NORMAL.cdf(a))
