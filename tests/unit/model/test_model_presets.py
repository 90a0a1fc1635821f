from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import simulator.model
from simulator.model import Architecture, architecture_to_yaml

FOLDER = Path(simulator.model.__file__).parent / "presets"
FILES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}

# Kinetics (arXiv 2506.05333), the architectures its figures use: parameters in 1e9, KV bytes per
# token in bf16, GiB of KV at 32,768 tokens.
KINETICS = {
    "qwen3-0.6b": (0.752, 114_688, 3.5),
    "qwen3-1.7b": (2.03, 114_688, 3.5),
    "qwen3-4b": (4.02, 147_456, 4.5),
    "qwen3-8b": (8.19, 147_456, 4.5),
    "qwen3-14b": (14.77, 163_840, 5.0),
    "qwen3-32b": (32.76, 262_144, 8.0),
    "qwen3-30b-a3b": (30.5, 98_304, 3.0),
    "qwen3-235b-a22b": (235.0, 192_512, 5.875),
    "r1-distill-qwen-1.5b": (1.78, 28_672, 0.875),
    "r1-distill-qwen-7b": (7.62, 57_344, 1.75),
    "r1-distill-qwen-14b": (14.77, 196_608, 6.0),
    "r1-distill-qwen-32b": (32.76, 262_144, 8.0),
}
# The paper counts the output head of these two although it shares the embedding table.
HEAD_COUNTED_TWICE = {"qwen3-0.6b", "qwen3-1.7b"}

# "total_size" of the published model.safetensors.index.json, two bytes per parameter.
CHECKPOINT_BYTES = {
    "qwen3-4b": 8_044_936_192,
    "qwen3-8b": 16_381_470_720,
    "qwen3-14b": 29_536_614_400,
    "qwen3-32b": 65_524_246_528,
    "qwen3-30b-a3b": 61_064_245_248,
    "qwen3-235b-a22b": 470_187_269_120,
    "r1-distill-qwen-7b": 15_231_233_024,
    "r1-distill-qwen-14b": 29_540_067_328,
    "r1-distill-qwen-32b": 65_527_752_704,
    "llama-3.1-8b": 16_060_522_496,
    "llama-3.1-70b": 141_107_412_992,
    "codellama-34b": 67_487_940_608,
}


# The model card of gpt-oss (arXiv 2508.10925, table 1): parameters in 1e9 in all, and those of a token
# without the input embedding.
GPT_OSS = {"gpt-oss-120b": (116.83, 5.13), "gpt-oss-20b": (20.91, 3.61)}


# The names of the models: parameters in 1e9, in all and of a token (all but the input embedding, and of the
# smaller one rounded down to 3).
HYBRID = {
    "qwen3.6-27b": (27.0, 27.0),
    "qwen3.6-35b-a3b": (35.0, 3.0),
    "qwen3.5-122b-a10b": (122.0, 10.0),
    "qwen3.5-397b-a17b": (397.0, 17.0),
}


def preset(name: str) -> Architecture:
    return Architecture.model_validate(YAML(typ="safe", pure=True).load(FILES[name]))


def test_the_catalog_holds_the_models_of_the_paper_three_llamas_the_gpt_oss_and_hybrid_models() -> None:
    assert set(FILES) == {*KINETICS, "llama-3.1-8b", "llama-3.1-70b", "codellama-34b", *GPT_OSS, *HYBRID}


@pytest.mark.parametrize("name", FILES)
def test_a_preset_is_named_as_its_file(name: str) -> None:
    assert preset(name).name == name


@pytest.mark.parametrize("name", FILES)
def test_a_preset_names_the_config_it_was_read_from(name: str) -> None:
    assert "config.json" in preset(name).source


@pytest.mark.parametrize("name", FILES)
def test_a_preset_is_written_as_the_importer_writes_it(name: str) -> None:
    assert architecture_to_yaml(preset(name)) == FILES[name]


