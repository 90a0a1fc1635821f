"""States of linear attention: work by hand, times by hand, and steps as the sum of their parts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, FEW, contexts_of_a_batch, decode_load, deployment, gpu, prefills, rows_of

from simulator.deployment import Deployment
from simulator.errors import ScenarioError
from simulator.hardware.calibration import Fitted, LinearAttentionFit, ServingFit
from simulator.latency import AutoLatency, RooflineLatency
from simulator.latency.calibrated import BoundCalibrated
from simulator.latency.linear_attention import decode_states, prefill_states
from simulator.latency.operations import layer_operations

NAME = "qwen3.6-35b-a3b"
LAYERS, STATE = 30, 32 * 128 * 128
STEP_BYTES = 2 * (4 * STATE + 2 * 3 * 8192) + 2 * (3 * 8192 + 4096)
"""A state read and written with its convolution's inputs, and the activations of one token, in one layer."""

BY = Fitted(table="made up", rows=1, held_out_rows=0)
FIT = LinearAttentionFit(
    decode_launch_s=6e-6,
    memory_ratio=0.5,
    decode_fitted=BY,
    blocks=100,
    prefill_launch_s=5e-6,
    wave_s=2e-5,
    token_s=4e-8,
    token_head_s=3e-10,
    prefill_fitted=BY,
)
SERVING = ServingFit(
    kernel_ratio=1.1,
    attention_ratio=1.0,
    prompt_ratio=1.3,
    allreduce_ratio=1.0,
    layer_s=0.0,
    step_s=0.0,
    sequence_s=0.0,
    fitted=BY,
)


def hybrid(tp: int = 1) -> Deployment:
    return deployment(NAME, tp=tp, on=gpu("b300-sxm"))


def measured(tp: int = 1) -> BoundCalibrated:
    plan = hybrid(tp)
    shipped = plan.gpu.calibrations["vllm"]
    changed = shipped.model_copy(update={"linear_attention": FIT, "serving": SERVING})
    return BoundCalibrated(changed, plan)


@pytest.mark.parametrize("tp", [1, 4])
def test_a_decode_step_moves_the_state_of_every_sequence_however_long_it_is(tp: int) -> None:
    work = decode_states(hybrid(tp), 8)
    assert work.hbm_bytes == LAYERS * 8 * STEP_BYTES / tp
    assert work.flops == LAYERS * 8 * 7 * STATE / tp


def test_prompts_are_computed_in_chunks_and_move_a_state_per_prompt() -> None:
    work = prefill_states(hybrid(), 1000, 2)
    assert work.flops == LAYERS * 1000 * (6 * STATE + 64 * 32 * (6 * 128 + 4 * 128))
    assert work.hbm_bytes == LAYERS * (1000 * 2 * (3 * 8192 + 4096) + 2 * 2 * (4 * STATE + 2 * 3 * 8192))
    assert prefill_states(hybrid(), 1000, 0) == prefill_states(hybrid(), 1000, 1)


def test_nothing_is_moved_without_linear_layers_or_without_tokens() -> None:
    assert decode_states(deployment("qwen3-8b"), 8).hbm_bytes == 0.0
    assert prefill_states(deployment("qwen3-8b"), 100, 1).flops == 0.0
    assert decode_states(hybrid(), 0).hbm_bytes == prefill_states(hybrid(), 0, 0).flops == 0.0


