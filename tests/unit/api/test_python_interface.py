"""The Python interface: what `simulate` and `compare` are given is checked before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import (
    OutputExistsError,
    Scenario,
    ScenarioError,
    UnknownNameError,
    compare,
    load_scenario,
    simulate,
)

LARGEST_SEED = 2**63 - 1


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(
        {
            "schema": 1,
            "hardware": "b200-sxm-8",
            "model": {"preset": "qwen3-8b"},
            "workload": {
                "tasks": {"kind": "synthetic", "count": 2, "prompt_tokens": 16},
                "arrivals": "all_at_once",
                "lengths": {"kind": "constant", "tokens": 8},
                "outcomes": {"kind": "fixed", "solve_probability": 0.5},
                "strategy": {"kind": "best_of_n", "trials": 2},
            },
        }
    )


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.api.run_scenario", lambda *_, **__: pytest.fail("it was run"))


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize(
    ("seed", "shown"),
    [
        (-1, "-1"),
        (2**63, "9223372036854775808"),
        (2**70, "a number of some 21 digits"),
        (1.0, "1.0"),
        (True, "true"),
        ("1", "the text '1'"),
        (np.bool_(True), "a Python bool"),  # noqa: FBT003 - the value is what the test is about
    ],
)
def test_a_seed_that_no_scenario_may_have_is_refused(scenario: Scenario, seed: Any, shown: str) -> None:  # noqa: ANN401 - any object
    message = f"seed: must be a whole number from 0 to {LARGEST_SEED}, got {shown}"
    with pytest.raises(ScenarioError, match=f"^{re.escape(message)}"):
        simulate(scenario, seed=seed)


@pytest.mark.parametrize("seed", [0, LARGEST_SEED, np.int64(7)])
def test_a_run_with_any_allowed_seed_can_be_run_again_from_its_folder(
    scenario: Scenario, seed: int, tmp_path: Path
) -> None:
    result = simulate(scenario, seed=seed)
    again = load_scenario(result.to_dir(tmp_path / "run") / "manifest.json")
    assert (again.seed, type(result.seed)) == (seed, int)
    assert simulate(again).summary == result.summary


def test_a_folder_that_exists_is_refused_in_the_words_of_python(scenario: Scenario, tmp_path: Path) -> None:
    result = simulate(scenario)
    message = f"{tmp_path} exists; choose another folder or pass overwrite=True"
    with pytest.raises(OutputExistsError, match=f"^{re.escape(message)}$"):
        result.to_dir(tmp_path)


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize("act", [simulate, compare])
@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("fats", "unknown engine 'fats'; did you mean fast? (allowed: fast, reference)"),
        ("foo", "unknown engine 'foo'; allowed: fast, reference"),
        (None, "unknown engine None; allowed: fast, reference"),
        (["fast"], "unknown engine ['fast']; "),
    ],
)
def test_an_unknown_engine_is_refused_with_the_nearest(
    scenario: Scenario,
    act: Any,  # noqa: ANN401 - either function
    engine: Any,  # noqa: ANN401 - any object
    message: str,
) -> None:
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}"):
        act(scenario, engine=engine)


@pytest.mark.usefixtures("no_run")
def test_a_comparison_whose_last_seed_is_too_large_is_refused_before_its_first_run() -> None:
    scenario = load_scenario("quickstart", overrides={"seed": LARGEST_SEED - 1, "report.seeds": 3})
    with pytest.raises(ScenarioError, match=r"^report\.seeds: 3 seeds from 9223372036854775806 on go beyond"):
        compare(scenario)
