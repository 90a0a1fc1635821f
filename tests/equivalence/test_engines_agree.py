"""INV-7: the fast engine's records are those of the reference engine, byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import scenarios

from simulator.engine.run import run_scenario
from simulator.errors import InfeasiblePlanError
from simulator.scenario.schema import Scenario


@given(scenario=scenarios())
def test_both_engines_give_the_same_records(scenario: Scenario) -> None:
    try:
        reference = run_scenario(scenario, seed=scenario.seed, engine="reference").records
    except InfeasiblePlanError as refusal:
        try:
            run_scenario(scenario, seed=scenario.seed)
        except InfeasiblePlanError as same:
            assert str(same) == str(refusal)
            return
        raise
    fast = run_scenario(scenario, seed=scenario.seed).records
    assert fast.trials.tolist() == reference.trials.tolist()
    assert fast.tasks.tolist() == reference.tasks.tolist()
    assert fast.steps.tolist() == reference.steps.tolist()
    assert (fast.end_ns, fast.pending_tasks) == (reference.end_ns, reference.pending_tasks)
