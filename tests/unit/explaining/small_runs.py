"""Scenarios of the tests of this folder, which take milliseconds."""

from __future__ import annotations

from simulator import load_scenario
from simulator.scenario.schema import Scenario


def small(**changes: object) -> Scenario:
    """Return one of two trials for each of four tasks that all arrive at once."""
    return load_scenario(
        {
            "schema": 1,
            "hardware": "b200-sxm-1",
            "model": {"preset": "qwen3-8b", "attention": "dense"},
            "engine": {"latency": "roofline"},
            "workload": {
                "tasks": {"kind": "synthetic", "count": 4, "prompt_tokens": 128},
                "arrivals": "all_at_once",
                "lengths": {"kind": "constant", "tokens": 256},
                "outcomes": {"kind": "fixed", "solve_probability": 1.0},
                "strategy": {"kind": "best_of_n", "trials": 2},
            },
        },
        overrides=changes,
    )
