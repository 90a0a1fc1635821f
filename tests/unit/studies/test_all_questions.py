"""Every question has a scenario that runs on its own and is asked once."""

from __future__ import annotations

import pytest

from simulator.scenario.loader import load_scenario
from simulator.studies.questions import STUDIES


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_asks_and_its_scenario_compares(name: str) -> None:
    study = STUDIES[name]
    assert study.name == name
    assert study.question.endswith("?")
    scenario = load_scenario(study.scenario)
    assert study.scenario.startswith(("kinetics/open/", "kinetics/per-layer"))
    assert len(scenario.variants) >= 2
