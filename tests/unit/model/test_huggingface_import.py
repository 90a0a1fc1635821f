from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

import simulator.model
from simulator.errors import ScenarioError
from simulator.model import (
    Architecture,
    Experts,
    LinearLayers,
    architecture_from_config,
    architecture_to_yaml,
)

COMMON: dict[str, Any] = {
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
}
QWEN3_8B = COMMON | {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False, "head_dim": 128,
    "hidden_size": 4096, "intermediate_size": 12288, "max_position_embeddings": 40960,
    "max_window_layers": 36, "num_attention_heads": 32, "num_hidden_layers": 36, "num_key_value_heads": 8,
    "rope_scaling": None, "sliding_window": None, "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
QWEN3_30B_A3B = COMMON | {
    "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False,
    "decoder_sparse_step": 1, "head_dim": 128, "hidden_size": 2048, "intermediate_size": 6144,
    "max_position_embeddings": 40960, "mlp_only_layers": [], "moe_intermediate_size": 768,
    "norm_topk_prob": True, "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
    "num_hidden_layers": 48, "num_key_value_heads": 4, "rope_scaling": None, "sliding_window": None,
    "use_sliding_window": False, "vocab_size": 151936,
}  # fmt: skip
QWEN2_7B = COMMON | {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 3584,
    "intermediate_size": 18944, "max_position_embeddings": 131072, "max_window_layers": 28,
    "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 4096,
    "use_sliding_window": False, "vocab_size": 152064,
}  # fmt: skip
LLAMA_8B = COMMON | {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False,
    "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072, "mlp_bias": False,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1,
    "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "vocab_size": 128256,
}  # fmt: skip
MISTRAL_7B = COMMON | {
    "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 4096,
    "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32,
    "num_hidden_layers": 32, "num_key_value_heads": 8, "sliding_window": None, "vocab_size": 32768,
}  # fmt: skip
MIXTRAL_8X7B = COMMON | {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 4096,
    "intermediate_size": 14336, "max_position_embeddings": 32768, "num_attention_heads": 32,
    "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8,
    "router_aux_loss_coef": 0.02, "sliding_window": None, "vocab_size": 32000,
}  # fmt: skip
LINEAR = {
    "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_num_key_heads": 16,
    "linear_num_value_heads": 32, "linear_value_head_dim": 128,
}  # fmt: skip
# As Qwen/Qwen3.5-35B-A3B publishes it: the language model stands beside an encoder of images.
QWEN3_5_35B_A3B = COMMON | {
    "architectures": ["Qwen3_5MoeForConditionalGeneration"], "model_type": "qwen3_5_moe",
    "vision_config": {"depth": 27, "hidden_size": 1152},
    "text_config": LINEAR | {
        "attention_bias": False, "attn_output_gate": True, "full_attention_interval": 4, "head_dim": 256,
        "hidden_size": 2048, "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 10,
        "mamba_ssm_dtype": "float32", "max_position_embeddings": 262144, "mlp_only_layers": [],
        "model_type": "qwen3_5_moe_text", "moe_intermediate_size": 512, "mtp_num_hidden_layers": 1,
        "num_attention_heads": 16, "num_experts": 256, "num_experts_per_tok": 8, "num_hidden_layers": 40,
        "num_key_value_heads": 2, "shared_expert_intermediate_size": 512, "vocab_size": 248320,
    },
}  # fmt: skip
QWEN3_NEXT_80B_A3B = COMMON | LINEAR | {
    "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next", "attention_bias": False,
    "decoder_sparse_step": 1, "full_attention_interval": 4, "head_dim": 256, "hidden_size": 2048,
    "intermediate_size": 5120, "max_position_embeddings": 262144, "mlp_only_layers": [],
    "moe_intermediate_size": 512, "num_attention_heads": 16, "num_experts": 512, "num_experts_per_tok": 10,
    "num_hidden_layers": 48, "num_key_value_heads": 2, "shared_expert_intermediate_size": 512,
    "vocab_size": 151936,
}  # fmt: skip


def without(config: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in keys}


@pytest.mark.parametrize(
    ("config", "checkpoint_bytes"),
    [
        (QWEN3_8B, 16_381_470_720),
        (QWEN3_30B_A3B, 61_064_245_248),
        (QWEN2_7B, 15_231_233_024),
        (LLAMA_8B, 16_060_522_496),
        (MISTRAL_7B, 14_496_047_104),
        (MIXTRAL_8X7B, 93_405_585_408),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)
def test_every_family_counts_its_published_bf16_checkpoint(
    config: dict[str, Any], checkpoint_bytes: int
) -> None:
    assert 2 * architecture_from_config(config, name="model").parameters == checkpoint_bytes


def test_a_dense_config_is_read_field_by_field() -> None:
    assert architecture_from_config(QWEN3_8B, name="qwen3-8b", source="Qwen/Qwen3-8B") == Architecture(
        name="qwen3-8b", layers=36, hidden_size=4096, ffn_size=12288, query_heads=32, kv_heads=8,
        head_dim=128, vocab_size=151936, tied_embeddings=False, qk_norm=True, qkv_bias=False,
        max_context_tokens=40960, experts=None, source="Qwen/Qwen3-8B",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("config", "experts"),
    [
        (QWEN3_30B_A3B, Experts(count=128, active=8, ffn_size=768)),
        (MIXTRAL_8X7B, Experts(count=8, active=2, ffn_size=14336)),
    ],
)
def test_the_experts_of_each_family_are_read(config: dict[str, Any], experts: Experts) -> None:
    assert architecture_from_config(config, name="model").experts == experts


def test_a_model_with_linear_layers_is_read_from_beside_its_encoder_of_images() -> None:
    read = architecture_from_config(QWEN3_5_35B_A3B, name="m")
    assert read.experts == Experts(count=256, active=8, ffn_size=512, shared_ffn_size=512)
    assert read.linear == LinearLayers(
        full_every=4, key_heads=16, value_heads=32, key_dim=128, value_dim=128, conv_kernel=4
    )
    assert (read.attention_layers, read.linear_layers, read.attention_gate) == (10, 30, True)
    text: dict[str, Any] = QWEN3_5_35B_A3B["text_config"]
    assert architecture_from_config(text, name="m", source=read.source) == read


def test_the_linear_layers_of_qwen3_next_are_read_and_count_the_80_billions_of_its_name() -> None:
    read = architecture_from_config(QWEN3_NEXT_80B_A3B, name="m")
    assert read.parameters / 1e9 == pytest.approx(80.0, rel=0.01)
    assert (read.active_parameters - read.output_head_parameters) / 1e9 == pytest.approx(3.0, rel=0.25)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"attn_output_gate": False}, "attn_output_gate: only true is supported in qwen3_5_moe"),
        ({"layer_types": ["full_attention"] * 40}, "layer_types: only linear_attention with full_attention"),
        ({"full_attention_interval": "4"}, "full_attention_interval: '4' is not a positive whole number"),
        ({"linear_num_value_heads": 33}, "linear: value_heads 33 is not a multiple of key_heads 16"),
        ({"num_hidden_layers": 42, "layer_types": None}, "linear.full_every 4 does not divide layers 42"),
        ({"mamba_ssm_dtype": "int8"}, "linear.state_dtype: Input should be 'float32' or 'bfloat16'"),
    ],
)
def test_linear_layers_that_are_not_modelled_are_refused(changes: dict[str, Any], fault: str) -> None:
    text = QWEN3_5_35B_A3B["text_config"] | changes
    with pytest.raises(ScenarioError, match=re.escape(fault)):
        architecture_from_config(QWEN3_5_35B_A3B | {"text_config": text}, name="m")


