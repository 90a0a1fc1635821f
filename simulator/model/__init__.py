"""Model architectures: shapes, parameter counts, KV size, and their import from Hugging Face configs."""

from __future__ import annotations

from simulator.model.architecture import Architecture, Experts
from simulator.model.huggingface import architecture_from_config, architecture_to_yaml
from simulator.model.linear import LinearLayers

__all__ = ["Architecture", "Experts", "LinearLayers", "architecture_from_config", "architecture_to_yaml"]
