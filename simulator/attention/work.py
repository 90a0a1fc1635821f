"""What one decode step asks of attention, in whole tokens, for each of the coming steps.

Counts stay integers until a latency model turns them into seconds: sums over a run are then exact
and do not depend on how steps were grouped (``docs/decisions/0007-records-are-integers.md``).
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntVector: TypeAlias = NDArray[np.int64]
FloatVector: TypeAlias = NDArray[np.floating[Any]]

IntTotals: TypeAlias = IntVector | int
"""One whole number for each coming step, shape (steps,); a plain int where a single step is asked for,
which saves the cost of an array in the many single steps with prefill."""

Seconds: TypeAlias = FloatVector | float
"""One duration for each coming step, s; a plain float where a single step is asked for."""


class AttentionWork(NamedTuple):
    """Integer work of the batch's attention at each coming step, in every layer.

    Where layers differ, summed over the group of layers that repeats (`layers_per_count` of the kind).

    Parameters
    ----------
    attended_tokens : query-key pairs computed, summed over the batch; each costs
        ``4 * query_heads * head_dim`` FLOPs per layer (scores and values).
    read_tokens : tokens whose keys and values are read from HBM.
    index_entries : selection keys scored and read (one per KV block for block top-k), or None for
        attention that selects nothing; each costs ``2 * query_heads * head_dim`` FLOPs per layer.
    longest_tokens : tokens read by the sequence that reads most: kernels give each sequence few thread
        blocks, so one long context can outlast the rest of the batch. 0: not told, none outlasts.
    """

    attended_tokens: IntTotals
    read_tokens: IntTotals
    index_entries: IntTotals | None = None
    longest_tokens: IntTotals = 0


def causal_pairs(past: int, new: int) -> int:
    """Return the query-key pairs of `new` tokens after `past` cached ones, each attending to all before it.

    Examples
    --------
    >>> causal_pairs(10, 3)
    36
    """
    return new * past + new * (new + 1) // 2


def at_most(totals: IntTotals, cap: int) -> IntTotals:
    """Return the smaller of each number and `cap`.

    Examples
    --------
    >>> at_most(7, 5), at_most(np.array([4, 5, 6]), 5).tolist()
    (5, [4, 5, 5])
    """
    return min(totals, cap) if isinstance(totals, int) else np.minimum(totals, cap)
