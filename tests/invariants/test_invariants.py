"""The numbered invariants on random scenarios; each check is shown to fail on records that break it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import TINY_MODEL, node, scenarios

from simulator.engine.records import STEP_COLUMNS, TASK_COLUMNS, TRIAL_COLUMNS
from simulator.engine.run import Run, run_scenario
from simulator.errors import InfeasiblePlanError, InvariantViolation
from simulator.invariants import check_run
from simulator.scenario.schema import Scenario


@given(scenario=scenarios())
def test_invariants_hold_on_random_scenarios(scenario: Scenario) -> None:
    try:
        run = run_scenario(scenario, seed=scenario.seed)
    except InfeasiblePlanError:
        return
    checks = list(check_run(scenario, scenario.seed, run))
    assert all(check.checked for check in checks)


def small(**engine: object) -> Scenario:
    return Scenario.model_validate(
        {
            "schema": 1,
            "hardware": node(),
            "model": {"preset": TINY_MODEL},
            "parallelism": {"tp": 1, "dp": 2},
            "engine": engine,
            "workload": {
                "tasks": {"kind": "synthetic", "count": 6, "prompt_tokens": 40},
                "arrivals": {"kind": "poisson", "rate_per_s": 200.0},
                "lengths": {"kind": "lognormal", "median_tokens": 30.0, "log_sigma": 0.5},
                "outcomes": {"kind": "fixed", "solve_probability": 0.5},
                "strategy": {"kind": "beam_search", "beams": 2, "expansion": 2, "rounds": 2},
            },
        }
    )


def broken(table: str, column: str, row: int, value: int) -> tuple[Scenario, Run]:
    """Return a run with one record changed."""
    scenario = small()
    run = run_scenario(scenario, seed=0)
    columns = {"steps": STEP_COLUMNS, "trials": TRIAL_COLUMNS, "tasks": TASK_COLUMNS}[table]
    matrix = getattr(run.records, table).copy()
    matrix[row, columns.index(column)] = value
    return scenario, replace(run, records=replace(run.records, **{table: matrix}))


@pytest.mark.parametrize(
    ("number", "table", "column", "row", "value"),
    [
        (1, "tasks", "nodes", 0, 99),
        (1, "tasks", "output_tokens", 0, 1),
        (1, "trials", "node", 1, 0),
        (2, "trials", "started_ns", 0, 0),
        (2, "trials", "first_token_ns", 0, 1),
        (2, "trials", "max_tokens", 0, 1),
        (3, "steps", "end_ns", 3, 0),
        (4, "steps", "kv_blocks", 0, -1),
        (4, "steps", "kv_blocks", 0, 1 << 40),
        (5, "trials", "submitted_ns", -1, 0),
        (10, "steps", "attended_tokens", 5, 10**15),
        (12, "trials", "cached_tokens", 0, 10**6),
    ],
)
def test_a_broken_record_is_noticed(number: int, table: str, column: str, row: int, value: int) -> None:
    scenario, run = broken(table, column, row, value)
    with pytest.raises(InvariantViolation, match=rf"INV-{number}: "):
        check_run(scenario, 0, run)


def test_a_pause_with_a_trial_waiting_is_noticed() -> None:
    scenario = small(latency={"kind": "roofline"})
    run = run_scenario(scenario, seed=0)
    steps = run.records.steps
    start, end, replica = (STEP_COLUMNS.index(name) for name in ("start_ns", "end_ns", "replica"))
    same = steps[1:, replica] == steps[:-1, replica]
    pause = int(np.flatnonzero(same & (steps[1:, start] > steps[:-1, end]))[0])
    trials = run.records.trials.copy()
    arriving = trials[:, TRIAL_COLUMNS.index("started_ns")] == steps[pause + 1, start]
    arriving &= trials[:, TRIAL_COLUMNS.index("replica")] == steps[pause, replica]
    trials[np.flatnonzero(arriving)[0], TRIAL_COLUMNS.index("submitted_ns")] -= 1
    with pytest.raises(InvariantViolation, match=r"INV-8: replica . paused with a trial waiting"):
        check_run(scenario, 0, replace(run, records=replace(run.records, trials=trials)))


def test_equal_scenarios_and_seeds_give_equal_records() -> None:
    one, two = (run_scenario(small(), seed=5).records for _ in range(2))
    assert one.steps.tobytes() == two.steps.tobytes()
    assert one.trials.tobytes() == two.trials.tobytes()
    assert run_scenario(small(), seed=6).records.trials.tobytes() != one.trials.tobytes()


def test_trials_cancelled_in_a_step_that_the_horizon_cuts_are_kept() -> None:
    # A task that ended on one replica leaves cancelled siblings on another in the step they are in.
    document = small(
        router={"kind": "round_robin"}, latency={"kind": "constant", "step_s": 10.0, "prefill_token_s": 0.01}
    )
    workload = {
        "tasks": {
            "kind": "synthetic",
            "count": 3,
            "prompt_tokens": {"median_tokens": 64.0, "log_sigma": 0.8, "longest_tokens": 1000},
        },
        "arrivals": {"kind": "all_at_once"},
        "lengths": {"kind": "lognormal", "median_tokens": 4.0, "log_sigma": 0.8},
        "outcomes": {"kind": "fixed", "solve_probability": 1.0},
        "strategy": {"kind": "best_of_n", "trials": 4, "stop_at_first_success": True},
        "max_tokens": 64,
    }
    for horizon in range(11, 60, 2):
        cut = document.model_dump(by_alias=True) | {
            "workload": workload,
            "report": {"horizon_s": float(horizon)},
        }
        scenario = Scenario.model_validate(cut)
        run = run_scenario(scenario, seed=0)
        check_run(scenario, 0, run)
        assert len(run.records.trials) == 12