def test_the_source_says_the_family_when_none_is_given() -> None:
    assert architecture_from_config(LLAMA_8B, name="m").source == "Hugging Face config.json, model_type llama"


def test_a_stated_head_dim_wins_over_hidden_size_over_heads() -> None:
    config = LLAMA_8B | {"head_dim": 64}
    assert architecture_from_config(config, name="m").head_dim == 64


def test_an_old_llama_without_kv_heads_has_one_per_query_head() -> None:
    config = without(LLAMA_8B, "num_key_value_heads")
    assert architecture_from_config(config, name="m").kv_heads == 32


def test_tied_embeddings_are_read() -> None:
    assert architecture_from_config(QWEN3_8B | {"tie_word_embeddings": True}, name="m").tied_embeddings


@pytest.mark.parametrize("family", ["deepseek_v3", "minimax_m2", "qwen2_moe", 7])
def test_an_unsupported_family_is_refused_with_what_is_supported(family: object) -> None:
    supported = "gpt_oss, llama, mistral, mixtral, qwen2, qwen3, qwen3_5, qwen3_5_moe, qwen3_moe, qwen3_next"
    with pytest.raises(
        ScenarioError, match=rf"^m: model_type: {family!r} is not supported; supported: {supported}$"
    ):
        architecture_from_config(LLAMA_8B | {"model_type": family}, name="m")


def test_a_config_without_a_family_is_refused() -> None:
    with pytest.raises(ScenarioError, match="m: model_type: missing; supported: gpt_oss, llama"):
        architecture_from_config({}, name="m")


def test_all_missing_keys_are_reported_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        architecture_from_config({"model_type": "qwen3_moe"}, name="m")
    assert set(caught.value.faults) == {
        f"m: {key}: missing"
        for key in (
            "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads",
            "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings", "num_experts",
            "num_experts_per_tok", "moe_intermediate_size",
        )
    }  # fmt: skip


def test_a_key_read_twice_is_reported_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        architecture_from_config(without(LLAMA_8B, "hidden_size"), name="m")
    assert caught.value.faults == ("m: hidden_size: missing",)


