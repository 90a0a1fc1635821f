"""Empirical lengths: measured values, or a histogram of them."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from simulator.frozen import Count, FrozenModel, Tokens
from workloads.task import Task

Bin = Annotated[tuple[Tokens, Count], Field(strict=False)]
"""Upper edge of a histogram bin (included), tokens, and the lengths counted in it."""


class EmpiricalLengths(FrozenModel):
    """Lengths resampled from measured ones.

    Give either `values` or `bins`.  A bin holds the lengths above the edge of the bin before it (0 for
    the first) up to its own edge, all equally likely.

    Examples
    --------
    >>> EmpiricalLengths(values=(300, 100, 200)).quantile(0.5, Task(0, 100, 0.5))
    200
    >>> EmpiricalLengths(bins=((100, 1), (300, 1))).quantile(0.75, Task(0, 100, 0.5))
    201
    """

    kind: Literal["empirical"] = Field(default="empirical", description="[-] Selects this model.")
    values: Annotated[tuple[Tokens, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="[tokens] Measured lengths, in any order."
    )
    bins: Annotated[tuple[Bin, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="[tokens, count] Histogram: upper edges, increasing, and counts."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.values is None) == (self.bins is None):
            msg = "give either values or bins"
            raise ValueError(msg)
        for lower, upper in pairwise(edge for edge, _ in self.bins or ()):
            if upper <= lower:
                msg = f"the edges of bins must increase, but {upper} follows {lower}"
                raise ValueError(msg)
        return self

    @cached_property
    def _sorted_values(self) -> tuple[int, ...]:
        return tuple(sorted(self.values or ()))

    @cached_property
    def _edges(self) -> tuple[int, ...]:
        """Edges of the bins, tokens, from the lower edge of the first."""
        return (0, *(edge for edge, _ in self.bins or ()))

    @cached_property
    def _cumulative(self) -> tuple[int, ...]:
        """Lengths counted up to each edge."""
        return tuple(accumulate((count for _, count in self.bins or ()), initial=0))

    def quantile(self, u: float, task: Task) -> int:
        """Return the measured length, or the place in its bin, at rank `u`, tokens."""
        del task  # one distribution for all
        if self.values is not None:
            return self._sorted_values[int(u * len(self._sorted_values))]
        rank = u * self._cumulative[-1]
        left = bisect_right(self._cumulative, rank) - 1
        lower, upper = self._edges[left], self._edges[left + 1]
        share = (rank - self._cumulative[left]) / (self._cumulative[left + 1] - self._cumulative[left])
        return lower + 1 + int(share * (upper - lower))

    def mean_tokens(self, task: Task, *, cap: int) -> float:
        """Return the mean of min(length, `cap`), tokens."""
        del task  # one distribution for all
        if self.values is not None:
            return sum(min(value, cap) for value in self.values) / len(self.values)
        total = sum(
            count * _capped_mean_of_range(lower + 1, upper, cap)
            for (lower, upper), (_, count) in zip(pairwise(self._edges), self.bins or (), strict=True)
        )
        return total / self._cumulative[-1]


def _capped_mean_of_range(first: int, last: int, cap: int) -> float:
    """Return the mean of min(x, `cap`) over the integers `first` to `last`."""
    below = max(0, min(last, cap) - first + 1)
    above = last - first + 1 - below
    return (below * (first + min(last, cap)) / 2.0 + above * cap) / (below + above)
