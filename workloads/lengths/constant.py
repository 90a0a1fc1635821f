"""Constant lengths: every trial writes as much; what throughput benchmarks assume."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.frozen import FrozenModel, Tokens
from workloads.task import Task


class ConstantLengths(FrozenModel):
    """Every trial has the same length.

    Examples
    --------
    >>> ConstantLengths(tokens=2048).quantile(0.3, Task(0, 100, 0.5))
    2048
    """

    kind: Literal["constant"] = Field(default="constant", description="[-] Selects this model.")
    tokens: Tokens = Field(description="[tokens] Length of every trial.")

    def quantile(self, u: float, task: Task) -> int:
        """Return `tokens`."""
        del u, task  # all alike
        return self.tokens

    def mean_tokens(self, task: Task, *, cap: int) -> float:
        """Return the smaller of `tokens` and `cap`."""
        del task  # all alike
        return float(min(self.tokens, cap))
