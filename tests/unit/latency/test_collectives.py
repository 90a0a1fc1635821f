"""The all-reduces of tensor parallelism."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import deployment, gpu, with_figures

from simulator.latency.collectives import allreduce_seconds

GPU = with_figures(gpu(), allreduce_floor_s=1e-5, link_bandwidth_bytes_per_s=1e12)


def test_one_gpu_has_nobody_to_reduce_with() -> None:
    assert allreduce_seconds(deployment(tp=1), 512) == 0.0


def test_no_tokens_take_no_time() -> None:
    assert allreduce_seconds(deployment(tp=8), 0) == 0.0


@pytest.mark.parametrize(("tp", "moved_ratio"), [(2, 1.0), (4, 1.5), (8, 1.75)])
def test_two_all_reduces_a_layer_move_the_hidden_states_around_the_ring(tp: int, moved_ratio: float) -> None:
    # Qwen3-8B: 36 layers; 100 tokens of 4096 bf16 elements are 819,200 bytes.
    expected = 72 * (1e-5 + moved_ratio * 819_200 / 1e12)
    assert allreduce_seconds(deployment(tp=tp, on=GPU), 100) == pytest.approx(expected, rel=1e-12)


def test_small_messages_cost_the_floor() -> None:
    assert allreduce_seconds(deployment(tp=8, on=GPU), 1) == pytest.approx(72e-5, rel=2e-3)
