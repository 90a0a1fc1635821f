"""Import of a model's shape from the ``config.json`` its publisher ships (Hugging Face layout).

Only decoder families whose weights `Architecture` counts exactly are read.  Anything else is refused
by name rather than approximated: a model read wrongly has the wrong memory and the wrong speed.

Ignored: rotary embedding parameters, dropout, token ids and number formats; of models that read images too,
everything but the language model (``text_config``); layers that predict further tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Final

from pydantic import ValidationError
from ruamel.yaml import YAML

from simulator.errors import ScenarioError
from simulator.model.architecture import Architecture

FAMILIES: Final = (
    "gpt_oss",
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen3",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_moe",
    "qwen3_next",
)
"""Values of ``model_type`` that can be read."""

NESTED: Final = ("qwen3_5", "qwen3_5_moe")
"""Families whose files hold the language model under ``text_config``, beside an encoder of images."""

HYBRID: Final = (*NESTED, "qwen3_next")
"""Families with layers of linear attention."""

MIXED: Final = ("qwen3_5_moe", "qwen3_moe", "qwen3_next")
"""Families with experts whose inner size is ``moe_intermediate_size``."""

FULL_EVERY: Final = 4
"""Layers per layer of full attention where a config does not say: transformers' default of `HYBRID`."""


def architecture_from_config(
    config: Mapping[str, object], *, name: str, source: str | None = None
) -> Architecture:
    """Return the architecture that a ``config.json`` describes.

    Parameters
    ----------
    config : the parsed file.
    name : catalog name to give the model.
    source : where the file was read; by default only that it was such a file, and its ``model_type``.

    Raises
    ------
    ScenarioError
        If the family is not supported, or keys are missing, of the wrong type, or ask for what is not
        modelled; every fault is listed.

    Examples
    --------
    >>> config = {
    ...     "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096,
    ...     "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8,
    ...     "vocab_size": 128256, "max_position_embeddings": 131072, "tie_word_embeddings": False,
    ... }
    >>> architecture_from_config(config, name="llama-3.1-8b").parameters
    8030261248
    """
    reader = _Reader(_language_model(config), name)
    family = reader.family()
    reader.refuse_what_is_not_modelled(family)
    fields: dict[str, object] = {
        "name": name,
        "layers": reader.size("num_hidden_layers"),
        "hidden_size": reader.size("hidden_size"),
        "ffn_size": reader.size("moe_intermediate_size" if family == "qwen3_5_moe" else "intermediate_size"),
        "query_heads": reader.size("num_attention_heads"),
        "kv_heads": reader.kv_heads(family),
        "head_dim": reader.head_dim(family),
        "vocab_size": reader.size("vocab_size"),
        "tied_embeddings": reader.flag("tie_word_embeddings"),
        "qk_norm": family.startswith("qwen3"),
        "qkv_bias": family in {"qwen2", "gpt_oss"},
        "output_bias": family == "gpt_oss",
        "attention_sinks": family == "gpt_oss",
        "attention_gate": family in HYBRID,
        "max_context_tokens": reader.size("max_position_embeddings"),
        "experts": reader.experts(family),
        "sliding": reader.sliding(family),
        "linear": reader.linear(family),
        "source": source or f"Hugging Face config.json, model_type {family}",
    }
    reader.raise_faults()
    try:
        return Architecture.model_validate(fields)
    except ValidationError as error:
        raise ScenarioError(
            [f"{name}: {_describe(fault['loc'], fault['msg'])}" for fault in error.errors()]
        ) from error


def architecture_to_yaml(architecture: Architecture) -> str:
    """Return the text of a preset file that reads back equal to `architecture`."""
    yaml = YAML()
    yaml.width = 4096
    text = StringIO()
    yaml.dump(architecture.model_dump(exclude_defaults=True), text)
    return text.getvalue()


def _language_model(config: Mapping[str, object]) -> Mapping[str, object]:
    """Return the config of the language model alone, under the name of the whole model's family."""
    family, text = config.get("model_type"), config.get("text_config")
    if family in NESTED and isinstance(text, Mapping):
        shared = {key: config[key] for key in ("tie_word_embeddings",) if key in config}
        return {**text, **shared, "model_type": family}
    if isinstance(family, str) and family.removesuffix("_text") in NESTED:
        return {**config, "model_type": family.removesuffix("_text")}
    return config


def _describe(location: tuple[int | str, ...], message: str) -> str:
    """Return one line for one pydantic error."""
    path = ".".join(str(part) for part in location)
    message = message.removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


