"""A scenario whose run takes milliseconds, for the tests of sweeps."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, Any] = {
    "schema": 1,
    "name": "small",
    "hardware": "b200-sxm-8",
    "model": {"preset": "qwen3-8b", "attention": {"kind": "dense"}},
    "parallelism": {"tp": 1, "dp": 1},
    "workload": {
        "tasks": {"kind": "synthetic", "count": 4, "prompt_tokens": 64},
        "arrivals": "all_at_once",
        "lengths": {"kind": "lognormal", "median_tokens": 24, "log_sigma": 0.5},
        "outcomes": {"kind": "fixed", "solve_probability": 0.5},
        "strategy": {"kind": "best_of_n", "trials": 2},
        "max_tokens": 64,
    },
}
TRIALS = "workload.strategy.trials"
BUDGET = "model.attention.kv_budget_tokens"


def small(**parts: object) -> dict[str, Any]:
    """Return the scenario with other parts at its top."""
    return {**SMALL, **parts}
