"""Measured step times: by hand on a made-up calibration, and what the shipped ones must obey."""

from __future__ import annotations

import itertools
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import (
    DENSE,
    FEW,
    contexts_of_a_batch,
    decode_load,
    deployment,
    gpu,
    prefills,
    rows_of,
    with_figures,
)

from simulator.attention import Attention, AttentionWork, BlockTopKAttention
from simulator.deployment import Deployment
from simulator.errors import UnknownNameError
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import (
    AllreduceFit,
    DecodeAttentionFit,
    Fitted,
    GemmFit,
    PrefillAttentionFit,
    ServingFit,
    SplitFit,
)
from simulator.latency import AutoLatency, CalibratedLatency, RooflineLatency, StepLoad
from simulator.latency.breakdown import StepRows
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find, names_in
from simulator.scenario.loader import load_part

CARRIED_OVER = {"rtx-4090.vllm": "l40s.vllm"}
"""Calibrations of GPUs that nobody timed, and whose kernels they have."""

BY = Fitted(table="made up for tests", rows=1, held_out_rows=0)
SERVING = ServingFit(
    kernel_ratio=0.5,
    attention_ratio=0.7,
    allreduce_ratio=2.0,
    prompt_ratio=0.6,
    layer_s=1e-6,
    step_s=1e-3,
    sequence_s=1e-5,
    fitted=BY,
)
MADE = Calibration(
    name="made",
    gpu="b200-sxm",
    engine="vllm",
    source="made up for tests",
    graph_batches=(1, 2, 4, 8, 16),
    gemm={
        "bf16": GemmFit(
            launch_s=1e-6,
            compute_ratio=0.5,
            memory_ratio=0.5,
            sharpness=1.0,
            inner_s=0.0,
            element_bytes=2.0,
            fitted=BY,
        )
    },
    decode_attention={
        "bf16": DecodeAttentionFit(
            launch_s=1e-5,
            memory_ratio=0.8,
            small_ratio=0.8,
            small_bytes=1e6,
            sequence_head_s=0.0,
            squarings=4,
            fitted=BY,
        )
    },
    prefill_attention={
        "bf16": PrefillAttentionFit(launch_s=2e-5, compute_ratio=0.5, token_head_s=0.0, fitted=BY)
    },
    allreduce=(AllreduceFit(gpus=8, knots=((1.0, 1e-5), (1e9, 1e-5)), fitted=BY),),
    serving=SERVING,
)
ON = with_figures(gpu(), hbm_bandwidth_bytes_per_s=8e12)


def made(tp: int = 1, **changes: object) -> BoundCalibrated:
    return BoundCalibrated(MADE.model_copy(update=changes), deployment(tp=tp, on=ON))


