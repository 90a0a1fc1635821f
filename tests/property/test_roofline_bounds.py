"""INV-10 and the vector form: what holds of the roofline for any batch on any hardware."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from deployments import (
    DENSE,
    FEW,
    contexts_of_a_batch,
    decode_load,
    deployment,
    faster,
    figure,
    gpu,
    prefills,
    rows_of,
    with_figures,
)

from simulator.attention import (
    Attention,
    BlockTopKAttention,
    ContextArray,
    DenseAttention,
    SlidingWindowAttention,
    TopKAttention,
)
from simulator.deployment import Deployment
from simulator.latency import RooflineLatency, StepLoad
from simulator.latency.roofline import Combine

ATTENTIONS = (
    DENSE,
    TopKAttention(kv_budget_tokens=400),
    BlockTopKAttention(kv_budget_tokens=256),
    SlidingWindowAttention(window_tokens=300, sink_tokens=4),
)
combines = pytest.mark.parametrize("combine", ["sum_of_max", "max_of_sum", "additive"])
attentions = pytest.mark.parametrize("attention", ATTENTIONS, ids=lambda a: a.kind)
replicas = st.sampled_from([("qwen3-8b", 1), ("qwen3-8b", 8), ("qwen3-30b-a3b", 4), ("qwen3-0.6b", 2)])


def seconds(d: Deployment, load: StepLoad, combine: Combine) -> float:
    got = RooflineLatency(combine=combine).bind(d).step_seconds(load)
    assert isinstance(got, float)
    return got


@combines
@attentions
@FEW
@given(replica=replicas, contexts=contexts_of_a_batch, prefill=prefills())
def test_no_step_is_faster_than_its_flops_or_its_bytes(
    combine: Combine,
    attention: Attention,
    replica: tuple[str, int],
    contexts: list[int],
    prefill: dict[str, int],
) -> None:
    d = deployment(replica[0], tp=replica[1], attention=attention)
    load = decode_load(attention, contexts, **prefill)
    latency = RooflineLatency(combine=combine).bind(d)
    parts = latency.parts(rows_of([load])).values()
    step = latency.step_seconds(load)
    assert step * (1 + 1e-12) >= sum(part.flops[0] for part in parts) / d.gpu.peak("bf16")
    assert step * (1 + 1e-12) >= sum(part.hbm_bytes[0] for part in parts) / (
        d.gpu.hbm_bandwidth_bytes_per_s.value
    )


@FEW
@given(replica=replicas, contexts=contexts_of_a_batch, prefill=prefills())
def test_the_less_overlaps_the_longer_a_step(
    replica: tuple[str, int], contexts: list[int], prefill: dict[str, int]
) -> None:
    d = deployment(replica[0], tp=replica[1])
    load = decode_load(DENSE, contexts, **prefill)
    most, some, none = (seconds(d, load, c) for c in ("max_of_sum", "sum_of_max", "additive"))
    assert most <= some * (1 + 1e-12)
    assert some <= none * (1 + 1e-12)
    assert none <= 2 * most * (1 + 1e-12)


@combines
@attentions
@FEW
@given(replica=replicas, contexts=contexts_of_a_batch, more=st.integers(1, 5000), data=st.data())
def test_more_context_is_never_faster(
    *,
    combine: Combine,
    attention: Attention,
    replica: tuple[str, int],
    contexts: list[int],
    more: int,
    data: st.DataObject,
) -> None:
    d = deployment(replica[0], tp=replica[1], attention=attention)
    which = data.draw(st.integers(0, len(contexts) - 1))
    longer = [c + more * (i == which) for i, c in enumerate(contexts)]
    assert seconds(d, decode_load(attention, longer), combine) >= seconds(
        d, decode_load(attention, contexts), combine
    )


@combines
@FEW
@given(replica=replicas, contexts=contexts_of_a_batch, another=st.integers(1, 9000), new=st.integers(1, 4000))
def test_more_sequences_or_prefill_tokens_are_never_faster(
    combine: Combine, replica: tuple[str, int], contexts: list[int], another: int, new: int
) -> None:
    d = deployment(replica[0], tp=replica[1])
    alone = seconds(d, decode_load(DENSE, contexts), combine)
    assert seconds(d, decode_load(DENSE, [*contexts, another]), combine) >= alone
    chunks = []
    for tokens in (new, new + 1):
        pairs = DENSE.prefill_attended_tokens(another, tokens)
        load = decode_load(
            DENSE,
            contexts,
            prefill_tokens=tokens,
            prefill_attended_tokens=pairs,
            prefill_read_tokens=another + tokens,
        )
        chunks.append(seconds(d, load, combine))
    assert alone <= chunks[0] <= chunks[1]


@combines
@FEW
@given(
    contexts=contexts_of_a_batch, prefill=prefills(), ratio=st.floats(0.05, 1.0), tp=st.sampled_from([1, 8])
)
def test_slower_hardware_is_never_faster(
    combine: Combine, contexts: list[int], prefill: dict[str, int], ratio: float, tp: int
) -> None:
    b200 = gpu()
    load = decode_load(DENSE, contexts, **prefill)
    peaks = {dtype: figure(peak.value * ratio) for dtype, peak in b200.peak_flops_per_s.items()}
    slower = [
        with_figures(b200, hbm_bandwidth_bytes_per_s=b200.hbm_bandwidth_bytes_per_s.value * ratio),
        with_figures(b200, link_bandwidth_bytes_per_s=b200.link_bandwidth_bytes_per_s.value * ratio),
        with_figures(b200, allreduce_floor_s=b200.allreduce_floor_s.value / ratio),
        b200.model_copy(update={"peak_flops_per_s": peaks}),
    ]
    base = seconds(deployment(tp=tp), load, combine)
    assert all(seconds(deployment(tp=tp, on=other), load, combine) >= base for other in slower)


@combines
@FEW
@given(replica=replicas, contexts=contexts_of_a_batch, prefill=prefills(), halvings=st.integers(1, 3))
def test_twice_the_rates_and_half_the_floors_halve_a_step(
    combine: Combine,
    replica: tuple[str, int],
    contexts: list[int],
    prefill: dict[str, int],
    halvings: int,
) -> None:
    factor = 2.0**halvings
    model, tp = replica
    load = decode_load(DENSE, contexts, **prefill)
    base = seconds(deployment(model, tp=tp), load, combine)
    # Powers of two change no digit: the step is exactly that much shorter.
    assert seconds(deployment(model, tp=tp, on=faster(gpu(), factor)), load, combine) == base / factor


@combines
@pytest.mark.parametrize(
    "attention", [*ATTENTIONS, DenseAttention(prefix_reads="once_per_family")], ids=lambda a: repr(a)[:24]
)
@FEW
@given(
    replica=replicas,
    contexts=contexts_of_a_batch,
    steps=st.integers(2, 30),
    prompt=st.integers(0, 500),
)
def test_many_steps_are_the_single_steps_bit_for_bit(
    *,
    combine: Combine,
    attention: Attention,
    replica: tuple[str, int],
    contexts: list[int],
    steps: int,
    prompt: int,
) -> None:
    d = deployment(replica[0], tp=replica[1], attention=attention)
    latency = RooflineLatency(combine=combine, sequence_overhead_s=3e-6).bind(d)
    prefixes = [(("p", prompt),)] * len(contexts)
    starts = [c + prompt for c in contexts]
    work = attention.step_work(ContextArray(starts, prefixes), steps)
    together = latency.step_seconds(StepLoad(steps, len(starts), work))
    assert isinstance(together, np.ndarray)
    alone = []
    for i in range(steps):
        single = attention.step_work(ContextArray([c + i for c in starts], prefixes), 1)
        alone.append(latency.step_seconds(StepLoad(1, len(starts), single)))
    assert together.tolist() == alone
    assert (np.diff(together) >= 0).all()


@attentions
@FEW
@given(contexts=contexts_of_a_batch)
def test_an_answer_does_not_depend_on_what_was_asked_before(
    attention: Attention, contexts: list[int]
) -> None:
    load = decode_load(attention, contexts)
    used = RooflineLatency().bind(deployment(attention=attention))
    for other in ([1], [7, 7], contexts + contexts):
        used.step_seconds(decode_load(attention, other))
    fresh = RooflineLatency().bind(deployment(attention=attention))
    assert used.step_seconds(load) == fresh.step_seconds(load) == used.step_seconds(load)
