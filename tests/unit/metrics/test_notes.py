"""What is assumed, and what no server can do, is said with every summary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_records import TINY, summary, two_tasks, with_workload

LOSS = "Assumed, not measured: the chance that a trial stays correct under its KV budget."
IDLE = "workload.budget_loss has no effect: every key is attended to."
SPARSE = {"preset": TINY, "attention": {"kind": "topk", "kv_budget_tokens": 8}}
BOUND = (
    "workload.strategy oracle knows the outcome of every trial in advance: a bound that no server can reach."
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"budget_loss": {"half_ratio": 0.01}}, [IDLE]),
        ({"budget_loss": {"half_ratio": 0.01}, "model": SPARSE}, [LOSS]),
        ({"strategy": {"kind": "oracle", "max_trials": 2}}, [BOUND]),
        (
            {
                "strategy": {"kind": "oracle", "max_trials": 2},
                "budget_loss": {"half_ratio": 0.01},
                "model": SPARSE,
            },
            [BOUND, LOSS],
        ),
    ],
)
def test_an_assumed_loss_and_a_bound_are_noted(changes: dict[str, Any], expected: list[str]) -> None:
    found = summary(with_workload(**changes), two_tasks().records())["notes"]
    assert [note for note in found if note in (LOSS, IDLE, BOUND)] == expected


# Prompts of 10 and outputs of 10 tokens: contexts of 20 at most.
