"""The contexts of a batch of which only sums are known: one is the longest, all others are alike.

Where no single context matters (dense attention) sums are exact. A window reads min(context, window) of each:
exact too where all contexts are shorter than the window or all are longer; between them this reads too much,
because what a sequence has beyond the window cannot stand in for what another lacks of it. How much is in
docs/calibration.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.attention import ContextArray
from simulator.attention.work import IntTotals


class ToldContexts(ContextArray):
    """`simulator.attention.Contexts` of a batch from its sums.

    Parameters
    ----------
    sequences : how many there are.
    total_tokens : their contexts, summed.
    longest_tokens : of the longest context; 0: not told, all are alike.

    Examples
    --------
    >>> batch = ToldContexts(3, 1000, 600)
    >>> batch.total(1), batch.longest(1), batch.total_capped(300, 1)
    (1000, 600, 700)
    """

    def __init__(self, sequences: int, total_tokens: int, longest_tokens: int = 0) -> None:
        super().__init__(())
        first = [(longest_tokens, 1)] if longest_tokens and sequences else []
        self._groups = [*first, *even_parts(total_tokens - sum(t for t, _ in first), sequences - len(first))]

    def count(self) -> int:
        """Return the number of sequences."""
        return sum(many for _, many in self._groups)

    def _sums(self, size: Callable[[int], int], steps: int) -> IntTotals:
        sums = [sum(many * size(tokens + i) for tokens, many in self._groups) for i in range(steps)]
        return sums[0] if steps == 1 else np.array(sums, dtype=np.int64)

    def longest(self, steps: int) -> IntTotals:
        """Return the longest context; 0 without sequences."""
        longest = [max((tokens + i for tokens, _ in self._groups), default=0) for i in range(steps)]
        return longest[0] if steps == 1 else np.array(longest, dtype=np.int64)


def even_parts(tokens: int, parts: int) -> list[tuple[int, int]]:
    """Return whole parts that are as equal as can be: the tokens of a part, and how many are so.

    Examples
    --------
    >>> even_parts(11, 3), even_parts(8, 2), even_parts(0, 0)
    ([(4, 2), (3, 1)], [(4, 2)], [])
    """
    if not parts:
        return []
    each, more = divmod(tokens, parts)
    return [(size, many) for size, many in ((each + 1, more), (each, parts - more)) if many]
