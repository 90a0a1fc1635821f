"""Sufficient statistics of a decode batch: totals for many coming steps without a list to walk.

A sequence that joins at step j with context c has the constant ``offset = c - j``; at step s its
context is ``s + offset``.  Every total that attention asks for follows from a few sums over offsets:

* total: ``n * s + sum(offset)``;
* rounded up to granules of g: a sequence enters a new granule when ``s + offset = 1 (mod g)``, so the
  growth is a periodic prefix sum over the counts of ``-offset mod g``;
* capped: count and offset sum of the members below the cap, with a heap of the steps at which
  they reach it;
* longest: the largest offset, from a heap in which those that left are struck off when they come up.

Joining and leaving cost O(log n); a window of k steps costs one short vector.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from heapq import heappop, heappush
from itertools import accumulate, takewhile
from typing import Final

import numpy as np

from simulator.attention.contexts import Prefix
from simulator.attention.work import IntTotals, IntVector

MAX_WINDOW_STEPS: Final = 1 << 16
"""Longest window of coming steps; bounds the vectors, costs nothing at this length."""

_RAMP: Final = np.arange(MAX_WINDOW_STEPS + 1, dtype=np.int64)


class GranuleCounts:
    """Sequences by the phase in which they enter a new granule of `granule_tokens`."""

    __slots__ = ("_doubled", "_granule", "_members", "_step", "units")

    def __init__(self, granule_tokens: int) -> None:
        self._granule = granule_tokens
        # Written twice in a row, so that a window of one period is a slice wherever it starts.
        self._doubled = [0] * (2 * granule_tokens)
        self._members = 0
        self._step = 0
        self.units = 0
        """Granules of all contexts at the coming step, each context rounded up."""

    def join(self, offset: int) -> None:
        """Count a sequence in."""
        granule, doubled = self._granule, self._doubled
        slot = -offset % granule
        doubled[slot] += 1
        doubled[slot + granule] += 1
        self._members += 1
        self.units -= -(self._step + offset) // granule

    def leave(self, offset: int) -> None:
        """Count a sequence out."""
        granule, doubled = self._granule, self._doubled
        slot = -offset % granule
        doubled[slot] -= 1
        doubled[slot + granule] -= 1
        self._members -= 1
        self.units += -(self._step + offset) // granule

    def advance(self, steps: int) -> None:
        """Let `steps` steps pass."""
        start = self._step % self._granule
        if steps == 1:
            self.units += self._doubled[start]
        else:
            whole, rest = divmod(steps, self._granule)
            self.units += whole * self._members + sum(self._doubled[start : start + rest])
        self._step += steps

    def entering(self) -> int:
        """Return how many sequences enter a new granule at the coming step."""
        return self._doubled[(self._step - 1) % self._granule]

    def steps_within(self, granules: int) -> int:
        """Return how many steps, the coming one included, pass until more than `granules` are entered.

        Those entered at the coming step do not count: they are accounted for when it starts.
        """
        if not self._members:
            return MAX_WINDOW_STEPS
        periods, rest = divmod(granules, self._members)
        start = self._step % self._granule
        entered = accumulate(self._doubled[start : start + self._granule])
        within = sum(1 for _ in takewhile(lambda total: total <= rest, entered))
        return 1 + periods * self._granule + within

    def growth(self, steps: int) -> tuple[int, int]:
        """Return how the granules grow over the coming `steps` steps, beyond those of the first.

        Returns
        -------
        tuple of int
            Granules entered until the last of the steps, and the sum over the steps of those entered by then.
        """
        periods, rest = divmod(steps - 1, self._granule)
        start = self._step % self._granule
        entered = list(accumulate(self._doubled[start : start + (self._granule if periods else rest)]))
        partial = entered[:rest]
        last = periods * self._members + (partial[-1] if partial else 0)
        # Whole periods: the q-th adds its own course on top of q earlier ones.
        whole = periods * sum(entered) + self._granule * self._members * (periods * (periods - 1) // 2)
        return last, whole + rest * periods * self._members + sum(partial)

    def _entries(self, steps: int) -> IntVector:
        granule = self._granule
        start = (self._step - 1) % granule
        period = self._doubled[start : start + min(steps, granule)]
        return np.array(period * -(-steps // granule), dtype=np.int64)[:steps]

    def total(self, steps: int) -> IntTotals:
        """Return the granules of all contexts at each coming step."""
        if steps == 1:
            return self.units
        growth = self._entries(steps)
        growth[0] = self.units
        return np.cumsum(growth, out=growth)


class StruckHeap:
    """Numbers in order, of which some are struck off before their turn and dropped when they come up."""

    __slots__ = ("_gone", "_heap")

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._gone: dict[int, int] = {}

    def push(self, number: int) -> None:
        """Put a number in."""
        heappush(self._heap, number)

    def strike(self, number: int) -> None:
        """Take one such number out, wherever it stands."""
        if self._heap[0] == number:
            heappop(self._heap)
        else:
            self._gone[number] = self._gone.get(number, 0) + 1

    def first(self) -> int | None:
        """Return the smallest number, or None where there is none."""
        heap, gone = self._heap, self._gone
        while gone and heap and (struck := gone.get(heap[0])):
            if struck == 1:
                del gone[heap[0]]
            else:
                gone[heap[0]] = struck - 1
            heappop(heap)
        return heap[0] if heap else None

    def pop(self) -> None:
        """Take out what `first` has just returned."""
        heappop(self._heap)


class CapCounts:
    """Sequences below a cap on the context, and when each reaches it."""

    __slots__ = ("_cap", "_members", "_offsets", "_reaching", "_step", "below")

    def __init__(self, cap_tokens: int) -> None:
        self._cap = cap_tokens
        self._reaching = StruckHeap()
        self._members = 0
        self._offsets = 0
        self._step = 0
        self.below = 0

    def join(self, offset: int) -> None:
        """Count a sequence in."""
        self._members += 1
        reaches = self._cap - offset
        if reaches > self._step:
            self.below += 1
            self._offsets += offset
            self._reaching.push(reaches)

    def leave(self, offset: int) -> None:
        """Count a sequence out."""
        self._members -= 1
        reaches = self._cap - offset
        if reaches > self._step:
            self.below -= 1
            self._offsets -= offset
            self._reaching.strike(reaches)

    def advance(self, steps: int) -> None:
        """Let `steps` steps pass; those that reach the cap leave the sum of offsets."""
        self._step += steps
        reaching = self._reaching
        while (reaches := reaching.first()) is not None and reaches <= self._step:
            reaching.pop()
            self.below -= 1
            self._offsets -= self._cap - reaches

    def linear_steps(self) -> int:
        """Return for how many coming steps no member passes the cap (totals stay linear)."""
        reaches = self._reaching.first()
        return MAX_WINDOW_STEPS if reaches is None else reaches - self._step + 1

    def total(self, steps: int) -> IntTotals:
        """Return the sum of min(context, cap); `steps` must not exceed `linear_steps`."""
        base = self.below * self._step + self._offsets + (self._members - self.below) * self._cap
        return base if steps == 1 else _RAMP[:steps] * self.below + base


class ContextAggregate:
    """The totals of `Contexts` from sufficient statistics.

    Parameters
    ----------
    granules : granule sizes that will be asked for, tokens.
    caps : caps that will be asked for, tokens.

    Examples
    --------
    >>> batch = ContextAggregate(granules=(16,), caps=())
    >>> offset = batch.join(20)
    >>> batch.total_rounded(16, 14).tolist()[-2:]
    [2, 3]
    """

    def __init__(self, *, granules: Iterable[int], caps: Iterable[int]) -> None:
        self.step = 0
        self._members = 0
        self._offsets = 0
        self._granules = {g: GranuleCounts(g) for g in granules}
        self._caps = {cap: CapCounts(cap) for cap in caps}
        self._all: list[GranuleCounts | CapCounts] = [*self._granules.values(), *self._caps.values()]
        # Negated, so that the largest offset comes first.
        self._negated = StruckHeap()
        self._holders: dict[Hashable, int] = {}
        self._repeated = 0

    def join(self, context: int, prefix: Prefix = (), budget_tokens: int | None = None) -> int:
        """Let a sequence with `context` at the coming step join; return its offset."""
        del budget_tokens  # all members are alike here; `BudgetAggregate` tells them apart
        offset = context - self.step
        self._members += 1
        self._offsets += offset
        self._negated.push(-offset)
        for counts in self._all:
            counts.join(offset)
        for key, tokens in prefix:
            holders = self._holders.get(key, 0)
            if holders:
                self._repeated += tokens
            self._holders[key] = holders + 1
        return offset

    def leave(self, offset: int, prefix: Prefix = (), budget_tokens: int | None = None) -> None:
        """Let the sequence that joined with `offset` leave."""
        del budget_tokens  # as above
        self._members -= 1
        self._offsets -= offset
        self._negated.strike(-offset)
        for counts in self._all:
            counts.leave(offset)
        for key, tokens in prefix:
            if self._holders[key] == 1:
                del self._holders[key]
            else:
                self._holders[key] -= 1
                self._repeated -= tokens

    def advance(self, steps: int) -> None:
        """Let `steps` steps pass: every member grows by as many tokens."""
        self.step += steps
        for counts in self._all:
            counts.advance(steps)

    def linear_steps(self) -> int:
        """Return the longest window that may be asked for."""
        steps = MAX_WINDOW_STEPS
        for cap in self._caps.values():
            steps = min(steps, cap.linear_steps())
        return steps

    def granules(self, granule_tokens: int) -> GranuleCounts:
        """Return the statistics behind one of the granule sizes."""
        return self._granules[granule_tokens]

    def count(self) -> int:
        """Return the number of sequences."""
        return self._members

    def total(self, steps: int) -> IntTotals:
        """Return the sum of contexts."""
        base = self._members * self.step + self._offsets
        return base if steps == 1 else _RAMP[:steps] * self._members + base

    def total_rounded(self, granule_tokens: int, steps: int) -> IntTotals:
        """Return the sum of contexts, each rounded up to whole granules, in granules."""
        return self._granules[granule_tokens].total(steps)

    def total_capped(self, cap_tokens: int, steps: int) -> IntTotals:
        """Return the sum of min(context, cap)."""
        return self._caps[cap_tokens].total(steps)

    def longest(self, steps: int) -> IntTotals:
        """Return the longest context; 0 without sequences."""
        negated = self._negated.first()
        if negated is None:
            return 0 if steps == 1 else _RAMP[:steps] * 0
        base = self.step - negated
        return base if steps == 1 else _RAMP[:steps] + base

    def repeated_prefix_tokens(self) -> int:
        """Return the tokens of shared prefixes held by the batch beyond their first holder."""
        return self._repeated
