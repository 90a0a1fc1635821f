"""Lengths coupled to difficulty: models think longer about what they often get wrong."""

from __future__ import annotations

from math import exp
from typing import Literal

from pydantic import Field

from simulator.frozen import FrozenModel
from workloads.lengths.lognormal import (
    LogSigma,
    MedianTokens,
    lognormal_capped_mean,
    lognormal_quantile,
)
from workloads.task import Task


class DifficultyCoupledLengths(FrozenModel):
    """Lognormal with a median that grows as the solve probability p falls.

    The median of a task is ``median_tokens * exp(slope * (0.5 - p))``: a task that is never solved
    takes exp(slope) times as long as one that always is.

    Examples
    --------
    >>> lengths = DifficultyCoupledLengths(median_tokens=8000.0, log_sigma=0.4, slope=1.0)
    >>> [lengths.quantile(0.5, Task(0, 100, p)) for p in (1.0, 0.5, 0.0)]
    [4852, 8000, 13190]
    """

    kind: Literal["difficulty_coupled"] = Field(
        default="difficulty_coupled", description="[-] Selects this model."
    )
    median_tokens: MedianTokens = Field(description="[tokens] Median length where p is one half.")
    log_sigma: LogSigma = Field(description="[-] Standard deviation of the logarithm within a task.")
    slope: float = Field(ge=-5.0, le=5.0, description="[-] Log-ratio of the medians at p = 0 and p = 1.")

    def quantile(self, u: float, task: Task) -> int:
        """Return the quantile for the difficulty of `task`, whole tokens, at least 1."""
        return lognormal_quantile(u, self._median_tokens_of(task), self.log_sigma)

    def mean_tokens(self, task: Task, *, cap: int) -> float:
        """Return the mean of min(length, `cap`) for `task`, tokens; ignores rounding."""
        return lognormal_capped_mean(self._median_tokens_of(task), self.log_sigma, cap)

    def _median_tokens_of(self, task: Task) -> float:
        return self.median_tokens * exp(self.slope * (0.5 - task.solve_probability))
