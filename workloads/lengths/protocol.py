"""The seam of a length model: how long a trial's text would be, which nobody knows beforehand."""

from __future__ import annotations

from typing import Final, Protocol

from workloads.task import Task

SMALLEST_U: Final = 2.0**-54
"""What a uniform of exactly 0 is read as: half the spacing of the generator's uniforms."""

LARGEST_U: Final = 1.0 - 2.0**-53
"""The largest uniform that the generator can give; its quantile is the longest length."""


class LengthModel(Protocol):
    """The distribution of the length of one whole trial, before any cap.

    Lengths are quantiles of uniforms rather than draws, so that two variants of a workload give the
    same node the same luck.
    """

    def quantile(self, u: float, task: Task) -> int:
        """Return the length that a share `u` in [0, 1) of `task`'s trials stays below or at, tokens.

        At least 1 and never decreasing in `u`.
        """
        ...

    def mean_tokens(self, task: Task, *, cap: int) -> float:
        """Return the mean of min(length, `cap`) over trials of `task`, tokens."""
        ...