class _Reader:
    """Reads keys of one config and collects what is wrong, so that all of it can be said at once.

    A size that cannot be read yields 0; it is never used, since `raise_faults` then raises.
    """

    def __init__(self, config: Mapping[str, object], name: str) -> None:
        self._config = config
        self._name = name
        self._faults: dict[str, None] = {}  # a set that keeps its order: a key may be read twice

    def raise_faults(self) -> None:
        if self._faults:
            raise ScenarioError([f"{self._name}: {fault}" for fault in self._faults])

    def family(self) -> str:
        """Return the model family; an unknown one raises at once, for its keys are unknown too.

        Where none is stated, the keys that every family needs are still judged: those of llama.
        """
        family = self._config.get("model_type")
        if isinstance(family, str) and family in FAMILIES:
            return family
        supported = f"supported: {', '.join(FAMILIES)}"
        if family is None:
            self._add(f"model_type: missing; {supported}")
            return "llama"
        message = f"{self._name}: model_type: {family!r} is not supported; {supported}"
        raise ScenarioError(message)

    def size(self, key: str) -> int:
        value = self._config.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        self._add(f"{key}: missing" if value is None else f"{key}: {value!r} is not a positive whole number")
        return 0

    def flag(self, key: str) -> bool:
        """Return a boolean; every supported family takes an absent one as false."""
        value = self._config.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self._add(f"{key}: {value!r} is neither true nor false")
        return False

    def kv_heads(self, family: str) -> int:
        """Return the KV heads; an old llama config without the key has one per query head."""
        absent = self._config.get("num_key_value_heads") is None
        return self.size("num_attention_heads" if family == "llama" and absent else "num_key_value_heads")

    def head_dim(self, family: str) -> int:
        """Return the head size; Qwen3 always states it, since it is not hidden size over heads."""
        if family.startswith("qwen3") or self._config.get("head_dim") is not None:
            return self.size("head_dim")
        hidden, heads = self.size("hidden_size"), self.size("num_attention_heads")
        if heads and hidden % heads:
            self._add(f"head_dim: missing, and hidden_size {hidden} is not a multiple of {heads} heads")
        return hidden // heads if heads else 0

    def experts(self, family: str) -> dict[str, int | bool] | None:
        """Return the fields of `Experts`, or None in a dense family."""
        keys = {
            "gpt_oss": ("num_local_experts", "num_experts_per_tok", "intermediate_size"),
            "mixtral": ("num_local_experts", "num_experts_per_tok", "intermediate_size"),
            **dict.fromkeys(MIXED, ("num_experts", "num_experts_per_tok", "moe_intermediate_size")),
        }.get(family)
        if keys is None:
            return None
        count, active, ffn_size = (self.size(key) for key in keys)
        shared = self.size("shared_expert_intermediate_size") if family in HYBRID else 0
        return {
            "count": count,
            "active": active,
            "ffn_size": ffn_size,
            "bias": family == "gpt_oss",
            "shared_ffn_size": shared,
        }

    def sliding(self, family: str) -> dict[str, int] | None:
        """Return the fields of `SlidingLayers`; of the families here only gpt_oss has layers that differ."""
        if family != "gpt_oss":
            return None
        kinds, in_turn = self._config.get("layer_types"), ["sliding_attention", "full_attention"]
        if not isinstance(kinds, list) or kinds != in_turn * (len(kinds) // 2):
            self._add("layer_types: only sliding_attention and full_attention in turn are supported")
        return {"window_tokens": self.size("sliding_window"), "every": len(in_turn)}

    def linear(self, family: str) -> dict[str, object] | None:
        """Return the fields of `LinearLayers`; a state's format that is not stated is float32."""
        if family not in HYBRID:
            return None
        said = self._config.get("full_attention_interval")
        every = FULL_EVERY if said is None else self.size("full_attention_interval")
        kinds = self._config.get("layer_types")
        in_turn = ["linear_attention"] * (every - 1) + ["full_attention"]
        groups = len(kinds) // max(every, 1) if isinstance(kinds, list) else 0
        if kinds is not None and every and kinds != in_turn * groups:
            self._add(
                "layer_types: only linear_attention with full_attention as every layer of "
                f"full_attention_interval, {every}, is supported"
            )
        state_dtype = self._config.get("mamba_ssm_dtype")
        return {
            "full_every": every,
            "key_heads": self.size("linear_num_key_heads"),
            "value_heads": self.size("linear_num_value_heads"),
            "key_dim": self.size("linear_key_head_dim"),
            "value_dim": self.size("linear_value_head_dim"),
            "conv_kernel": self.size("linear_conv_kernel_dim"),
            "state_dtype": "float32" if state_dtype is None else state_dtype,
        }

    def refuse_what_is_not_modelled(self, family: str) -> None:
        """Add a fault for every setting that would make the parameter or KV count wrong."""
        if family == "gpt_oss" and not self.flag("attention_bias"):
            self._add("attention_bias: only true is supported in gpt_oss")
        if family not in {"qwen2", "gpt_oss"} and self.flag("attention_bias"):
            self._add("attention_bias: true is not supported: it also biases the output projection")
        if family in HYBRID and self._config.get("attn_output_gate", True) is not True:
            self._add(f"attn_output_gate: only true is supported in {family}")
        if self.flag("mlp_bias"):
            self._add("mlp_bias: true is not supported")
        window = self._config.get("sliding_window")
        if window is not None and (family in {"mistral", "mixtral"} or self.flag("use_sliding_window")):
            self._add(
                f"sliding_window: {window!r} is not read from a model; set it to null and choose "
                "attention of kind sliding_window in the scenario"
            )
        self._refuse_uneven_layers(family)

    def _refuse_uneven_layers(self, family: str) -> None:
        kinds = self._config.get("layer_types")
        if (
            family != "gpt_oss"
            and family not in HYBRID
            and kinds is not None
            and not (isinstance(kinds, list) and all(kind == "full_attention" for kind in kinds))
        ):
            self._add("layer_types: only full_attention in every layer is supported")
        if self._config.get("mlp_only_layers"):
            self._add("mlp_only_layers: only experts in every layer are supported")
        if self._config.get("decoder_sparse_step", 1) != 1:
            self._add("decoder_sparse_step: only 1, experts in every layer, is supported")

    def _add(self, fault: str) -> None:
        self._faults[fault] = None
