"""The contexts of a decode batch, as attention sees them: integer totals for the coming steps.

An attention model never sees a list of sequences.  It asks a `Contexts` for totals over the batch
at each of the next steps, while every member grows by one token a step.  Two implementations answer:
`ContextArray` sums an explicit list (the oracle), `simulator.attention.aggregate.ContextAggregate`
keeps sufficient statistics.  Both are exact integers, so both engines see the same numbers.

The context of a sequence at a step is the number of tokens its query attends to, the token being
processed included.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from simulator.attention.work import IntTotals

Prefix: TypeAlias = Sequence[tuple[Hashable, int]]
"""Shared leading parts of a context: (key of the part, its tokens), outermost first."""


class Contexts(Protocol):
    """Totals over the batch for the coming steps: shape (steps,), a plain int for a single step."""

    def count(self) -> int:
        """Return the number of sequences."""
        ...

    def total(self, steps: int) -> IntTotals:
        """Return the sum of contexts."""
        ...

    def total_rounded(self, granule_tokens: int, steps: int) -> IntTotals:
        """Return the sum of contexts, each rounded up to whole granules, in granules."""
        ...

    def total_capped(self, cap_tokens: int, steps: int) -> IntTotals:
        """Return the sum of min(context, cap)."""
        ...

    def longest(self, steps: int) -> IntTotals:
        """Return the longest context; 0 without sequences."""
        ...

    def repeated_prefix_tokens(self) -> int:
        """Return the tokens of shared prefixes held by the batch beyond their first holder."""
        ...


class ContextArray:
    """Explicit contexts, summed literally: the oracle of `ContextAggregate`.

    Parameters
    ----------
    contexts : context of each sequence at the first coming step, tokens.
    prefixes : shared prefix of each sequence, or nothing where no prefix is shared.

    Examples
    --------
    >>> ContextArray([3, 10]).total(2).tolist()
    [13, 15]
    >>> ContextArray([3, 10]).total_capped(10, 2).tolist()
    [13, 14]
    """

    def __init__(self, contexts: Sequence[int], prefixes: Sequence[Prefix] = ()) -> None:
        self._contexts = list(contexts)
        self._prefixes = list(prefixes)

    def count(self) -> int:
        """Return the number of sequences."""
        return len(self._contexts)

    def _sums(self, size: Callable[[int], int], steps: int) -> IntTotals:
        sums = [sum(size(c + i) for c in self._contexts) for i in range(steps)]
        return sums[0] if steps == 1 else np.array(sums, dtype=np.int64)

    def total(self, steps: int) -> IntTotals:
        """Return the sum of contexts."""
        return self._sums(lambda context: context, steps)

    def total_rounded(self, granule_tokens: int, steps: int) -> IntTotals:
        """Return the sum of contexts, each rounded up to whole granules, in granules."""
        return self._sums(lambda context: -(-context // granule_tokens), steps)

    def total_capped(self, cap_tokens: int, steps: int) -> IntTotals:
        """Return the sum of min(context, cap)."""
        return self._sums(lambda context: min(context, cap_tokens), steps)

    def longest(self, steps: int) -> IntTotals:
        """Return the longest context; 0 without sequences."""
        longest = [max((c + i for c in self._contexts), default=0) for i in range(steps)]
        return longest[0] if steps == 1 else np.array(longest, dtype=np.int64)

    def repeated_prefix_tokens(self) -> int:
        """Return the tokens of shared prefixes held by the batch beyond their first holder."""
        seen: set[Hashable] = set()
        repeated = 0
        for prefix in self._prefixes:
            for key, tokens in prefix:
                if key in seen:
                    repeated += tokens
                seen.add(key)
        return repeated