@pytest.mark.parametrize("wrong", ["32", 32.0, True, 0, -1])
def test_a_size_that_is_not_a_positive_whole_number_is_refused(wrong: object) -> None:
    with pytest.raises(ScenarioError, match=rf"num_hidden_layers: {wrong!r} is not a positive whole number"):
        architecture_from_config(LLAMA_8B | {"num_hidden_layers": wrong}, name="m")


def test_a_flag_that_is_not_a_boolean_is_refused() -> None:
    with pytest.raises(ScenarioError, match="tie_word_embeddings: 'no' is neither true nor false"):
        architecture_from_config(LLAMA_8B | {"tie_word_embeddings": "no"}, name="m")


def test_qwen3_must_state_its_head_dim() -> None:
    with pytest.raises(ScenarioError, match="m: head_dim: missing"):
        architecture_from_config(without(QWEN3_8B, "head_dim"), name="m")


def test_a_head_dim_that_cannot_be_derived_is_refused() -> None:
    with pytest.raises(ScenarioError, match="hidden_size 4097 is not a multiple of 32 heads"):
        architecture_from_config(LLAMA_8B | {"hidden_size": 4097}, name="m")


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (LLAMA_8B, {"attention_bias": True}, "attention_bias: true is not supported"),
        (LLAMA_8B, {"mlp_bias": True}, "mlp_bias: true is not supported"),
        (MISTRAL_7B, {"sliding_window": 4096}, "sliding_window: 4096 is not read from a model"),
        (
            QWEN2_7B,
            {"use_sliding_window": True},
            "sliding_window: 4096 is not read from a model; set it to null",
        ),
        (
            QWEN3_8B,
            {"layer_types": ["full_attention", "linear_attention"]},
            "layer_types: only full_attention",
        ),
        (QWEN3_30B_A3B, {"mlp_only_layers": [0]}, "mlp_only_layers: only experts in every layer"),
        (QWEN3_30B_A3B, {"decoder_sparse_step": 2}, "decoder_sparse_step: only 1"),
    ],
)
def test_what_would_make_the_counts_wrong_is_refused(
    config: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        architecture_from_config(config | change, name="m")


GPT_OSS_20B: dict[str, Any] = {
    "model_type": "gpt_oss", "attention_bias": True, "head_dim": 64, "hidden_size": 2880,
    "intermediate_size": 2880, "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072, "num_attention_heads": 64, "num_experts_per_tok": 4,
    "num_hidden_layers": 24, "num_key_value_heads": 8, "num_local_experts": 32, "sliding_window": 128,
    "tie_word_embeddings": False, "vocab_size": 201088,
}  # fmt: skip


def test_gpt_oss_is_read_as_its_preset_has_it() -> None:
    text = (Path(simulator.model.__file__).parent / "presets" / "gpt-oss-20b.yaml").read_text(
        encoding="utf-8"
    )
    preset = Architecture.model_validate(YAML(typ="safe", pure=True).load(text))
    assert architecture_from_config(GPT_OSS_20B, name="gpt-oss-20b", source=preset.source) == preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer_types": ["full_attention"] * 24}, "layer_types: only sliding_attention and full_attention"),
        ({"layer_types": None}, "layer_types: only sliding_attention and full_attention"),
        ({"attention_bias": False}, "attention_bias: only true"),
        ({"sliding_window": None}, "sliding_window: missing"),
    ],
)
def test_a_gpt_oss_of_other_layers_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        architecture_from_config(GPT_OSS_20B | change, name="m")


def test_layers_of_full_attention_throughout_are_accepted() -> None:
    config = QWEN3_8B | {"layer_types": ["full_attention"] * 36}
    assert architecture_from_config(config, name="m").layers == 36


def test_a_shape_the_architecture_refuses_is_a_scenario_error() -> None:
    with pytest.raises(ScenarioError, match=r"^m: query_heads 32 is not a multiple of kv_heads 5"):
        architecture_from_config(LLAMA_8B | {"num_key_value_heads": 5}, name="m")


def test_too_many_active_experts_are_a_scenario_error() -> None:
    with pytest.raises(ScenarioError, match=r"^m: experts: active 9 exceeds count 8"):
        architecture_from_config(MIXTRAL_8X7B | {"num_experts_per_tok": 9}, name="m")


@pytest.mark.parametrize("config", [QWEN3_8B, QWEN3_30B_A3B, QWEN2_7B, LLAMA_8B, MISTRAL_7B, MIXTRAL_8X7B])
def test_a_written_preset_reads_back_equal(config: dict[str, Any]) -> None:
    architecture = architecture_from_config(config, name="model")
    text = architecture_to_yaml(architecture)
    assert Architecture.model_validate(YAML(typ="safe", pure=True).load(text)) == architecture


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=3))
def test_any_source_text_survives_writing_and_reading(source: str) -> None:
    architecture = architecture_from_config(LLAMA_8B, name="no", source=source)
    text = architecture_to_yaml(architecture)
    assert Architecture.model_validate(YAML(typ="safe", pure=True).load(text)) == architecture
