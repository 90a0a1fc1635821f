"""Whatever a scenario is, doubling a resource gives one that is valid and runs, or is refused."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import scenarios

from simulator.errors import InfeasiblePlanError
from simulator.explaining.explanation import explain
from simulator.explaining.resources import RESOURCES
from simulator.scenario.schema import Scenario


@settings(max_examples=15)
@given(scenario=scenarios())
def test_every_scenario_can_be_explained(scenario: Scenario) -> None:
    try:
        found = explain(scenario)
    except InfeasiblePlanError:
        return
    assert len(found.lines) == 5
    assert all(line.endswith(".") for line in found.lines)
    has = {resource.name for resource in RESOURCES if resource.double(scenario) is not None}
    assert {gain.resource.name for gain in found.gains} == has
    for resource in RESOURCES:
        changed = resource.double(scenario)
        if changed is not None:
            assert Scenario.model_validate(changed.model_dump(mode="json", by_alias=True)) == changed
