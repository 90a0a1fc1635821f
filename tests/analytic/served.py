"""Small scenarios of one tiny model, built for closed forms: parts not named are the simplest there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import TINY_MODEL, node

from simulator.engine.run import run_scenario
from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario

MILLISECOND = 1_000_000
"""In ns."""

LONG_MODEL = {**TINY_MODEL, "max_context_tokens": 1_000_000}
"""Service times of thousands of steps."""


def constant_steps(step_s: float = 1e-3, **more: float) -> dict[str, Any]:
    """Return a latency under which a trial of n tokens alone on a replica is served for n * step_s."""
    return {"kind": "constant", "step_s": step_s, **more}


def tasks(count: int, prompt_tokens: int = 1) -> dict[str, Any]:
    """Return a task set with equal prompts."""
    return {"kind": "synthetic", "count": count, "prompt_tokens": prompt_tokens}


def workload(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    """Return a workload; by default one trial of 10 tokens per task, all at once, always right."""
    return {
        "tasks": tasks(10),
        "arrivals": {"kind": "all_at_once"},
        "lengths": {"kind": "constant", "tokens": 10},
        "outcomes": {"kind": "fixed", "solve_probability": 1.0},
        "strategy": {"kind": "long_cot"},
        "max_tokens": 500_000,
        **parts,
    }


def scenario(
    load: dict[str, Any],
    *,
    engine: dict[str, Any] | None = None,
    attention: dict[str, Any] | None = None,
    tp: int = 1,
    dp: int = 1,
    **parts: Any,  # noqa: ANN401 - raw parts of a document
) -> Scenario:
    """Return a scenario; by default with constant steps, unlimited KV memory and room for everybody."""
    kv = {"capacity": "unlimited"}
    return Scenario.model_validate(
        {
            "schema": 1,
            "hardware": node(),
            "model": {"preset": LONG_MODEL, "attention": attention or {"kind": "dense"}},
            "parallelism": {"tp": tp, "dp": dp},
            "engine": {
                "latency": constant_steps(),
                "kv": kv,
                "max_batched_tokens": 100_000,
                **(engine or {}),
            },
            "workload": load,
            **parts,
        }
    )


def tables_of(served: Scenario, seed: int = 0) -> RunTables:
    """Run a scenario and return its records by column."""
    return RunTables.of(run_scenario(served, seed=seed).records)
