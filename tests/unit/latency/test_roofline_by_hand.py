"""Steps of Qwen3-8B on B200 worked out by hand (36 layers, hidden 4096, ffn 12288, 32 and 8 heads of 128)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, decode_load, deployment, gpu, rows_of, with_figures

from simulator.latency import RooflineLatency

B200 = with_figures(
    gpu(),
    hbm_bandwidth_bytes_per_s=8.0e12,
    link_bandwidth_bytes_per_s=9.0e11,
    allreduce_floor_s=7.4e-6,
    layer_overhead_s=3.4e-5,
)
"""The figures that the numbers below were worked out with, whatever the profile says one day."""


def test_one_sequence_of_1000_tokens_on_one_gpu() -> None:
    # Weights: 36 * (4096 * 128 * 80 + 3 * 4096 * 12288) + 151936 * 4096 = 7,568,097,280 of 2 bytes.
    # Activations: a layer 20,480 qkv + 4,096 new keys and values + 16,384 o + 57,344 gate, up + 32,768 down
    # = 131,072 bytes; head 312,064.  Keys and values: 1000 * 147,456.  All memory-bound.  The norms' 65,536
    # bytes a layer take less than the 34 us that norms and launches take at least.
    moved = 15_136_194_560 + 36 * 131_072 + 312_064 + 147_456_000
    assert moved == 15_288_681_216
    seconds = RooflineLatency().bind(deployment(on=B200)).step_seconds(decode_load(DENSE, [1000]))
    # 1.911085152 ms of traffic and 36 * 34 us.
    assert seconds == pytest.approx(1.911085152e-3 + 1.224e-3, rel=1e-12)


def test_one_sequence_of_1000_tokens_on_eight_gpus() -> None:
    # Weights a GPU: (36 * 24,117,248 + 77,791,232) * 2 = 1,892,024,320 bytes; one KV head each.
    # Activations: a layer 9,728 + 512 + 9,216 + 14,336 + 11,264 = 45,056; head 46,176.
    # Keys and values: 1000 * 18,432.
    moved = 1_892_024_320 + 36 * 45_056 + 46_176 + 18_432_000
    assert moved == 1_912_124_512
    # 72 all-reduces of 8,192 bytes: 7.4 us + 2 * 7/8 * 8192 / 900 GB/s = 7.4159288889 us.
    seconds = RooflineLatency().bind(deployment(tp=8, on=B200)).step_seconds(decode_load(DENSE, [1000]))
    assert seconds == pytest.approx(239.015564e-6 + 533.946880e-6 + 1224e-6, rel=1e-9)


def test_all_reduces_are_a_quarter_of_that_step_and_can_be_left_out() -> None:
    latency = RooflineLatency(collectives=False).bind(deployment(tp=8, on=B200))
    seconds = latency.step_seconds(decode_load(DENSE, [1000]))
    assert seconds == pytest.approx(239.015564e-6 + 1224e-6, rel=1e-9)


def test_the_output_head_can_be_left_out() -> None:
    plan = deployment(on=B200)
    whole, layers = RooflineLatency().bind(plan), RooflineLatency(lm_head=False).bind(plan)
    load = decode_load(DENSE, [1000])
    head = 2 * (622_329_856 + 4096 + 151_936) / 8e12
    assert whole.step_seconds(load) - layers.step_seconds(load) == pytest.approx(head, rel=1e-9)
    assert layers.parts(rows_of([load]))["lm_head"].seconds[0] == 0.0


def test_a_prompt_of_8192_tokens_is_bound_by_compute() -> None:
    # FLOPs of the matrix products: 2 * 8192 * 36 * 192,937,984; head 2 * 622,329,856 for one token.
    # Attention: 8192 * 8193 / 2 pairs of 4 * 32 * 128 * 36 FLOPs.  Norms (36 * 8 * 8192 * 4096 * 2 bytes,
    # 67 us a layer, more than their floor of 34 us) and head (2 * (622,329,856 + 156,032) bytes) are bound
    # by traffic.
    products = 2 * 8192 * 36 * 192_937_984 / 2.25e15
    attention = 8192 * 8193 // 2 * 4 * 32 * 128 * 36 / 2.25e15
    traffic = (36 * 8 * 8192 * 4096 * 2 + 2 * (622_329_856 + 156_032)) / 8e12
    assert products == pytest.approx(50.578e-3, rel=1e-4)
    load = decode_load(
        DENSE,
        [],
        prefill_tokens=8192,
        prefill_attended_tokens=8192 * 8193 // 2,
        prefill_read_tokens=8192,
        prefill_ends=1,
    )
    seconds = RooflineLatency().bind(deployment(on=B200)).step_seconds(load)
    assert seconds == pytest.approx(products + attention + traffic, rel=1e-12)


def test_kinetics_dense_attention_step_takes_its_published_time() -> None:
    # Per layer and KV head, 4096 sequences of 16,384 tokens: 34.4 GB, 4.30 ms at 8 TB/s.
    load = decode_load(DENSE, [16_384] * 4096)
    latency = RooflineLatency().bind(deployment(tp=8, on=B200))
    without = RooflineLatency().bind(deployment(tp=8, on=B200)).step_seconds(decode_load(DENSE, [1] * 4096))
    per_layer = (latency.step_seconds(load) - without) / 36
    assert per_layer == pytest.approx(4.30e-3, rel=2e-3)
