"""Batches whose sequences have KV budgets of their own (``docs/decisions/0013-kv-budgets-per-request.md``).

A strategy may give a node another budget than the scenario's attention has.  The sequences of one budget
are then a class; the work of a step is the sum over the classes of what each would do alone, and its
longest read the longest of any.  Members of all classes grow by one token a step, so a window in which
every class stays linear is exact for the sum.

Not modelled: what a kernel loses where the sequences of one launch select different numbers of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from simulator.attention.aggregate import ContextAggregate
from simulator.attention.block_topk import BlockTopKAttention
from simulator.attention.contexts import Contexts, Prefix
from simulator.attention.dense import DenseAttention
from simulator.attention.sliding_window import SlidingWindowAttention
from simulator.attention.topk import TopKAttention
from simulator.attention.work import AttentionWork, IntTotals
from simulator.errors import ScenarioError

Kind = DenseAttention | TopKAttention | BlockTopKAttention | SlidingWindowAttention


def own_budget(attention: Kind) -> int | None:
    """Return the KV budget of an attention, tokens; None for one that has none.

    Examples
    --------
    >>> own_budget(TopKAttention(kv_budget_tokens=64)), own_budget(DenseAttention())
    (64, None)
    """
    if isinstance(attention, TopKAttention | BlockTopKAttention):
        return attention.kv_budget_tokens
    return None


def with_budget(attention: Kind, budget_tokens: int) -> TopKAttention | BlockTopKAttention:
    """Return `attention` with another KV budget.

    Raises
    ------
    ScenarioError
        If it has no budget, or the budget is not whole blocks; says what is allowed.

    Examples
    --------
    >>> with_budget(TopKAttention(kv_budget_tokens=64), 128).kv_budget_tokens
    128
    """
    if isinstance(attention, TopKAttention):
        return TopKAttention(kv_budget_tokens=budget_tokens)
    if not isinstance(attention, BlockTopKAttention):
        message = f"attention {attention.kind} has no KV budget; allowed: topk, block_topk"
        raise ScenarioError(message)
    block = attention.block_tokens
    if budget_tokens % block:
        nearest = max(1, round(budget_tokens / block)) * block
        message = f"{budget_tokens} is not a whole number of blocks of {block} tokens; nearest: {nearest}"
        raise ScenarioError(message)
    return BlockTopKAttention(kv_budget_tokens=budget_tokens, block_tokens=block)


def kinds_by_budget(attention: Kind, budgets_tokens: Iterable[int]) -> dict[int | None, Kind]:
    """Return the attention of each class: None for the scenario's own budget, then `budgets_tokens`."""
    return {None: attention} | {budget: with_budget(attention, budget) for budget in budgets_tokens}


def mixed_work(
    kinds: Mapping[int | None, Kind], contexts: Mapping[int | None, Contexts], steps: int
) -> AttentionWork:
    """Return the work of each of the coming `steps` decode steps over all classes.

    Parameters
    ----------
    kinds, contexts : the attention and the members of each class; some class has members, or steps is 1.
    steps : coming steps; no member passes a cap of its class within them.
    """
    parts = [kinds[budget].step_work(part, steps) for budget, part in contexts.items() if part.count()]
    if len(parts) == 1:
        return parts[0]
    attended = _added([part.attended_tokens for part in parts])
    read = _added([part.read_tokens for part in parts])
    entries = [part.index_entries for part in parts if part.index_entries is not None]
    longest: IntTotals = 0
    for part in parts:
        longest = _longer(longest, part.longest_tokens)
    return AttentionWork(attended, read, _added(entries) if entries else None, longest)


def _added(totals: list[IntTotals]) -> IntTotals:
    added: IntTotals = 0
    for one in totals:
        added = added + one
    return added


def _longer(one: IntTotals, other: IntTotals) -> IntTotals:
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    return np.maximum(one, other)


class BudgetAggregate(ContextAggregate):
    """The totals of a whole batch, and beside them those of each class of KV budgets.

    Parameters
    ----------
    attention : the scenario's, for members without a budget of their own.
    budgets_tokens : budgets that members may have, tokens.
    granules : granule sizes that will be asked for over the whole batch, tokens.

    Examples
    --------
    >>> batch = BudgetAggregate(TopKAttention(kv_budget_tokens=10), (4,), granules=())
    >>> _ = batch.join(20), batch.join(20, (), 4)
    >>> batch.work(1).attended_tokens
    14
    """

    def __init__(self, attention: Kind, budgets_tokens: Iterable[int], *, granules: Iterable[int]) -> None:
        super().__init__(granules=granules, caps=())
        self._kinds = kinds_by_budget(attention, budgets_tokens)
        self._parts = {
            budget: ContextAggregate(granules=kind.granules, caps=kind.caps)
            for budget, kind in self._kinds.items()
        }

    def join(self, context: int, prefix: Prefix = (), budget_tokens: int | None = None) -> int:
        """Let a sequence join the whole and its class; return its offset, the same in both."""
        self._parts[budget_tokens].join(context)
        return super().join(context, prefix)

    def leave(self, offset: int, prefix: Prefix = (), budget_tokens: int | None = None) -> None:
        """Let the sequence that joined with `offset` leave the whole and its class."""
        self._parts[budget_tokens].leave(offset)
        super().leave(offset, prefix)

    def advance(self, steps: int) -> None:
        """Let `steps` steps pass, for empty classes too: offsets count from one step for all."""
        super().advance(steps)
        for part in self._parts.values():
            part.advance(steps)

    def linear_steps(self) -> int:
        """Return the longest window in which no member passes the cap of its class."""
        return min(part.linear_steps() for part in self._parts.values())

    def work(self, steps: int) -> AttentionWork:
        """Return the attention work of each of the coming `steps` decode steps."""
        return mixed_work(self._kinds, self._parts, steps)
