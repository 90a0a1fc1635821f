"""Every attention and every latency keeps the promises that the engines rely on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "property"))

from deployments import DENSE, FEW, contexts_of_a_batch, decode_load, deployment, prefills, rows_of
from serving_unions import each

from simulator.attention import Attention, ContextArray
from simulator.attention.aggregate import ContextAggregate
from simulator.attention.work import AttentionWork
from simulator.latency import Latency, StepLoad

# -- attention


@each("attention")
def test_attention_asks_only_for_the_statistics_it_announces(member: Attention) -> None:
    batch = ContextAggregate(granules=member.granules, caps=member.caps)
    for context in (3, 40, 1000):
        batch.join(context, (("p", 2),))
    steps = min(5, batch.linear_steps())
    plain = ContextArray([3, 40, 1000], [(("p", 2),)] * 3)
    for k in {1, steps}:
        got, expected = member.step_work(batch, k), member.step_work(plain, k)
        for name in ("attended_tokens", "read_tokens", "index_entries", "longest_tokens"):
            np.testing.assert_array_equal(
                np.asarray(getattr(got, name)), np.asarray(getattr(expected, name)), err_msg=name
            )


@each("attention")
@FEW
@given(contexts=contexts_of_a_batch, steps=st.integers(2, 12))
def test_attention_never_attends_beyond_the_context_nor_shrinks(
    member: Attention, contexts: list[int], steps: int
) -> None:
    work = member.step_work(ContextArray(contexts), steps)
    dense = ContextArray(contexts).total(steps)
    for totals in (work.attended_tokens, work.read_tokens):
        assert isinstance(totals, np.ndarray)
        assert totals.dtype == np.int64
        assert totals.shape == (steps,)
        assert (totals <= dense).all()
        assert (totals >= len(contexts)).all()
        assert (np.diff(totals) >= 0).all()
    assert isinstance(work.longest_tokens, np.ndarray)
    assert (work.longest_tokens <= np.minimum(work.read_tokens, ContextArray(contexts).longest(steps))).all()
    assert (work.longest_tokens * len(contexts) >= work.read_tokens).all()
    assert (work.index_entries is None) == (member.index_block_tokens is None)


@each("attention")
def test_a_single_step_of_attention_is_plain_whole_numbers(member: Attention) -> None:
    work = member.step_work(ContextArray([5, 90]), 1)
    entries = [] if work.index_entries is None else [work.index_entries]
    totals = (work.attended_tokens, work.read_tokens, work.longest_tokens, *entries)
    assert {type(n) for n in totals} == {int}


@each("attention")
@FEW
@given(past=st.integers(0, 900), new=st.integers(0, 900), cut=st.integers(0, 900))
def test_prefill_costs_the_same_in_any_chunks(member: Attention, past: int, new: int, cut: int) -> None:
    first = min(cut, new)
    whole = member.prefill_attended_tokens(past, new)
    parts = member.prefill_attended_tokens(past, first) + member.prefill_attended_tokens(
        past + first, new - first
    )
    assert type(whole) is int
    assert new <= whole == parts <= new * past + new * (new + 1) // 2


@each("attention")
def test_only_what_reads_a_prefix_once_looks_at_prefixes(member: Attention) -> None:
    contexts = [300, 300]
    shared = member.step_work(ContextArray(contexts, [(("p", 200),)] * 2), 1).read_tokens
    alone = member.step_work(ContextArray(contexts), 1).read_tokens
    assert alone - shared == (200 if member.reads_prefix_once else 0)


# -- latency

IDLE = AttentionWork(0, 0)


@each("latency")
@FEW
@given(contexts=contexts_of_a_batch, prefill=prefills(), steps=st.integers(2, 9))
def test_a_latency_answers_one_step_with_a_float_and_many_with_as_many(
    member: Latency, contexts: list[int], prefill: dict[str, int], steps: int
) -> None:
    latency = member.bind(deployment(tp=2))
    one = latency.step_seconds(decode_load(DENSE, contexts, **prefill))
    assert type(one) is float
    assert 0.0 < one < 1e3
    many = latency.step_seconds(decode_load(DENSE, contexts, steps))
    assert isinstance(many, np.ndarray)
    assert many.shape == (steps,)
    alone = [latency.step_seconds(decode_load(DENSE, [c + i for c in contexts])) for i in range(steps)]
    assert many.tolist() == alone
    assert (np.diff(many) >= 0.0).all()


@each("latency")
@FEW
@given(batches=st.lists(st.tuples(contexts_of_a_batch, prefills()), min_size=1, max_size=3))
def test_parts_add_up_to_single_steps(
    member: Latency, batches: list[tuple[list[int], dict[str, int]]]
) -> None:
    latency = member.bind(deployment(tp=2))
    loads = [decode_load(DENSE, contexts, **prefill) for contexts, prefill in batches]
    parts = latency.parts(rows_of(loads))
    added = np.sum([part.seconds for part in parts.values()], axis=0)
    np.testing.assert_allclose(added, [float(latency.step_seconds(load)) for load in loads], rtol=1e-9)
    for part in parts.values():
        assert part.seconds.shape == part.flops.shape == part.hbm_bytes.shape == (len(loads),)
        assert part.bound_seconds.shape == (len(loads),)


@each("latency")
@FEW
@given(contexts=contexts_of_a_batch, more=st.integers(1, 9000), new=st.integers(1, 4000))
def test_more_work_is_never_faster(member: Latency, contexts: list[int], more: int, new: int) -> None:
    latency = member.bind(deployment(tp=2))
    base = latency.step_seconds(decode_load(DENSE, contexts))
    prefill = {"prefill_tokens": new, "prefill_read_tokens": new, "prefill_ends": 1}
    for load in (
        decode_load(DENSE, [contexts[0] + more, *contexts[1:]]),
        decode_load(DENSE, [*contexts, more]),
        decode_load(DENSE, contexts, prefill_attended_tokens=new * (new + 1) // 2, **prefill),
    ):
        assert latency.step_seconds(load) >= base


@each("latency")
def test_a_prompt_alone_takes_time(member: Latency) -> None:
    load = StepLoad(
        1, 0, IDLE, prefill_tokens=8, prefill_attended_tokens=36, prefill_read_tokens=8, prefill_ends=1
    )
    seconds = member.bind(deployment()).step_seconds(load)
    assert type(seconds) is float
    assert seconds > 0.0


@each("latency")
def test_a_bound_latency_keeps_its_deployment(member: Latency) -> None:
    d = deployment("qwen3-0.6b", tp=4)
    assert member.bind(d).deployment is d
