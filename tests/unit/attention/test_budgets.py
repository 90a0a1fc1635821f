"""Sequences with KV budgets of their own do the work that each would do alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.attention import (
    BlockTopKAttention,
    ContextArray,
    DenseAttention,
    SlidingWindowAttention,
    TopKAttention,
)
from simulator.attention.aggregate import MAX_WINDOW_STEPS
from simulator.attention.budgets import (
    BudgetAggregate,
    Kind,
    kinds_by_budget,
    mixed_work,
    own_budget,
    with_budget,
)
from simulator.attention.work import AttentionWork
from simulator.errors import ScenarioError

BUDGETS = (16, 48)
SPARSE = (TopKAttention(kv_budget_tokens=32), BlockTopKAttention(kv_budget_tokens=32, block_tokens=8))
sparse = pytest.mark.parametrize("attention", SPARSE, ids=lambda kind: kind.kind)
members = st.lists(st.tuples(st.integers(1, 90), st.sampled_from([None, *BUDGETS])), min_size=1, max_size=8)


def literal(attention: Kind, batch: list[tuple[int, int | None]], step: int) -> tuple[int, ...]:
    """Return attended tokens, entries and longest read of a step, sequence by sequence."""
    kinds = kinds_by_budget(attention, BUDGETS)
    alone = [kinds[budget].step_work(ContextArray([context + step]), 1) for context, budget in batch]
    attended = [int(work.attended_tokens) for work in alone]
    entries = [int(work.index_entries or 0) for work in alone]
    return sum(attended), sum(entries), max(attended)


def shown(work: AttentionWork, step: int) -> tuple[int, ...]:
    totals = [0 if part is None else part for part in work]
    attended, read, entries, longest = (n if isinstance(n, int) else int(n[step]) for n in totals)
    assert attended == read
    return attended, entries, longest


@sparse
@given(batch=members)
def test_the_work_of_mixed_budgets_is_the_sum_of_each_sequence_alone(
    attention: Kind, batch: list[tuple[int, int | None]]
) -> None:
    mixed = BudgetAggregate(attention, BUDGETS, granules=(4,))
    for context, budget in batch:
        mixed.join(context, (), budget)
    steps = min(mixed.linear_steps(), 60)
    work = mixed.work(steps)
    for step in (0, steps // 2, steps - 1):
        assert shown(work, step) == literal(attention, batch, step)
    assert shown(mixed.work(1), 0) == literal(attention, batch, 0)


@sparse
@given(batch=members, steps=st.integers(1, 40), leaving=st.integers(0, 7))
def test_what_has_left_or_passed_its_cap_is_counted_right(
    attention: Kind, batch: list[tuple[int, int | None]], steps: int, leaving: int
) -> None:
    mixed = BudgetAggregate(attention, BUDGETS, granules=(4,))
    offsets = [mixed.join(context, (), budget) for context, budget in batch]
    mixed.advance(steps)
    left = leaving % len(batch)
    mixed.leave(offsets[left], (), batch[left][1])
    late = (7, BUDGETS[0])  # joins later: classes that were empty count from the same step
    mixed.join(late[0], (), late[1])
    now = [(context + steps, budget) for place, (context, budget) in enumerate(batch) if place != left]
    assert shown(mixed.work(1), 0) == literal(attention, [*now, late], 0)
    assert mixed.count() == len(now) + 1


@given(batch=members)
def test_a_window_ends_where_the_first_member_reaches_the_cap_of_its_class(
    batch: list[tuple[int, int | None]],
) -> None:
    mixed = BudgetAggregate(SPARSE[0], BUDGETS, granules=(4,))
    for context, budget in batch:
        mixed.join(context, (), budget)
    ends = [(budget or 32) - context + 1 for context, budget in batch if context < (budget or 32)]
    assert mixed.linear_steps() == min(ends, default=MAX_WINDOW_STEPS)


def test_without_members_there_is_no_work() -> None:
    kinds = kinds_by_budget(SPARSE[1], BUDGETS)
    contexts = {budget: ContextArray([]) for budget in kinds}
    assert mixed_work(kinds, contexts, 1)[:2] == (0, 0)


def test_equal_budgets_are_the_attention_with_that_budget() -> None:
    mixed = BudgetAggregate(SPARSE[1], BUDGETS, granules=())
    for context in (5, 47, 300):
        mixed.join(context, (), 48)
    expected = with_budget(SPARSE[1], 48).step_work(ContextArray([5, 47, 300]), 1)
    assert mixed.work(1) == expected


@pytest.mark.parametrize("attention", [DenseAttention(), SlidingWindowAttention(window_tokens=64)])
def test_attention_without_a_budget_is_refused(attention: Kind) -> None:
    assert own_budget(attention) is None
    message = f"attention {attention.kind} has no KV budget; allowed: topk, block_topk"
    with pytest.raises(ScenarioError, match=message):
        with_budget(attention, 64)


def test_budgets_are_whole_blocks() -> None:
    assert own_budget(with_budget(SPARSE[1], 24)) == 24
    with pytest.raises(ScenarioError, match="20 is not a whole number of blocks of 8 tokens; nearest: 16"):
        with_budget(SPARSE[1], 20)
