"""Small scenarios whose best plan can be worked out by hand: one task in steps of a constant time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

for folder in ("analytic", "equivalence"):
    sys.path.insert(0, str(Path(__file__).parents[2] / folder))

from scenario_space import node  # noqa: E402 - found by the path above
from served import LONG_MODEL, constant_steps, tasks, workload  # noqa: E402 - as above


def document(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    """Return a scenario of 20 tasks, all at once, of a trial of 10 tokens each, one after the other."""
    return {
        "schema": 1,
        "name": "small",
        "hardware": node(),
        "model": {"preset": LONG_MODEL, "attention": {"kind": "dense"}},
        "engine": {
            "latency": constant_steps(1e-2),
            "kv": {"capacity": "unlimited"},
            "max_sequences": 1,
            "max_batched_tokens": 100_000,
        },
        "workload": workload(tasks=tasks(20)),
        **parts,
    }


def open_loop(rate_per_s: float = 1.0, count: int = 400) -> dict[str, Any]:
    """Return tasks of 0.1 s each, served one after the other, that arrive at a rate."""
    load = workload(tasks=tasks(count), arrivals={"kind": "poisson", "rate_per_s": rate_per_s})
    return document(workload=load)