@pytest.mark.parametrize(("name", "total_bytes"), CHECKPOINT_BYTES.items())
def test_parameters_are_those_of_the_published_checkpoint(name: str, total_bytes: int) -> None:
    assert 2 * preset(name).parameters == total_bytes


@pytest.mark.parametrize("name", KINETICS)
def test_parameters_match_the_paper_within_one_percent(name: str) -> None:
    model = preset(name)
    extra = model.output_head_parameters if name in HEAD_COUNTED_TWICE else 0
    assert (model.parameters + extra) / 1e9 == pytest.approx(KINETICS[name][0], rel=0.01)


@pytest.mark.parametrize("name", sorted(HEAD_COUNTED_TWICE))
def test_the_small_models_have_fewer_parameters_than_the_paper_counts(name: str) -> None:
    assert preset(name).tied_embeddings
    assert preset(name).parameters / 1e9 < 0.9 * KINETICS[name][0]


@pytest.mark.parametrize("name", KINETICS)
def test_kv_bytes_match_the_paper_exactly(name: str) -> None:
    model = preset(name)
    _, bytes_per_token, gib_at_32k = KINETICS[name]
    assert model.kv_bytes_per_token(2.0) == bytes_per_token
    assert model.kv_bytes_per_token(2.0) * 32_768 / 2**30 == gib_at_32k


@pytest.mark.parametrize("name", GPT_OSS)
def test_the_gpt_oss_models_have_the_published_parameters_and_windows(name: str) -> None:
    model, (total, active) = preset(name), GPT_OSS[name]
    assert round(model.parameters / 1e9, 2) == total
    assert round((model.active_parameters - model.output_head_parameters) / 1e9, 2) == active
    assert model.sliding is not None
    assert (model.sliding.window_tokens, model.sliding.every) == (128, 2)


@pytest.mark.parametrize("name", HYBRID)
def test_the_hybrid_models_have_the_parameters_of_their_names_and_three_linear_layers_in_four(
    name: str,
) -> None:
    model, (total, active) = preset(name), HYBRID[name]
    assert model.parameters / 1e9 == pytest.approx(total, rel=0.01)
    without_input = model.active_parameters - model.output_head_parameters
    reach = 0.1 if model.experts else 0.06
    assert without_input / 1e9 == pytest.approx(active, rel=reach)
    assert model.linear_layers == 3 * model.attention_layers
    assert model.attention_gate


def test_the_cache_of_a_hybrid_model_grows_by_its_ten_full_layers_and_a_state_does_not_grow() -> None:
    model = preset("qwen3.6-35b-a3b")
    assert model.kv_bytes_per_token(2.0) == 10 * 2 * 2 * 256 * 2
    # 32 heads of 128 x 128 in float32, and three inputs of 8192 channels in bf16, in each of 30 layers.
    assert model.state_bytes == 30 * (32 * 128 * 128 * 4 + 3 * 8192 * 2)


@pytest.mark.parametrize(("name", "billions"), [("qwen3-30b-a3b", 3.3), ("qwen3-235b-a22b", 22.0)])
def test_active_parameters_match_the_models_names(name: str, billions: float) -> None:
    assert preset(name).active_parameters / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize("name", FILES)
def test_a_dense_model_uses_every_parameter(name: str) -> None:
    model = preset(name)
    assert (model.active_parameters == model.parameters) == (model.experts is None)


@pytest.mark.parametrize("name", FILES)
def test_a_family_has_its_own_norms_and_biases(name: str) -> None:
    model = preset(name)
    expected = {
        "qwen3": (True, False),
        "r1": (False, True),
        "llama": (False, False),
        "codellama": (False, False),
        "gpt": (False, True),
    }
    family = name.split("-", maxsplit=1)[0].split(".", maxsplit=1)[0]
    assert (model.qk_norm, model.qkv_bias) == expected[family]
