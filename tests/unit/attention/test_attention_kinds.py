"""Work of a step and of a prefill chunk, of every kind, against sums over literal sets of keys."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.attention import (
    Attention,
    AttentionWork,
    BlockTopKAttention,
    ContextArray,
    DenseAttention,
    SlidingWindowAttention,
    TopKAttention,
)
from simulator.attention.work import IntTotals

batches = st.lists(st.integers(1, 120), min_size=1, max_size=6)
budgets = st.integers(1, 70)
steps_asked = st.integers(1, 20)


def per_step(work: AttentionWork) -> list[tuple[int, int, int | None]]:
    """Return (attended, read, index entries) of each step."""

    def column(totals: IntTotals) -> list[int]:
        return [int(total) for total in np.atleast_1d(totals)]

    attended, read = column(work.attended_tokens), column(work.read_tokens)
    entries = [None] * len(read) if work.index_entries is None else column(work.index_entries)
    return list(zip(attended, read, entries, strict=True))


def window_keys(context: int, window: int, sinks: int) -> int:
    """Return how many keys are among the last `window` or the first `sinks` of a context."""
    return len({key for key in range(context) if key >= context - window or key < sinks})


@given(contexts=batches, steps=steps_asked)
def test_dense_attends_to_and_reads_every_token(contexts: list[int], steps: int) -> None:
    expected = [(sum(c + i for c in contexts),) * 2 + (None,) for i in range(steps)]
    assert per_step(DenseAttention().step_work(ContextArray(contexts), steps)) == expected


@given(own=st.lists(st.integers(1, 50), min_size=1, max_size=5), prompt=st.integers(1, 60), steps=steps_asked)
def test_a_family_reads_its_prompt_once_but_attends_to_it_in_every_trial(
    own: list[int], prompt: int, steps: int
) -> None:
    kind = DenseAttention(prefix_reads="once_per_family")
    contexts = ContextArray([prompt + n for n in own], [((("t", 0), prompt),)] * len(own))
    expected = [
        (sum(prompt + n + i for n in own), prompt + sum(n + i for n in own), None) for i in range(steps)
    ]
    assert per_step(kind.step_work(contexts, steps)) == expected


@given(contexts=batches, budget=budgets, steps=steps_asked)
def test_topk_attends_to_the_budget_at_most(contexts: list[int], budget: int, steps: int) -> None:
    best = [sum(len(range(c + i)[:budget]) for c in contexts) for i in range(steps)]
    work = TopKAttention(kv_budget_tokens=budget).step_work(ContextArray(contexts), steps)
    assert per_step(work) == [(n, n, None) for n in best]


@given(contexts=batches, blocks=st.integers(1, 6), size=st.sampled_from([1, 2, 5, 16]), steps=steps_asked)
def test_block_topk_scores_every_block_and_attends_to_the_budget(
    contexts: list[int], blocks: int, size: int, steps: int
) -> None:
    kind = BlockTopKAttention(kv_budget_tokens=blocks * size, block_tokens=size)
    expected = []
    for i in range(steps):
        attended = sum(len(range(c + i)[: blocks * size]) for c in contexts)
        expected.append((attended, attended, sum(len(range(0, c + i, size)) for c in contexts)))
    assert per_step(kind.step_work(ContextArray(contexts), steps)) == expected


@given(contexts=batches, window=budgets, sinks=st.integers(0, 9), steps=steps_asked)
def test_a_sliding_window_attends_to_the_union_of_window_and_sinks(
    contexts: list[int], window: int, sinks: int, steps: int
) -> None:
    kind = SlidingWindowAttention(window_tokens=window, sink_tokens=sinks)
    keys = [sum(window_keys(c + i, window, sinks) for c in contexts) for i in range(steps)]
    assert per_step(kind.step_work(ContextArray(contexts), steps)) == [(n, n, None) for n in keys]


@pytest.mark.parametrize(
    "kind",
    [
        DenseAttention(),
        TopKAttention(kv_budget_tokens=4),
        BlockTopKAttention(kv_budget_tokens=4, block_tokens=2),
    ],
    ids=lambda kind: kind.kind,
)
@given(past=st.integers(0, 90), new=st.integers(0, 90))
def test_prefill_is_causal_and_dense(kind: Attention, past: int, new: int) -> None:
    assert kind.prefill_attended_tokens(past, new) == sum(past + i for i in range(1, new + 1))


@given(past=st.integers(0, 90), new=st.integers(0, 90), window=budgets, sinks=st.integers(0, 9))
def test_a_sliding_window_holds_in_prefill_too(past: int, new: int, window: int, sinks: int) -> None:
    kind = SlidingWindowAttention(window_tokens=window, sink_tokens=sinks)
    literal = sum(window_keys(past + i, window, sinks) for i in range(1, new + 1))
    assert kind.prefill_attended_tokens(past, new) == literal


@given(contexts=batches, window=budgets, sinks=st.integers(0, 9), every=st.integers(2, 5), steps=steps_asked)
def test_a_window_in_one_layer_of_some_is_summed_with_the_other_layers(
    contexts: list[int], window: int, sinks: int, every: int, steps: int
) -> None:
    kind = SlidingWindowAttention(window_tokens=window, sink_tokens=sinks, window_every=every)
    keys = [
        sum(window_keys(c + i, window, sinks) + (every - 1) * (c + i) for c in contexts) for i in range(steps)
    ]
    assert per_step(kind.step_work(ContextArray(contexts), steps)) == [(n, n, None) for n in keys]
    assert kind.layers_per_count == every


@given(past=st.integers(0, 90), new=st.integers(0, 90), window=budgets, every=st.integers(1, 4))
def test_prefill_sums_over_the_layers_that_repeat(past: int, new: int, window: int, every: int) -> None:
    kind = SlidingWindowAttention(window_tokens=window, window_every=every)
    alone, dense = SlidingWindowAttention(window_tokens=window), DenseAttention()
    attended = alone.prefill_attended_tokens(past, new) + (every - 1) * dense.prefill_attended_tokens(
        past, new
    )
    assert kind.prefill_attended_tokens(past, new) == attended
    read = alone.prefill_read_tokens(past, new) + (every - 1) * dense.prefill_read_tokens(past, new)
    assert kind.prefill_read_tokens(past, new) == read


@given(past=st.integers(0, 500), chunks=st.lists(st.integers(1, 60), max_size=5), window=st.integers(1, 200))
def test_a_prompt_costs_the_same_in_chunks_as_in_one(past: int, chunks: list[int], window: int) -> None:
    for kind in (DenseAttention(), SlidingWindowAttention(window_tokens=window, sink_tokens=2)):
        at, total = past, 0
        for new in chunks:
            total += kind.prefill_attended_tokens(at, new)
            at += new
        assert total == kind.prefill_attended_tokens(past, sum(chunks))


@given(contexts=batches, spare=st.integers(0, 300), steps=steps_asked)
def test_a_budget_no_smaller_than_any_context_costs_what_dense_costs(
    contexts: list[int], spare: int, steps: int
) -> None:
    longest = max(contexts) + steps - 1
    whole_blocks = -(-(longest + spare) // 16) * 16
    array = ContextArray(contexts)
    dense = per_step(DenseAttention().step_work(array, steps))
    oracle = TopKAttention(kv_budget_tokens=longest + spare)
    window = SlidingWindowAttention(window_tokens=longest + spare)
    block = BlockTopKAttention(kv_budget_tokens=whole_blocks)
    assert per_step(oracle.step_work(array, steps)) == dense
    assert per_step(window.step_work(array, steps)) == dense
    # INV-11: beside its index entries, one per block of each context.
    entries = [sum(-(-(c + i) // 16) for c in contexts) for i in range(steps)]
    expected = [(a, r, e) for (a, r, _), e in zip(dense, entries, strict=True)]
    assert per_step(block.step_work(array, steps)) == expected


def test_a_budget_of_part_of_a_block_is_refused_with_the_nearest_whole_one() -> None:
    message = "kv_budget_tokens 100 is not a whole number of blocks of 16 tokens; nearest allowed: 96"
    with pytest.raises(ValidationError, match=re.escape(message)):
        BlockTopKAttention(kv_budget_tokens=100)


def test_a_budget_below_one_block_is_sent_to_one_block() -> None:
    with pytest.raises(ValidationError, match="nearest allowed: 16"):
        BlockTopKAttention(kv_budget_tokens=3)


@pytest.mark.parametrize("budget", [0, -1, 10_000_001, 1.0, True])
def test_a_budget_outside_its_range_or_of_another_type_is_refused(budget: object) -> None:
    with pytest.raises(ValidationError, match="kv_budget_tokens"):
        TopKAttention.model_validate({"kv_budget_tokens": budget})


def test_the_empty_batch_has_no_work() -> None:
    for kind in (
        DenseAttention(),
        TopKAttention(kv_budget_tokens=5),
        BlockTopKAttention(kv_budget_tokens=16),
    ):
        assert {a for row in per_step(kind.step_work(ContextArray([]), 3)) for a in row} <= {0, None}


def test_an_explicit_prefix_counts_once_for_its_first_holder() -> None:
    prefixes = [(("p", 10), ("q", 3)), (("p", 10),), (("p", 10), ("q", 3)), ()]
    assert ContextArray([30, 30, 30, 30], prefixes).repeated_prefix_tokens() == 10 + 10 + 3
