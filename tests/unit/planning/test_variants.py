"""Plans of scenarios with variants: choices of one, values of their own, scenarios as they were run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plans import document, open_loop

from simulator import load_scenario, plan
from simulator.errors import ScenarioError
from simulator.planning.files import write_answer

SEQUENCES = "variants.fast.engine.max_sequences"


def two(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    """Return a scenario with a slow and a fast variant, and a choice that only the fast one has."""
    fast = {"engine.latency": {"kind": "constant", "step_s": 5e-3}}
    return document(variants={"slow": {}, "fast": fast}, **parts)


def asked(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a plan
    return {"minimise": ["latency.task_s.max"], "choices": {SEQUENCES: [1, 2]}, "seeds": 1, **parts}


@pytest.mark.parametrize("goal", ["minimise", "maximise"])
def test_a_choice_of_one_variant_is_none_of_another(tmp_path: Path, goal: str) -> None:
    what = asked(minimise=None) | {goal: ["latency.task_s.max"]}
    source = two()
    answer = plan(source, asked={name: value for name, value in what.items() if value is not None})
    # The slow variant is one candidate, however often its neighbour's choice changes.
    assert sorted(answer.table["variant"]) == ["fast", "fast", "slow"]
    assert (answer.table["seeds"] == 1).all()
    assert answer.best[0].candidate.variant == ("fast" if goal == "minimise" else "slow")
    folder = write_answer(answer, source, tmp_path / "out")
    for path, known in zip(sorted(folder.glob("0*.yaml")), answer.best, strict=False):
        written = load_scenario(path)
        fast = known.candidate.variant == "fast"
        assert written.engine.latency.step_s == (5e-3 if fast else 1e-2)  # type: ignore[union-attr] # of kind constant
        assert written.engine.max_sequences == (known.candidate.labels[SEQUENCES] if fast else 1)


def test_a_choice_that_a_variant_overrides_is_refused() -> None:
    source = two()
    source["variants"]["fast"]["workload.max_tokens"] = 400_000
    with pytest.raises(ScenarioError, match=r"without effect: .*max_tokens changes nothing in variant fast"):
        plan(source, asked=asked(choices={"workload.max_tokens": [8000, 16000]}))


def test_inputs_of_a_variant_with_its_own_hardware_are_varied() -> None:
    source = two()
    node = dict(source["hardware"])
    node["gpu"] = node["gpu"] | {"price_usd_per_hour": {"value": 10.0, "source": "this test"}}
    source["variants"]["fast"]["hardware"] = node
    answer = plan(
        source, asked=asked(minimise=["usd_per_hour"], constraints={"latency.task_s.max": {"at_most": 1.5}})
    )
    assert answer.best[0].candidate.variant == "fast"
    changes = {each.after: each.change for each in answer.effects if each.what == "price of a GPU"}
    assert changes == {"8": pytest.approx(-0.2), "12.5": pytest.approx(0.25)}


def test_whole_numbers_of_a_file_are_varied_as_fractions_and_nothing_is_left_alone() -> None:
    source = open_loop(rate_per_s=1)
    source["workload"]["verifier"] = {"usd_per_trial": 0.01}
    what = {"minimise": ["cost"], "choices": {"parallelism.dp": [1, 2]}, "seeds": 1, "keeps_up": False}
    effects = plan(source, asked=what).effects
    assert {each.after for each in effects if each.what == "arrival rate"} == {"0.8", "1.25"}
    assert not {"time of a verdict", "price of judged tokens"} & {each.what for each in effects}
