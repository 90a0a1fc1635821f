"""Relations between metrics that hold on every run of the engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

sys.path.insert(0, str(Path(__file__).parents[2] / "equivalence"))

from scenario_space import scenarios

from simulator.engine.run import Run, run_scenario
from simulator.errors import InfeasiblePlanError
from simulator.metrics import compare_runs, summarise
from simulator.metrics.measures import MEASURES, number
from simulator.scenario.schema import Scenario

FEW = settings().max_examples // 4
"""Runs for a relation that most runs would show to be broken."""


def run_of(scenario: Scenario) -> Run:
    try:
        return run_scenario(scenario, seed=scenario.seed)
    except InfeasiblePlanError:
        assume(condition=False)
        raise


def summary_of(scenario: Scenario, run: Run) -> dict[str, Any]:
    return summarise(scenario, run.records, run.capacity, run.latency)


@given(scenario=scenarios())
def test_what_holds_for_every_summary(scenario: Scenario) -> None:
    run = run_of(scenario)
    s = summary_of(scenario, run)
    json.dumps(s, allow_nan=False)
    assert all(counts["conserved"] for counts in s["conservation"].values())
    assert 0.0 <= (s["load"]["busy_ratio"] or 0.0) <= 1.0
    idle_watts = scenario.hardware.gpu.idle_watts.value
    if s["energy"]["joules"] is not None:
        assert s["energy"]["joules"] >= idle_watts * s["plan"]["gpus"] * s["window"]["seconds"]
        assert s["energy"]["mean_watts_per_gpu"] <= scenario.hardware.gpu.tdp_watts.value * (1 + 1e-9)
    # The steps of a tiny model take a microsecond or two, rounded to whole nanoseconds.
    for name in ("mfu_busy_ratio", "mbu_busy_ratio", "mfu_window_ratio", "mbu_window_ratio"):
        assert (s["hardware"][name] or 0.0) <= 1.0 + 1e-3
    for part in s["hardware"]["parts"].values():
        assert part["bound_ratio"] is None or part["bound_ratio"] <= 1.0 + 1e-9
    occupancy = s["load"]["kv_occupancy_max_ratio"]
    assert occupancy is None or 0.0 <= occupancy <= 1.0
    assert {m.path: number(s, m.path) for m in MEASURES}.keys() == {m.path for m in MEASURES}


@given(scenario=scenarios())
@settings(max_examples=FEW)
def test_step_rows_and_trials_tell_of_the_same_tokens(scenario: Scenario) -> None:
    whole = scenario.model_copy(
        update={"report": scenario.report.model_copy(update={"window": "whole", "horizon_s": None})}
    )
    run = run_of(whole)
    s = summary_of(whole, run)
    # Cancelled trials leave with the step in flight when the answer came; its tokens lie past the window.
    end_ns = round(s["window"]["end_s"] * 1e9)
    assume(int(run.records.steps[:, 2].max()) <= end_ns)
    assert s["throughput"]["output_tokens"] == pytest.approx(int(run.records.trials[:, 7].sum()))


@given(scenario=scenarios())
@settings(max_examples=FEW)
def test_littles_law_holds_on_every_whole_run(scenario: Scenario) -> None:
    whole = scenario.model_copy(
        update={"report": scenario.report.model_copy(update={"window": "whole", "horizon_s": None})}
    )
    run = run_of(whole)
    s = summary_of(whole, run)
    # Cancelled trials leave with the step in flight when the answer came, just after the window.
    ended_ns = run.records.trials[:, 11].clip(max=round(s["window"]["end_s"] * 1e9))
    sojourn_ns = int((ended_ns - run.records.trials[:, 8]).sum())
    present = s["load"]["running_mean"] + s["load"]["waiting_mean"]
    assert present * s["window"]["seconds"] == pytest.approx(sojourn_ns / 1e9, rel=1e-9)


@given(scenario=scenarios())
@settings(max_examples=FEW)
def test_a_variant_compared_with_itself_is_no_better(scenario: Scenario) -> None:
    run = run_of(scenario)
    s = summary_of(scenario, run)
    compared = compare_runs({"a": [s, s], "b": [s, s]}, 0.95)
    for row in compared["against_reference"]["b"].values():
        if row is not None and row["ratio"] is not None:
            assert row["ratio"]["estimate"] == 1.0
    answer = compared["answer"]
    assert "exactly as many" in answer or "no ratio can be told" in answer or "keep up" in answer
    json.dumps(compared, allow_nan=False)
