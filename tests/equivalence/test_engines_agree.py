"""INV-7: the fast engine's records are those of the reference engine, byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import scenarios

from simulator.engine.records import RunRecords
from simulator.engine.run import EngineName, run_scenario
from simulator.errors import InfeasiblePlanError
from simulator.scenario.schema import Scenario


def records_or_refusal(scenario: Scenario, engine: EngineName) -> tuple[RunRecords | None, str]:
    try:
        return run_scenario(scenario, seed=scenario.seed, engine=engine).records, ""
    except InfeasiblePlanError as refusal:
        return None, str(refusal)


@given(scenario=scenarios())
def test_both_engines_give_the_same_records(scenario: Scenario) -> None:
    reference, reference_refusal = records_or_refusal(scenario, "reference")
    fast, fast_refusal = records_or_refusal(scenario, "fast")
    assert fast_refusal == reference_refusal
    if fast is None or reference is None:
        return
    assert fast.trials.tolist() == reference.trials.tolist()
    assert fast.tasks.tolist() == reference.tasks.tolist()
    assert fast.steps.tolist() == reference.steps.tolist()
    assert (fast.end_ns, fast.pending_tasks) == (reference.end_ns, reference.pending_tasks)
