"""Attention in data parallel: what a GPU holds, what a step takes, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, architecture, decode_load, deployment, rows_of

from simulator.deployment import Deployment
from simulator.errors import ScenarioError
from simulator.hardware import Gpu
from simulator.latency import CalibratedLatency, RooflineLatency
from simulator.latency.calibrated import BoundCalibrated
from simulator.latency.operations import head_operation, layer_operations, norms_operation
from simulator.latency.ranks import AGREEING_S
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

PRO = load_part(find("gpu", "rtx-pro-6000"), Gpu)
MODEL = "qwen3-30b-a3b"


def ranks(tp: int, *, data: bool) -> Deployment:
    return replace(deployment(MODEL, tp=tp, on=PRO), expert_parallel=True, data_attention=data)


def bound(tp: int, *, data: bool) -> BoundCalibrated:
    found = CalibratedLatency().bind(ranks(tp, data=data))
    assert isinstance(found, BoundCalibrated)
    return found


@pytest.mark.parametrize("tp", [2, 4])
def test_a_gpu_holds_attention_and_the_head_whole_and_its_part_of_the_experts(tp: int) -> None:
    own, one, split = ranks(tp, data=True), ranks(1, data=False), ranks(tp, data=False)
    assert (own.mixer_weights, own.embedding_weights) == (one.mixer_weights, one.embedding_weights)
    assert own.ffn_weights == split.ffn_weights
    # All GPUs together keep each token once, split by heads or by sequences.
    assert own.kv_token_bytes == split.kv_token_bytes
    assert own.weight_bytes > split.weight_bytes


@pytest.mark.parametrize("tp", [2, 4])
def test_its_products_are_those_of_one_gpu_with_its_own_tokens(tp: int) -> None:
    own, one = ranks(tp, data=True), ranks(1, data=False)
    products = {op.name: op for op in layer_operations(own, 8 * tp)}
    alone = {op.name: op for op in layer_operations(one, 8)}
    for name in ("qkv", "o", "router"):
        assert (products[name].shape, products[name].hbm_bytes) == (alone[name].shape, alone[name].hbm_bytes)
    experts = {op.name: op for op in layer_operations(ranks(tp, data=False), 8 * tp)}["experts"]
    assert products["experts"] == experts
    assert head_operation(own, 8 * tp) == head_operation(one, 8)
    assert norms_operation(own, 8 * tp) == norms_operation(one, 8)


def test_one_gpu_is_what_it_is_without() -> None:
    load = decode_load(DENSE, [900] * 7, prefill_tokens=300, prefill_attended_tokens=45_150, prefill_ends=1)
    assert bound(1, data=True).step_seconds(load) == bound(1, data=False).step_seconds(load)


def test_engines_agree_on_every_step_and_each_looks_after_its_own_sequences() -> None:
    shipped = bound(2, data=True)
    assert shipped._host_s(128) == AGREEING_S
    served = load_part(find("gpu", "h100-sxm"), Gpu)
    plan = replace(ranks(2, data=True), gpu=served)
    serving = served.calibrations["vllm"].serving
    assert serving is not None
    own = CalibratedLatency().bind(plan)._host_s(128)
    assert own == pytest.approx(serving.step_s + AGREEING_S + 64 * serving.sequence_s, rel=1e-12)


def test_a_prompt_is_computed_by_one_gpu_and_several_are_shared_out() -> None:
    latency = bound(2, data=True)
    prompts = {"prefill_tokens": 1600, "prefill_attended_tokens": 1600 * 801}
    alone, shared = (
        latency.step_seconds(decode_load(DENSE, [900] * 8, **prompts, prefill_ends=ends)) for ends in (1, 2)
    )
    sampled = latency._sampling_seconds(10) - latency._sampling_seconds(9)
    own = {
        tokens: sum(latency._timed_alone(1608, tokens).products_s)
        + latency._timed_alone(1608, tokens).norms_s
        for tokens in (1604, 804)
    }
    attention = [latency._prefill_seconds(1600, 1600 * 801, 0, ends) for ends in (1, 2)]
    expected = own[1604] - own[804] + attention[0] - attention[1] - sampled
    assert alone - shared == pytest.approx(expected, rel=1e-9)
    assert attention[0] > 1.5 * attention[1]


@pytest.mark.parametrize("ends", [0, 1, 3])
def test_parts_add_up_to_the_step(ends: int) -> None:
    latency = bound(4, data=True)
    loads = [
        decode_load(
            DENSE, [900] * 30, prefill_tokens=700, prefill_attended_tokens=245_000, prefill_ends=ends
        ),
        decode_load(DENSE, [900] * 30),
    ]
    total = sum(part.seconds for part in latency.parts(rows_of(loads)).values())
    assert list(total) == pytest.approx([latency.step_seconds(load) for load in loads], rel=1e-9)


def test_the_bound_stays_below_what_was_measured() -> None:
    load = decode_load(DENSE, [900] * 64)
    roofline = RooflineLatency(layer_overhead_s=0.0).bind(ranks(2, data=True))
    assert roofline.step_seconds(load) < bound(2, data=True).step_seconds(load)


@pytest.mark.parametrize(
    ("model", "tp", "whole", "told"),
    [
        (MODEL, 2, False, "set parallelism.expert_parallel too"),
        ("qwen3.6-35b-a3b", 2, True, "has an expert that all tokens share"),
        ("qwen3.6-35b-a3b", 2, True, "has linear attention"),
        (MODEL, 8, True, "4 KV heads are fewer than 8 ranks"),
    ],
)
def test_what_is_not_modelled_is_refused(model: str, tp: int, *, whole: bool, told: str) -> None:
    assert architecture(model).experts is not None
    plan = replace(deployment(model, tp=tp, on=PRO), expert_parallel=whole)
    with pytest.raises(ScenarioError, match=told):
        replace(plan, data_attention=True)
