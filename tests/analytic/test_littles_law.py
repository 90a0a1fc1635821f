"""Little's law, L = lambda W: what the step records hold in time is what the trials spent in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import scenario, tables_of, tasks, workload

from simulator import simulate
from simulator.scenario.schema import Scenario

STRATEGIES: dict[str, dict[str, Any]] = {
    "one trial": {"kind": "long_cot"},
    "early stop": {"kind": "best_of_n", "trials": 5, "stop_at_first_success": True},
    "waves": {"kind": "adaptive", "first_wave": 1, "wave": 3, "max_trials": 7},
    "tree": {"kind": "beam_search", "beams": 2, "expansion": 2, "rounds": 3},
}


def busy_node(strategy: str) -> Scenario:
    """Return two replicas that often queue; every prompt is computed in one step."""
    return scenario(
        workload(
            tasks=tasks(60, prompt_tokens=100),
            arrivals={"kind": "poisson", "rate_per_s": 60.0},
            lengths={"kind": "lognormal", "median_tokens": 200.0, "log_sigma": 0.6},
            outcomes={"kind": "fixed", "solve_probability": 0.4},
            strategy=STRATEGIES[strategy],
        ),
        engine={"latency": {"kind": "roofline", "step_overhead_s": 1e-3}, "max_sequences": 6},
        dp=2,
        report={"window": "whole"},
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sequence_time_in_the_steps_is_the_time_trials_ran(strategy: str) -> None:
    tables = tables_of(busy_node(strategy))
    steps, trials = tables.steps, tables.trials
    present = steps["decode_sequences"] + steps["prefill_ends"]
    held_ns = present * (steps["end_ns"] - steps["start_ns"])
    ran = trials["started_ns"] >= 0
    for replica in range(2):
        here = ran & (trials["replica"] == replica)
        spent_ns = (trials["ended_ns"] - trials["started_ns"])[here]
        assert held_ns[steps["replica"] == replica].sum() == spent_ns.sum()


def test_tasks_in_the_system_are_their_rate_times_their_stay() -> None:
    summary = simulate(busy_node("one trial")).summary
    present = summary["load"]["waiting_mean"] + summary["load"]["running_mean"]
    stay_s = summary["latency"]["task_s"]["mean"]
    assert present == pytest.approx(summary["throughput"]["tasks_per_s"] * stay_s, rel=1e-12)
    assert summary["load"]["waiting_mean"] > 0.1
