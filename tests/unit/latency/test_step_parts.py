"""The parts of recorded steps add up to the steps."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, FEW, contexts_of_a_batch, decode_load, deployment, prefills, rows_of

from simulator.attention import (
    Attention,
    BlockTopKAttention,
    ContextArray,
    DenseAttention,
    SlidingWindowAttention,
)
from simulator.latency import CalibratedLatency, Part, RooflineLatency, StepLoad
from simulator.latency.roofline import Combine

ATTENTIONS = (DENSE, BlockTopKAttention(kv_budget_tokens=512), SlidingWindowAttention(window_tokens=300))
combines = pytest.mark.parametrize("combine", ["sum_of_max", "max_of_sum", "additive"])
attentions = pytest.mark.parametrize("attention", ATTENTIONS, ids=lambda a: a.kind)


def total(parts: dict[str, Part]) -> list[float]:
    """Return the seconds of each row, summed over its parts."""
    return [float(row) for row in np.sum([part.seconds for part in parts.values()], axis=0)]


@combines
@attentions
@pytest.mark.parametrize(("model", "tp"), [("qwen3-8b", 1), ("qwen3-30b-a3b", 8), ("qwen3.6-35b-a3b", 4)])
@FEW
@given(batches=st.lists(st.tuples(contexts_of_a_batch, prefills()), min_size=1, max_size=3))
def test_single_steps_are_the_sum_of_their_parts(
    combine: Combine,
    attention: Attention,
    model: str,
    tp: int,
    batches: list[tuple[list[int], dict[str, int]]],
) -> None:
    latency = RooflineLatency(combine=combine, sequence_overhead_s=1e-6).bind(
        deployment(model, tp=tp, attention=attention)
    )
    loads = [decode_load(attention, contexts, **prefill) for contexts, prefill in batches]
    seconds = [latency.step_seconds(load) for load in loads]
    assert total(latency.parts(rows_of(loads))) == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize("combine", ["sum_of_max", "additive"])
@attentions
@FEW
@given(contexts=contexts_of_a_batch, steps=st.integers(2, 60))
def test_rows_of_many_steps_are_the_sum_of_their_parts(
    combine: Combine, attention: Attention, contexts: list[int], steps: int
) -> None:
    latency = RooflineLatency(combine=combine, step_overhead_s=1e-4).bind(
        deployment(tp=2, attention=attention)
    )
    load = decode_load(attention, contexts, steps)
    seconds = float(np.sum(latency.step_seconds(load)))
    assert total(latency.parts(rows_of([load]))) == pytest.approx([seconds], rel=1e-9)


@FEW
@given(contexts=contexts_of_a_batch, steps=st.integers(2, 60))
def test_rows_bound_by_one_resource_throughout_add_up_under_perfect_overlap_too(
    contexts: list[int], steps: int
) -> None:
    # Twelve sequences at most: memory bounds all their steps.
    latency = RooflineLatency(combine="max_of_sum").bind(deployment())
    load = decode_load(DENSE, contexts, steps)
    seconds = float(np.sum(latency.step_seconds(load)))
    assert total(latency.parts(rows_of([load]))) == pytest.approx([seconds], rel=1e-9)


def switching(combine: Combine) -> tuple[float, float]:
    """Return (seconds of the steps, of the parts) of a row whose bound changes inside it.

    Many trials read one long prompt once: attention is bound by compute at first, and later by the traffic
    of what each trial has written.
    """
    attention = DenseAttention(prefix_reads="once_per_family")
    d = deployment("qwen3-8b", attention=attention)
    latency = RooflineLatency(combine=combine).bind(d)
    trials, prompt, steps = 400, 2000, 600
    contexts = ContextArray([prompt + 1] * trials, [(("p", prompt),)] * trials)
    load = StepLoad(steps, trials, attention.step_work(contexts, steps))
    return float(np.sum(latency.step_seconds(load))), total(latency.parts(rows_of([load])))[0]


@pytest.mark.parametrize("combine", ["sum_of_max", "max_of_sum"])
def test_a_row_whose_bound_changes_inside_it_is_bounded_from_below(combine: Combine) -> None:
    steps, parts = switching(combine)
    assert parts < steps * (1 - 1e-6)


def test_a_row_whose_bound_changes_inside_it_still_adds_up_where_nothing_overlaps() -> None:
    steps, parts = switching("additive")
    assert parts == pytest.approx(steps, rel=1e-9)


def test_no_rows_have_no_parts_to_add() -> None:
    parts = RooflineLatency().bind(deployment()).parts(rows_of([]))
    assert all(len(part.seconds) == 0 for part in parts.values())


def test_under_perfect_overlap_every_part_is_charged_for_the_side_that_bounds_the_step() -> None:
    parts = RooflineLatency(combine="max_of_sum").bind(deployment()).parts(rows_of([decode_load(DENSE, [9])]))
    output = parts["o"]
    assert output.seconds[0] == output.hbm_bytes[0] / output.peak_bytes_per_s
    load = decode_load(
        DENSE, [], prefill_tokens=8192, prefill_attended_tokens=1 << 25, prefill_read_tokens=8192
    )
    parts = RooflineLatency(combine="max_of_sum").bind(deployment()).parts(rows_of([load]))
    output = parts["o"]
    assert output.seconds[0] == output.flops[0] / output.peak_flops_per_s


@pytest.mark.parametrize("latency", [RooflineLatency(), CalibratedLatency()], ids=lambda kind: kind.kind)
def test_whole_experts_count_what_all_gpus_do_and_wait_for_the_busiest(
    latency: RooflineLatency | CalibratedLatency,
) -> None:
    load = decode_load(DENSE, [1000] * 7)
    experts = {}
    for whole in (False, True):
        plan = replace(deployment("qwen3-30b-a3b", tp=4), expert_parallel=whole)
        experts[whole] = latency.bind(plan).parts(rows_of([load]))["experts"]
    assert experts[True].flops == pytest.approx(experts[False].flops)
    assert experts[True].seconds > experts[False].seconds
    weights = 48 * 3 * 2048 * 768 * 2
    for part in experts.values():
        assert part.hbm_bytes > weights * 128 * (1 - (1 - 8 / 128) ** 7) / 4
        assert part.hbm_bytes < weights * 7 * 8