def products(rows: int, tp: int = 1) -> float:
    """Return the four products of 36 layers of Qwen3-8B and the head, before any ratio, s."""
    shapes = [
        (4096, (32 + 16) * 128 // tp, 36),
        (4096 // tp, 4096, 36),
        (4096, 2 * 12288 // tp, 36),
        (12288 // tp, 4096, 36),
        (4096, 151936 // tp, 1),
    ]
    tiled = -(-rows // 64) * 64
    return sum(
        times
        * (
            1e-6
            + 2.0 * tiled * inner * columns / (0.5 * 2.25e15)
            + 2.0 * (rows * inner + inner * columns + rows * columns) / (0.5 * 8e12)
        )
        for inner, columns, times in shapes
    )


def test_a_decode_step_by_hand() -> None:
    attention = 36 * (1e-5 + 1000 * 2 * 8 * 128 * 2 / (0.8 * 8e12))
    norms = 36 * 8 * 4096 * 2 / 8e12
    expected = 0.5 * products(1) + 0.7 * attention + norms + 36 * 1e-6 + 1e-3 + 1e-5
    assert made().step_seconds(decode_load(DENSE, [1000])) == pytest.approx(expected, rel=1e-9)


SPLIT = SplitFit(blocks=100, block_bytes_per_s=1e11, fitted=BY)
HEAD_TOKEN_BYTES = 2 * 128 * 2
"""Qwen3-8B, keys and values of one head in bf16."""


def attention_seconds(bound: BoundCalibrated, contexts: list[int]) -> float:
    """Return the time of decode attention in one layer, launch aside, s."""
    load = decode_load(DENSE, contexts)
    batch = next(size for size in (1, 2, 4, 8, 16, len(contexts)) if size >= len(contexts))
    return float(bound._attention.seconds(load.decode, len(contexts), batch)) - 1e-5


def test_a_long_context_outlasts_a_batch_that_leaves_it_one_thread_block() -> None:
    # 8 KV heads of 12 sequences, padded to 16, leave each less than two of 100 thread blocks.
    contexts = [10_000] + [100] * 11
    alone = 10_000 * HEAD_TOKEN_BYTES / 1e11
    assert attention_seconds(made(split=SPLIT), contexts) == pytest.approx(alone, rel=1e-9)
    assert attention_seconds(made(), contexts) < alone / 2


def test_few_sequences_share_the_thread_blocks() -> None:
    # 8 heads of one sequence: 12 of 100 thread blocks each.
    alone = 100_000 * HEAD_TOKEN_BYTES / (12 * 1e11)
    traffic = 100_000 * 8 * HEAD_TOKEN_BYTES / (0.8 * 8e12)
    assert attention_seconds(made(split=SPLIT), [100_000]) == pytest.approx(max(alone, traffic), rel=1e-6)


def test_sequences_beyond_the_thread_blocks_begin_late() -> None:
    # 160 heads of sequences on 100 thread blocks: 0.375 of them wait.
    contexts = [10_000] + [5000] * 19
    traffic = sum(contexts) * 8 * HEAD_TOKEN_BYTES / (0.8 * 8e12)
    late = traffic + 0.375 * 10_000 * HEAD_TOKEN_BYTES / 1e11
    assert attention_seconds(made(split=SPLIT), contexts) == pytest.approx(late, rel=1e-6)


def test_equal_contexts_cost_what_they_cost_in_balance() -> None:
    contexts = [5000] * 12
    assert attention_seconds(made(split=SPLIT), contexts) == attention_seconds(made(), contexts)


def test_what_prompts_add_has_a_ratio_of_its_own() -> None:
    with_prompt = StepLoad(1, 0, AttentionWork(0, 0), 512, 131_328, 512, 1)
    attention = 36 * (2e-5 + 4 * 32 * 128 * 131_328 / (0.5 * 2.25e15))
    one, all_tokens = (products(rows) - head_alone(rows) for rows in (1, 512))
    norms = 512 * 36 * 8 * 4096 * 2 / 8e12
    kernels = 0.5 * one + 0.6 * (all_tokens - one + attention)
    expected = kernels + 0.5 * head_alone(1) + norms + 36e-6 + 1e-3 + 1e-5
    assert made().step_seconds(with_prompt) == pytest.approx(expected, rel=1e-6)


def test_a_cached_past_is_read_by_the_prompt_that_continues_it() -> None:
    short, long = (
        StepLoad(1, 0, AttentionWork(0, 0), 1, 1 + past, 1 + past, 1) for past in (1_000_000, 2_000_000)
    )
    million = 36 * 0.6 * 1_000_000 * 2 * 8 * 128 * 2 / (0.8 * 8e12)
    bound = made()
    difference = float(bound.step_seconds(long)) - float(bound.step_seconds(short))
    assert difference == pytest.approx(million, rel=1e-6)


ALL_CALIBRATIONS = [
    (name, engine)
    for name in names_in("gpu")
    for engine in load_part(find("gpu", name), Gpu).calibrations
    if "bf16" in load_part(find("gpu", name), Gpu).calibrations[engine].gemm
]


@pytest.mark.parametrize(("name", "engine"), ALL_CALIBRATIONS)
@pytest.mark.parametrize("tp", [1, 8])
def test_prompts_never_make_a_step_shorter(name: str, engine: str, tp: int) -> None:
    plan = deployment("qwen3-32b", tp=tp, on=load_part(find("gpu", name), Gpu))
    bound = CalibratedLatency(engine=engine).bind(plan)
    for sequences in (1, 9, 64, 300, 1025):
        work = AttentionWork(sequences * 2000, sequences * 2000, None, 2000)
        times = [float(bound.step_seconds(StepLoad(1, sequences, work)))]
        times += [
            float(bound.step_seconds(StepLoad(1, sequences, work, new, new * (new + 1) // 2, new, 0)))
            for new in (1, 16, 512, 8192)
        ]
        assert times == sorted(times)
        # One prompt token more is no jump beyond that of a tile of products and the launch of attention.
        assert times[1] < 1.25 * times[0] + 4e-3


def head_alone(rows: int) -> float:
    """Return the time of the output head for `rows` tokens, before any ratio, s."""
    tiled = -(-rows // 64) * 64
    return (
        1e-6
        + 2.0 * tiled * 4096 * 151936 / (0.5 * 2.25e15)
        + 2.0 * (rows * 4096 + 4096 * 151936 + rows * 151936) / (0.5 * 8e12)
    )


@pytest.mark.parametrize("attention", [DENSE, BlockTopKAttention(kv_budget_tokens=512)])
@FEW
@given(batches=st.lists(st.tuples(contexts_of_a_batch, prefills()), min_size=1, max_size=3))
def test_parts_add_up_to_the_steps_with_unequal_contexts(
    attention: Attention, batches: list[tuple[list[int], dict[str, int]]]
) -> None:
    plan = deployment(attention=attention, on=ON)
    bound = BoundCalibrated(MADE.model_copy(update={"split": SPLIT}), plan)
    loads = [decode_load(attention, contexts, **prefill) for contexts, prefill in batches]
    total = np.sum([part.seconds for part in bound.parts(rows_of(loads)).values()], axis=0)
    assert total.tolist() == pytest.approx([bound.step_seconds(load) for load in loads], rel=1e-9)


def test_all_reduces_have_a_ratio_of_their_own() -> None:
    with_both, without = (
        made(8, serving=SERVING.model_copy(update={"allreduce_ratio": ratio})) for ratio in (2.0, 0.0)
    )
    load = decode_load(DENSE, [10])
    difference = float(with_both.step_seconds(load)) - float(without.step_seconds(load))
    assert difference == pytest.approx(2.0 * 72 * 1e-5, rel=1e-9)


def test_decode_is_a_staircase_in_the_captured_batches() -> None:
    bound = made()
    work = AttentionWork(4000, 4000)
    times = [float(bound.step_seconds(StepLoad(1, n, work))) - 1e-5 * n for n in range(1, 19)]
    # Beside the host's time per sequence and the head, which is not padded, 5 to 8 sequences cost the same.
    layers = [
        time - 0.5 * head for time, head in zip(times, (head_alone(n) for n in range(1, 19)), strict=True)
    ]
    assert np.ptp(layers[4:8]) < 1e-12
    assert layers[8] > layers[7] + 1e-8
    # Beyond the largest captured batch nothing is padded.
    assert layers[17] > layers[16] > layers[15]


def test_a_step_with_prompt_tokens_is_not_padded() -> None:
    bound = made()
    base = StepLoad(1, 5, AttentionWork(100, 100), 100, 5050, 100, 1)
    more = StepLoad(1, 5, AttentionWork(100, 100), 101, 5050, 100, 1)
    assert float(bound.step_seconds(more)) > float(bound.step_seconds(base))


def test_a_step_alone_and_in_a_window_takes_the_same_to_the_bit() -> None:
    b300 = load_part(find("gpu", "b300-sxm"), Gpu)
    kinds = (DENSE, BlockTopKAttention(kv_budget_tokens=64, block_tokens=16))
    for attention, on in itertools.product(kinds, (None, b300)):
        plan = deployment(attention=attention, on=on)
        bound = CalibratedLatency().bind(plan)
        contexts = [40, 60, 500, *range(41, 81, 2)]
        many = bound.step_seconds(decode_load(attention, contexts, steps=9))
        for step in range(9):
            one = bound.step_seconds(decode_load(attention, [c + step for c in contexts]))
            assert type(one) is float
            assert one == np.asarray(many)[step]


def gpt_oss(**changes: object) -> Deployment:
    return replace(deployment("gpt-oss-120b"), **({"expert_dtype": "mxfp4"} | changes))  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize("whole", [False, True])
def test_experts_that_were_served_take_their_own_ratio_and_host_time(*, whole: bool) -> None:
    plan = gpt_oss(tp=4, expert_parallel=whole)
    bound = CalibratedLatency().bind(plan)
    fit, dense = bound.calibration.experts["mxfp4"], bound.calibration.serving
    experts = plan.architecture.experts
    assert fit.serving is not None
    assert dense is not None
    assert experts is not None
    alone = fit.seconds(
        8,
        experts.busiest_rank(8, 4 if whole else 1),
        (2880, 2880 if whole else 720),
        flops_per_s=plan.gpu.peak("bf16"),
        bytes_per_s=plan.gpu.hbm_bandwidth_bytes_per_s.value,
    )
    one = np.ones(1, dtype=np.int64)
    columns = dict.fromkeys((field.name for field in fields(StepRows)), 0 * one)
    columns |= {"steps": one, "decode_sequences": 8 * one, "read_tokens": 8000 * one}
    parts = bound.parts(StepRows(**columns | {"attended_tokens": 8000 * one}))
    ratio = fit.serving.experts_ratio * dense.kernel_ratio
    assert float(parts["experts"].seconds[0]) == pytest.approx(36 * ratio * float(alone))
    host = fit.serving.step_s + 8 * fit.serving.sequence_s
    assert float(parts["overhead"].seconds[0]) == pytest.approx(36 * dense.layer_s + host)


def test_experts_in_a_format_that_was_not_measured_take_their_bound() -> None:
    assert "experts" in " ".join(CalibratedLatency().bind(gpt_oss(expert_dtype="int8")).caveats)
    assert AutoLatency().bind(gpt_oss(expert_dtype="int8")).kind == "roofline"
    assert AutoLatency().bind(gpt_oss()).kind == "calibrated"


def test_auto_takes_measurements_where_they_cover_the_plan() -> None:
    assert AutoLatency().bind(deployment()).kind == "calibrated"
    assert AutoLatency().bind(deployment(on=load_part(find("gpu", "mi300x"), Gpu))).kind == "roofline"
    # A100 under TensorRT-LLM: its decode attention would beat the memory, so the table is not used.
    a100 = load_part(find("gpu", "a100-sxm"), Gpu)
    assert AutoLatency(engine="trtllm").bind(deployment(on=a100)).kind == "roofline"
    assert AutoLatency(engine="vllm").bind(deployment(on=a100)).kind == "calibrated"


def test_an_engine_without_measurements_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no calibration of 'vlm'.*did you mean vllm"):
        CalibratedLatency(engine="vlm").bind(deployment())
    with pytest.raises(UnknownNameError, match="did you mean vllm"):
        AutoLatency(engine="vlm").bind(deployment())
    with pytest.raises(UnknownNameError, match="it has none"):
        CalibratedLatency().bind(deployment(on=load_part(find("gpu", "mi300x"), Gpu)))


def test_what_was_not_measured_is_said() -> None:
    text = " ".join(made(serving=None, prefill_attention={}).caveats)
    assert "No serving runs" in text
    assert "optimistic bound: prefill attention" in text
    mixed = " ".join(CalibratedLatency().bind(deployment("qwen3-30b-a3b")).caveats)
    assert "No serving run of such a mixture of experts was fitted" in mixed
    served = " ".join(CalibratedLatency().bind(gpt_oss()).caveats)
    assert "measured runs of vllm with experts in this format" in served
    assert "mixture" not in " ".join(CalibratedLatency().bind(deployment()).caveats)


@pytest.mark.parametrize("name", names_in("calibration"))
def test_a_shipped_calibration_names_its_source_and_its_errors(name: str) -> None:
    calibration = load_part(find("calibration", name), Calibration)
    measured = CARRIED_OVER.get(name, name)
    assert calibration.name == name
    assert measured == f"{calibration.gpu}.{calibration.engine}"
    assert ("carried over" in calibration.source) == (name in CARRIED_OVER)
    assert calibration.source.startswith("aiconfigurator-core")
    fits = [*calibration.gemm.values(), *calibration.decode_attention.values(), *calibration.allreduce]
    assert fits
    for fit in fits:
        # All points of all-reduces ship: their error judges the lines between them.
        points = len(fit.knots) if isinstance(fit, AllreduceFit) else None
        assert fit.fitted.held_out_rows == 0 if points else fit.fitted.held_out_rows > 0
        assert points in (None, fit.fitted.rows)
        assert fit.fitted.median_error_ratio is not None
        assert fit.fitted.median_error_ratio < 0.35


@pytest.mark.parametrize("name", ["b200-sxm", "h100-sxm", "h200-sxm"])
@pytest.mark.parametrize("tp", [1, 8])
def test_measured_steps_take_longer_than_the_bound(name: str, tp: int) -> None:
    plan = deployment(tp=tp, on=load_part(find("gpu", name), Gpu))
    measured, bound = CalibratedLatency().bind(plan), RooflineLatency(layer_overhead_s=0.0).bind(plan)
    for contexts in ([100], [4000] * 8, [16000] * 64, [1000] * 256):
        load = decode_load(DENSE, contexts)
        ratio = float(measured.step_seconds(load)) / float(bound.step_seconds(load))
        assert 1.0 < ratio < 8.0
