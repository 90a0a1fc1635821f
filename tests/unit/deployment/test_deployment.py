"""One GPU's share of a model: what is split, what is replicated, what is refused."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, PRESETS, architecture, deployment

from simulator.attention import Attention, BlockTopKAttention, SlidingWindowAttention, TopKAttention
from simulator.deployment import Deployment, own_attention
from simulator.errors import ScenarioError
from simulator.latency.operations import AttentionCosts
from simulator.scenario.loader import load_scenario

KV_TOKEN_BYTES = {
    "qwen3-0.6b": 114_688,
    "qwen3-1.7b": 114_688,
    "qwen3-4b": 147_456,
    "qwen3-8b": 147_456,
    "qwen3-14b": 163_840,
    "qwen3-32b": 262_144,
    "qwen3-30b-a3b": 98_304,
    "qwen3-235b-a22b": 192_512,
    "r1-distill-qwen-1.5b": 28_672,
    "r1-distill-qwen-7b": 57_344,
    "r1-distill-qwen-14b": 196_608,
    "r1-distill-qwen-32b": 262_144,
}
"""Bytes of KV a token in bf16, worked out from the published shapes."""


def norms_and_biases(name: str) -> int:
    a = architecture(name)
    biases = (a.query_heads + 2 * a.kv_heads) * a.head_dim * a.qkv_bias
    biases += a.hidden_size * a.output_bias + a.query_heads * a.attention_sinks
    if a.experts is not None and a.experts.bias:
        biases += a.experts.count * (1 + 2 * a.experts.ffn_size + a.hidden_size)
    per_head = 2 * a.head_dim * a.qk_norm
    mixers = a.attention_layers * (biases + per_head)
    if a.linear is not None:
        mixers += a.linear_layers * (a.linear.conv_channels * 4 + 2 * a.linear.value_heads + 128)
    shared_gate = a.hidden_size if a.experts and a.experts.shared_ffn_size else 0
    return a.layers * (shared_gate + 2 * a.hidden_size) + a.hidden_size + mixers


def weights(d: Deployment) -> int:
    a = d.architecture
    mixers = a.attention_layers * d.attention_weights + a.linear_layers * d.linear_weights
    return mixers + a.layers * d.ffn_weights + d.embedding_weights


@pytest.mark.parametrize("name", PRESETS)
def test_one_gpu_holds_every_matrix_of_the_model(name: str) -> None:
    assert weights(deployment(name)) == architecture(name).parameters - norms_and_biases(name)


@pytest.mark.parametrize("tp", [2, 4, 8])
@pytest.mark.parametrize("name", ["qwen3-0.6b", "qwen3-8b", "qwen3-14b", "qwen3-32b", "r1-distill-qwen-32b"])
def test_shares_up_to_the_kv_heads_make_up_the_model(name: str, tp: int) -> None:
    assert weights(deployment(name, tp=tp)) * tp == architecture(name).parameters - norms_and_biases(name)


@pytest.mark.parametrize("tp", [8, 16])
def test_beyond_the_kv_heads_their_projections_are_replicated(tp: int) -> None:
    # Qwen3-30B-A3B has 4 KV heads: each of tp ranks holds one; the router is on every rank.
    a = architecture("qwen3-30b-a3b")
    assert a.kv_heads == 4
    assert a.experts is not None
    extra = a.layers * a.hidden_size * ((tp - 4) * 2 * a.head_dim + (tp - 1) * a.experts.count)
    held = weights(deployment(a.name, tp=tp)) * tp
    assert held == a.parameters - norms_and_biases(a.name) + extra


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("tp", [1, 2, 4])
def test_bytes_follow_the_precision(name: str, tp: int) -> None:
    count = weights(deployment(name, tp=tp))
    assert deployment(name, tp=tp).weight_bytes == 2.0 * count
    assert deployment(name, tp=tp, weight_dtype="fp8").weight_bytes == 1.0 * count
    assert deployment(name, tp=tp, weight_dtype="fp4").weight_bytes == 0.5 * count


@pytest.mark.parametrize(("name", "expected"), KV_TOKEN_BYTES.items())
def test_a_token_leaves_the_published_bytes_of_kv(name: str, expected: int) -> None:
    assert deployment(name).kv_token_bytes == expected


@pytest.mark.parametrize("name", ["qwen3-0.6b", "qwen3-8b", "qwen3-14b", "qwen3-32b"])
def test_eight_gpus_share_eight_kv_heads(name: str) -> None:
    assert deployment(name, tp=8).kv_token_bytes * 8 == KV_TOKEN_BYTES[name]


@pytest.mark.parametrize(("tp", "copies"), [(4, 1), (8, 2), (16, 4)])
def test_kv_is_replicated_beyond_the_kv_heads(tp: int, copies: int) -> None:
    d = deployment("qwen3-30b-a3b", tp=tp)
    assert d.kv_heads == 1
    assert d.kv_token_bytes * tp == copies * KV_TOKEN_BYTES["qwen3-30b-a3b"]


def test_kv_in_fp8_takes_half() -> None:
    assert deployment(kv_dtype="fp8").kv_token_bytes == 147_456 / 2


def test_selection_keys_are_one_bf16_key_a_block_and_head() -> None:
    # Half of a token's keys and values, for every block: 147,456 / 2 = 73,728.
    kind = BlockTopKAttention(kv_budget_tokens=256, block_tokens=32)
    for kv in ("bf16", "fp8"):
        d = deployment(attention=kind, kv_dtype=kv)
        assert (d.index_entry_bytes, d.index_token_bytes) == (73_728.0, 73_728.0 / 32)
    assert deployment(attention=kind, tp=8).index_entry_bytes == 73_728.0 / 8


@pytest.mark.parametrize(
    "kind",
    [TopKAttention(kv_budget_tokens=64), SlidingWindowAttention(window_tokens=64)],
    ids=lambda a: a.kind,
)
def test_what_selects_nothing_keeps_no_keys(kind: TopKAttention | SlidingWindowAttention) -> None:
    d = deployment(attention=kind)
    assert (d.index_entry_bytes, d.index_token_bytes) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "tp", "heads", "allowed"),
    [
        ("qwen3-8b", 3, "32 query heads, 8 KV heads and 12288", "1, 2, 4, 8, 16, 32"),
        ("qwen3-8b", 64, "32 query heads, 8 KV heads and 12288", "1, 2, 4, 8, 16, 32"),
        ("qwen3-14b", 16, "40 query heads, 8 KV heads and 17408", "1, 2, 4, 8"),
        ("qwen3-14b", 5, "40 query heads, 8 KV heads and 17408", "1, 2, 4, 8"),
        ("r1-distill-qwen-7b", 8, "28 query heads, 4 KV heads and 18944", "1, 2, 4"),
    ],
)
def test_a_split_that_is_not_even_is_refused_with_those_that_are(
    name: str, tp: int, heads: str, allowed: str
) -> None:
    message = f"parallelism.tp: {tp} ranks cannot share the {heads} feed-forward columns of "
    message += f"{name} evenly; allowed: {allowed}"
    with pytest.raises(ScenarioError, match=f"^{re.escape(message)}$"):
        deployment(name, tp=tp)


@pytest.mark.parametrize("name", PRESETS)
def test_every_split_that_is_named_as_allowed_is_accepted(name: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        deployment(name, tp=1009)
    allowed = [int(tp) for tp in str(refusal.value).rpartition("allowed: ")[2].split(", ")]
    assert allowed[0] == 1
    for tp in allowed:
        d = deployment(name, tp=tp)
        assert d.query_heads * tp == architecture(name).query_heads
        assert d.query_heads % d.kv_heads == 0


def test_a_feed_forward_that_cannot_be_split_evenly_is_refused() -> None:
    assert architecture("r1-distill-qwen-1.5b").ffn_size % 6 == 2
    with pytest.raises(ScenarioError, match="8960"):
        deployment("r1-distill-qwen-1.5b", tp=6)


OWN = SlidingWindowAttention(window_tokens=128, window_every=2)


def gpt_oss(**changes: object) -> Deployment:
    return replace(deployment("gpt-oss-120b", attention=OWN), **changes)  # type: ignore[arg-type]  # any field


def test_experts_have_a_format_of_their_own() -> None:
    whole = gpt_oss()
    mixed = gpt_oss(expert_dtype="mxfp4")
    assert (whole.expert_format, mixed.expert_format) == ("bf16", "mxfp4")
    experts = whole.architecture.layers * whole.expert_weights
    assert mixed.weight_bytes == whole.weight_bytes - experts * (2.0 - 0.53125)
    # The published checkpoint has 60.8 GiB; ours counts no biases.
    assert mixed.weight_bytes / 2**30 == pytest.approx(60.8, rel=0.01)


def test_ranks_hold_as_many_weights_of_whole_experts_as_of_parts() -> None:
    assert gpt_oss(tp=8, expert_parallel=True).weight_bytes == gpt_oss(tp=8).weight_bytes


def test_experts_that_do_not_split_evenly_are_refused_by_their_number() -> None:
    odd = architecture("gpt-oss-120b").experts
    assert odd is not None
    nine = architecture("gpt-oss-120b").model_copy(update={"experts": odd.model_copy(update={"count": 9})})
    with pytest.raises(ScenarioError, match="8 KV heads and 9 experts of gpt-oss-120b evenly; allowed: 1"):
        gpt_oss(architecture=nine, tp=2, expert_parallel=True)
    assert gpt_oss(architecture=nine, tp=2).tp == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expert_parallel": True}, "parallelism.expert_parallel: qwen3-8b has no experts; allowed: false"),
        ({"expert_dtype": "mxfp4"}, "model.expert_dtype: qwen3-8b has no experts; allowed: null"),
        ({"attention": OWN}, "model.attention.window_every: the layers of qwen3-8b are alike; allowed: 1"),
    ],
)
def test_a_dense_model_of_equal_layers_takes_none_of_it(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)):
        replace(deployment("qwen3-8b"), **changes)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    "attention",
    [
        DENSE,
        TopKAttention(kv_budget_tokens=128),
        SlidingWindowAttention(window_tokens=128),
        OWN.model_copy(update={"window_tokens": 64}),
    ],
)
def test_windows_of_a_model_are_never_taken_for_another_attention(attention: Attention) -> None:
    message = "one layer in 2 of gpt-oss-120b attends to the last 128 tokens only"
    with pytest.raises(ScenarioError, match=message):
        gpt_oss(attention=attention)


def test_a_model_attends_by_itself_as_it_was_trained() -> None:
    assert own_attention(architecture("gpt-oss-120b")) == OWN
    assert own_attention(architecture("qwen3-8b")) == DENSE


def test_costs_of_a_count_are_those_of_the_layers_that_repeat() -> None:
    both, alone = AttentionCosts.of(gpt_oss()), gpt_oss()
    assert both.read_bytes == alone.kv_token_bytes / 2
    assert both.attended_flops == 4 * 64 * 64 * 36 / 2


def test_windows_of_a_model_with_linear_attention_are_refused_in_its_own_words() -> None:
    message = (
        "model.attention.window_every: one layer in 4 of qwen3.6-35b-a3b attends to tokens, the others have "
        "linear attention, and none has a window; allowed: 1"
    )
    with pytest.raises(ScenarioError, match=f"^{re.escape(message)}$"):
        deployment("qwen3.6-35b-a3b", attention=OWN)


@pytest.mark.parametrize(("dp", "allowed"), [(1, "1, 2, 4, 8"), (2, "1, 2, 4")])
def test_splits_that_the_node_has_too_few_gpus_for_are_not_told_as_allowed(dp: int, allowed: str) -> None:
    overrides = {"hardware": "b200-sxm-8", "parallelism.tp": 3, "parallelism.dp": dp}
    with pytest.raises(ScenarioError) as refusal:
        load_scenario("quickstart", overrides=overrides)
    assert str(refusal.value).splitlines()[0].endswith(f"evenly; allowed: {allowed}")
