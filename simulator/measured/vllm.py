"""``vllm bench serve`` and its forebear ``benchmark_serving.py``: JSON, one object a run.

``--save-detailed`` adds lists (in 2024 they were always written), ``--append-result`` further objects.
"""

from __future__ import annotations

from typing import Final

from simulator.measured.layouts import Layout

VLLM: Final = Layout(
    tool="vLLM bench serve",
    marks=frozenset({"model_id", "tokenizer_id", "num_prompts", "mean_ttft_ms"}),
    e2e="e2el",
    tokens_per_step="spec_decode_acceptance_length",
)
