"""KV budgets that no context can fill are refused with what is allowed; whole blocks hold the last tokens."""

from __future__ import annotations

import re

import pytest

from simulator.errors import ScenarioError
from simulator.scenario.loader import load_scenario


def scenario(attention: dict[str, object], *, output: int = 500) -> dict[str, object]:
    """Return a scenario with contexts of 100 prompt tokens and an output."""
    return {
        "schema": 1,
        "hardware": "b200-sxm-1",
        "model": {"preset": "qwen3-8b", "attention": attention},
        "workload": {
            "tasks": {"kind": "synthetic", "count": 1, "prompt_tokens": 100},
            "arrivals": {"kind": "all_at_once"},
            "lengths": {"kind": "lognormal", "median_tokens": 400.0, "log_sigma": 0.5},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "strategy": {"kind": "long_cot"},
            "max_tokens": output,
        },
    }


@pytest.mark.parametrize(
    ("attention", "most"),
    [({"kind": "topk"}, 600), ({"kind": "block_topk", "block_tokens": 128}, 640)],
)
def test_the_largest_budget_is_the_longest_context_in_whole_blocks(
    attention: dict[str, object], most: int
) -> None:
    assert load_scenario(scenario(attention | {"kv_budget_tokens": most})).model.attention.kind
    beyond = most + int(str(attention.get("block_tokens", 1)))
    told = f"{beyond} is more than any context: prompt and output of the workload are 600 tokens at most"
    with pytest.raises(ScenarioError, match=re.escape(told) + rf"; allowed: \d+ to {most}, or dense"):
        load_scenario(scenario(attention | {"kv_budget_tokens": beyond}))


def test_beyond_the_model_the_model_is_named() -> None:
    with pytest.raises(ScenarioError, match="qwen3-8b is published for 40960 tokens"):
        load_scenario(scenario({"kind": "topk", "kv_budget_tokens": 50_000}))


def test_a_window_is_no_budget() -> None:
    load_scenario(scenario({"kind": "sliding_window", "window_tokens": 4096}))