def test_the_projections_read_every_weight_of_the_layers_once() -> None:
    plan = replace(hybrid(), tp=4)
    operations = {op.name: op for op in layer_operations(plan, 1)}
    shapes = {name: op.shape and op.shape[1:] for name, op in operations.items()}
    assert shapes["qkv"] == (2048, (2 * 16 // 4 + 2) * 256)
    assert shapes["linear_in"] == (2048, (8192 + 4096) // 4)
    assert shapes["shared_gate_up"] == (2048, 2 * 512 // 4)
    assert operations["linear_out"].repeats == LAYERS
    assert operations["o"].repeats == 10
    linear = [op.shape for op in operations.values() if op.name.startswith("linear")]
    assert sum(shape[1] * shape[2] for shape in linear if shape) == plan.linear_weights


@pytest.mark.parametrize(("batch", "tp"), [(1, 1), (32, 1), (32, 4)])
def test_the_time_of_states_by_hand(batch: int, tp: int) -> None:
    bound = measured(tp)
    moved = batch * STEP_BYTES / tp / (0.5 * bound.bytes_per_s)
    got = bound.parts(rows_of([decode_load(DENSE, [500] * batch)]))["linear_attention"].seconds[0]
    assert got == pytest.approx(1.1 * LAYERS * (6e-6 + moved), rel=1e-12)


@pytest.mark.parametrize(("prompts", "waves"), [(0, 1), (1, 1), (3, 1), (4, 2)])
def test_prompts_beyond_the_thread_blocks_wait_for_another_wave(prompts: int, waves: int) -> None:
    load = decode_load(DENSE, [], prefill_tokens=3000, prefill_ends=prompts)
    got = measured().parts(rows_of([load]))["linear_prefill"].seconds[0]
    by_hand = 5e-6 + waves * (2e-5 + 4e-8 * 3000 / max(prompts, 1)) + 3e-10 * 3000 * 32
    assert got == pytest.approx(1.3 * LAYERS * by_hand, rel=1e-12)


@pytest.mark.parametrize("tp", [1, 8])
@FEW
@given(contexts=contexts_of_a_batch, prefill=prefills())
def test_measured_steps_are_the_sum_of_their_parts(
    tp: int, contexts: list[int], prefill: dict[str, int]
) -> None:
    bound = measured(tp)
    load = decode_load(DENSE, contexts, **prefill)
    total = sum(part.seconds[0] for part in bound.parts(rows_of([load])).values())
    assert total == pytest.approx(bound.step_seconds(load), rel=1e-9)


@FEW
@given(contexts=contexts_of_a_batch, steps=st.integers(2, 40), kind=st.sampled_from(["roofline", "measured"]))
def test_a_window_takes_what_its_steps_take_to_the_bit(contexts: list[int], steps: int, kind: str) -> None:
    bound = measured(4) if kind == "measured" else RooflineLatency().bind(hybrid(4))
    window = np.asarray(bound.step_seconds(decode_load(DENSE, contexts, steps)))
    later = [decode_load(DENSE, [context + step for context in contexts]) for step in range(steps)]
    assert window.tolist() == [bound.step_seconds(load) for load in later]


def test_a_longer_context_costs_a_hybrid_model_a_fourth_of_the_layers() -> None:
    roofline = RooflineLatency().bind(hybrid())
    grown = roofline.step_seconds(decode_load(DENSE, [20_000])) - roofline.step_seconds(
        decode_load(DENSE, [10_000])
    )
    assert grown == pytest.approx(10_000 * 10 * 2 * 2 * 256 * 2 / roofline.bytes_per_s)


def test_auto_falls_back_where_states_were_not_measured_and_calibrated_says_so() -> None:
    assert AutoLatency().bind(hybrid()).kind == "calibrated"
    assert AutoLatency().bind(deployment(NAME, on=gpu("l40s"))).kind == "roofline"
    plan = hybrid()
    without = plan.gpu.calibrations["vllm"].model_copy(update={"linear_attention": None})
    bound = BoundCalibrated(without, plan)
    assert any("states of linear attention" in caveat for caveat in bound.caveats)
    assert not any("states" in caveat for caveat in measured().caveats)
    least = decode_states(plan, 8)
    got = bound.parts(rows_of([decode_load(DENSE, [500] * 8)]))["linear_attention"].seconds[0]
    assert got == pytest.approx(bound.serving.kernel_ratio * least.hbm_bytes / bound.bytes_per_s)


def test_ranks_that_cannot_share_the_heads_of_linear_attention_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"16 key heads of linear attention .* allowed: 1, 2, 4, 8, 16$"):
        hybrid(3)
