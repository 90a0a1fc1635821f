"""How wrong trials spread over wrong answers; decides how often a majority vote is right."""

from __future__ import annotations

from functools import cached_property
from math import log, log1p

from pydantic import Field

from simulator.frozen import FrozenModel


class WrongAnswers(FrozenModel):
    """Each task has `count` wrong answers, the next always `popularity_ratio` times as popular.

    Answer k in 1..count has a share proportional to ``popularity_ratio**(k - 1)`` of the wrong trials.
    A majority vote over many trials is right when p exceeds ``(1 - p) * share of answer 1``.

    Assumed, not measured: with the defaults the most popular wrong answer holds 30 % of the wrong
    trials, so the limit of a vote is a task with p = 0.23.

    Examples
    --------
    >>> wrong = WrongAnswers(count=3, popularity_ratio=0.5)
    >>> [wrong.quantile(u) for u in (0.0, 0.57, 0.58, 0.99)]
    [1, 1, 2, 3]
    """

    count: int = Field(default=20, ge=1, le=1_000_000, description="[answers] Distinct wrong answers.")
    popularity_ratio: float = Field(
        default=0.7,
        gt=0.0,
        le=1.0,
        description="[-] Popularity of a wrong answer over that of the next more popular one.",
    )

    @cached_property
    def _weight(self) -> float:
        """Popularity of the `count` answers, of which an endless series would have 1."""
        return float(1.0 - self.popularity_ratio**self.count)

    @cached_property
    def _log_ratio(self) -> float:
        return log(self.popularity_ratio)

    def quantile(self, u: float) -> int:
        """Return the wrong answer at rank `u` in [0, 1), from 1 (the most popular) to `count`."""
        if self.popularity_ratio == 1.0:
            return 1 + int(u * self.count)
        # The first k answers weigh 1 - ratio^k of the endless series; solved for k.
        return min(self.count, 1 + int(log1p(-u * self._weight) / self._log_ratio))
