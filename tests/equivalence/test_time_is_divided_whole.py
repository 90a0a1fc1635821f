"""The parts of the replicas' and of the tasks' time sum to the whole, and none is negative."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import mixed_scenarios, scenarios
from test_recorded_sessions import sessions

from simulator.api import Result, simulate
from simulator.errors import InfeasiblePlanError
from simulator.explaining.machine_time import machine_time
from simulator.explaining.task_time import task_time
from simulator.scenario.schema import Scenario


def run_or_none(scenario: Scenario) -> Result | None:
    try:
        return simulate(scenario)
    except InfeasiblePlanError:
        return None


def assert_divided_whole(scenario: Scenario) -> None:
    result = run_or_none(scenario)
    if result is None:
        return
    machine = machine_time(result)
    assert min(machine.seconds.values()) >= 0.0
    assert sum(machine.seconds.values()) == pytest.approx(machine.total_s, rel=1e-9, abs=1e-12)
    window = result.summary["window"]["seconds"]
    assert machine.total_s == pytest.approx(window * scenario.parallelism.dp, rel=1e-12)
    busy = result.summary["load"]["busy_ratio"]
    if busy is not None:
        assert machine.seconds["idle"] == pytest.approx((1.0 - busy) * machine.total_s, rel=1e-9, abs=1e-12)
    task = task_time(result)
    told = result.summary["latency"]["task_s"]
    if task is None:
        assert told["count"] == 0
        return
    assert min(task.seconds.values()) >= 0.0
    assert sum(task.seconds.values()) == pytest.approx(task.mean_s, rel=1e-9)
    assert task.mean_s == pytest.approx(told["mean"], rel=1e-9)
    assert task.tasks == told["count"]


@given(scenario=scenarios())
def test_the_parts_of_time_sum_to_the_whole(scenario: Scenario) -> None:
    assert_divided_whole(scenario)


@given(scenario=mixed_scenarios())
def test_the_parts_of_time_sum_to_the_whole_where_kv_budgets_differ(scenario: Scenario) -> None:
    assert_divided_whole(scenario)


@given(scenario=sessions())
def test_the_parts_of_time_sum_to_the_whole_where_tools_run_between_turns(scenario: Scenario) -> None:
    assert_divided_whole(scenario)
