"""How many KV blocks fit, by hand and against the published estimates."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import deployment, gpu, with_figures

from simulator.attention import BlockTopKAttention
from simulator.errors import InfeasiblePlanError
from simulator.kvcache import KvConfig, kv_capacity
from simulator.kvcache.capacity import UNLIMITED_BLOCKS

USABLE_180_GB = with_figures(gpu(), hbm_usable_bytes=180e9)
RESIDENT = {
    "qwen3-0.6b": 688,
    "qwen3-1.7b": 687,
    "qwen3-4b": 533,
    "qwen3-8b": 529,
    "qwen3-14b": 471,
    "qwen3-32b": 286,
}
"""Sequences of 16,384 tokens on 8 x 180 GB x 0.9 less weights, from the published shapes."""


def test_the_sum_of_qwen3_8b_on_eight_gpus_by_hand() -> None:
    # Weights 8,190,427,136 of 2 bytes over 8 GPUs.  Activations: (8192 * (3 * 1536 + 4 * 4096)
    # + 512 * 18,992) * 2 bytes.  A block: 16 * 18,432 bytes.
    capacity = kv_capacity(KvConfig(), deployment(tp=8, on=USABLE_180_GB), max_batched_tokens=8192)
    assert capacity.hbm_bytes == pytest.approx(162e9)
    assert capacity.weight_bytes == 2 * 8_190_427_136 / 8
    assert capacity.activation_bytes == 363_380_736
    assert capacity.block_bytes == 294_912
    assert capacity.blocks == (162_000_000_000 - 2_047_606_784 - 363_380_736) // 294_912 == 541_141
    assert capacity.tokens == 541_141 * 16
    assert capacity.source == "auto"
    assert capacity.limited


@pytest.mark.parametrize(("name", "sequences"), RESIDENT.items())
def test_as_many_sequences_fit_as_published_but_for_activations(name: str, sequences: int) -> None:
    capacity = kv_capacity(KvConfig(), deployment(name, tp=8, on=USABLE_180_GB), max_batched_tokens=8192)
    # The published sum leaves activations out and counts the tied embeddings of the 0.6B twice.
    assert capacity.tokens / 16_384 == pytest.approx(sequences, rel=0.005)
    room = (capacity.hbm_bytes - capacity.weight_bytes) / (capacity.block_bytes / 16 * 16_384)
    assert int(room) - sequences == (1 if name == "qwen3-0.6b" else 0)


def test_activations_of_experts_are_those_of_the_active_ones() -> None:
    # Qwen3-30B-A3B: 8 experts of 768 a token, hidden 2048, vocabulary 151,936.
    capacity = kv_capacity(KvConfig(), deployment("qwen3-30b-a3b", tp=4), max_batched_tokens=1000)
    assert capacity.activation_bytes == 2 * (1000 * (3 * 8 * 192 + 4 * 2048) + 512 * 37_984)


def test_a_step_of_fewer_tokens_than_512_has_as_few_logits() -> None:
    capacity = kv_capacity(KvConfig(), deployment(), max_batched_tokens=100)
    assert capacity.activation_bytes == 2 * 100 * (3 * 12_288 + 4 * 4096 + 151_936)


def test_selection_keys_take_memory_beside_the_kv() -> None:
    dense = kv_capacity(KvConfig(), deployment(tp=8), max_batched_tokens=8192)
    sparse = deployment(tp=8, attention=BlockTopKAttention(kv_budget_tokens=256))
    indexed = kv_capacity(KvConfig(), sparse, max_batched_tokens=8192)
    # One key of 9,216 bytes a block of 16 tokens, 1/32 of their 294,912 bytes.
    assert indexed.block_bytes - dense.block_bytes == 9216
    assert indexed.blocks / dense.blocks == pytest.approx(32 / 33, rel=1e-5)


def test_keys_of_shorter_selection_blocks_are_more() -> None:
    fine = deployment(attention=BlockTopKAttention(kv_budget_tokens=256, block_tokens=4))
    capacity = kv_capacity(KvConfig(block_tokens=32), fine, max_batched_tokens=512)
    assert capacity.block_bytes == 32 * 147_456 + 8 * 73_728


def test_kv_in_fp8_fits_twice() -> None:
    one, two = (
        kv_capacity(KvConfig(), deployment(kv_dtype=kv), max_batched_tokens=512).blocks
        for kv in ("bf16", "fp8")
    )
    assert two - 2 * one in (0, 1)


def test_a_plan_that_does_not_fit_shows_the_sum() -> None:
    message = (
        "qwen3-235b-a22b on tp 1 x b200-sxm does not fit: 162.0 GB claimed per GPU - 470.2 GB weights - "
        "1.0 GB activations = -309.2 GB for KV, 3.080 MB a block of 16 tokens; raise parallelism.tp, choose "
        "a smaller model or precision, or a GPU with more HBM"
    )
    plan = deployment("qwen3-235b-a22b", on=USABLE_180_GB)
    with pytest.raises(InfeasiblePlanError, match=f"^{re.escape(message)}$"):
        kv_capacity(KvConfig(), plan, max_batched_tokens=8192)


def test_room_for_less_than_a_block_does_not_fit() -> None:
    with pytest.raises(InfeasiblePlanError, match="does not fit"):
        kv_capacity(KvConfig(block_tokens=2_000_000), deployment(), max_batched_tokens=512)


def test_memory_can_be_ignored_and_says_so() -> None:
    plan = deployment("qwen3-235b-a22b")
    capacity = kv_capacity(KvConfig(capacity="unlimited"), plan, max_batched_tokens=8192)
    assert (capacity.blocks, capacity.source, capacity.limited) == (UNLIMITED_BLOCKS, "unlimited", False)


def test_a_logged_number_of_blocks_is_taken_as_it_is() -> None:
    capacity = kv_capacity(KvConfig(blocks=1234, block_tokens=8), deployment(), max_batched_tokens=8192)
    assert (capacity.blocks, capacity.tokens, capacity.source) == (1234, 9872, "given")
    assert capacity.limited


def test_more_given_blocks_than_fit_beside_the_weights_are_known() -> None:
    plan = deployment()
    fitting = kv_capacity(KvConfig(), plan, max_batched_tokens=8192).blocks
    assert not kv_capacity(KvConfig(blocks=fitting), plan, max_batched_tokens=8192).exceeds_memory
    assert kv_capacity(KvConfig(blocks=fitting + 1), plan, max_batched_tokens=8192).exceeds_memory
    unlimited = kv_capacity(KvConfig(capacity="unlimited"), plan, max_batched_tokens=8192)
    assert not unlimited.exceeds_memory


def test_states_of_linear_attention_are_set_aside_for_the_largest_batch() -> None:
    plan = deployment("qwen3.6-35b-a3b", tp=2)
    none = kv_capacity(KvConfig(), plan, max_batched_tokens=8192)
    many = kv_capacity(KvConfig(), plan, max_batched_tokens=8192, max_sequences=256)
    assert many.state_bytes == 256 * 64_389_120 / 2
    assert (none.blocks - many.blocks) * many.block_bytes == pytest.approx(many.state_bytes, rel=1e-3)
    assert f"{many.state_bytes / 1e9:.1f} GB states" in many.describe()
    with pytest.raises(InfeasiblePlanError, match=r"lower engine.max_sequences, raise parallelism.tp"):
        kv_capacity(KvConfig(), plan, max_batched_tokens=8192, max_sequences=10_000)
