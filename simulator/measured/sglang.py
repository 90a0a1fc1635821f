"""``sglang.bench_serving``: JSON lines, one a run; ``--output-details`` adds lists.

Lines of 2024 have medians of the first token and of the time between tokens, and no means of them.
"""

from __future__ import annotations

from typing import Final

from simulator.measured.layouts import Layout

SGLANG: Final = Layout(
    tool="sglang bench_serving",
    marks=frozenset(
        {"dataset_name", "sharegpt_output_len", "random_input_len", "total_output_tokens_retokenized"}
    ),
    e2e="e2e_latency",
    tokens_per_step="accept_length",
)
