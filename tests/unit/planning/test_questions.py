"""What a plan may be asked: what contradicts itself, or cannot be met, is said before anything runs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parent))

from plans import document, open_loop

from simulator import plan
from simulator.errors import ScenarioError, SimulatorError
from simulator.planning.asking import spec_of
from simulator.planning.evaluating import Candidate, Evaluated
from simulator.planning.files import answer_document
from simulator.planning.text import render
from simulator.scenario.plans import PlanSpec
from simulator.sweeps.design import Point

DP = {"parallelism.dp": "1:8:*2"}
RATE = "workload.arrivals.rate_per_s"


def ask(load: dict[str, Any] | None = None, **parts: Any) -> Any:  # noqa: ANN401 - an answer or its text
    asked = {"minimise": ["gpus"], "choices": DP, "seeds": 1, **parts}
    return plan(load or document(), asked={name: value for name, value in asked.items() if value is not None})


def refused(load: dict[str, Any] | None = None, **parts: Any) -> tuple[str, ...]:  # noqa: ANN401 - raw parts
    with pytest.raises(ScenarioError) as caught:
        ask(load, **parts)
    return caught.value.faults


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"gpus": {"at_most": 0}}, "GPUs <= 0: no candidate has less than 1 GPUs"),
        ({"gpus": {"at_least": 9}}, "GPUs >= 9: no candidate has more than 8 GPUs"),
        (
            {"usd_per_hour": {"at_most": 5.9}},
            "cost per hour <= 5.9: no candidate has less than 6 USD per hour",
        ),
        ({"goodput": {"at_least": 0.1}}, "no run has goodput without a service level"),
        ({"throughput.tasks_per_s": {"at_least": 1.4}}, "tasks/s >= 1.4: 1 tasks arrive per second"),
        ({"solved_tasks_per_s": {"at_least": 1.4}}, "1 tasks arrive per second"),
        (
            {"solved_tasks_per_s": {"at_least": 0.9}, "throughput.tasks_per_s": {"at_most": 0.8}},
            "solved tasks/s >= 0.9 and tasks/s <= 0.8 exclude each other",
        ),
    ],
)
def test_limits_that_no_candidate_meets_are_refused(limits: dict[str, Any], told: str) -> None:
    assert any(told in fault for fault in refused(open_loop(), constraints=limits))


@pytest.mark.parametrize(
    "limits",
    [
        {"gpus": {"at_most": 1}},
        {"gpus": {"at_least": 8}},
        {"usd_per_hour": {"at_most": 6}},
        {"throughput.tasks_per_s": {"at_least": 0.9}},
    ],
)
def test_limits_that_a_candidate_meets_are_not(limits: dict[str, Any]) -> None:
    assert ask(open_loop(), constraints=limits).is_met


def test_layouts_that_other_choices_make_possible_count() -> None:
    # Eight ranks cannot share four heads, so beside the scenario's own model no candidate has eight GPUs.
    heads = {"few": {"model.preset.query_heads": 4}, "many": {"model.preset.query_heads": 8}}
    choices = {"heads": heads, "parallelism.tp": [1, 8]}
    answer = ask(choices=choices, constraints={"gpus": {"at_least": 8}})
    assert [each.candidate.labels["heads"] for each in answer.best] == ["many"]


def test_all_faults_are_told_at_once() -> None:
    faults = refused(
        minimise=["csot"], constraints={"tsk_p95": {"at_most": 1}}, choices={"parallelism.d": [1]}
    )
    assert [fault.partition(": ")[0] for fault in faults] == [
        "plan.minimise",
        "plan.constraints.tsk_p95",
        "--choice parallelism.d",
    ]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"minimise": ["cost", "cost"]}, "cost is given twice"),
        ({"minimise": ["cost", "cost.usd_per_solved_task"]}, "are the same figure"),
        (
            {"minimise": ["cost"], "maximise": ["cost.usd_per_solved_task"]},
            "cost is to be both small and large",
        ),
        ({"choices": {"meets": {"a": {"parallelism.dp": 1}}}}, "plan.choices.meets: is another column"),
        ({"sensitivity": {"workload.lengths.tokns": [1, 2]}}, "did you mean tokens?"),
        ({"sensitivity": {"workload.lengths.tokens": [1, "x"]}}, "expected a whole number, got the text 'x'"),
        ({"sensitivity": {"workload.lengths.tokens": "1..2"}}, "expected values, such as"),
        ({"highest": {"path": "seed", "low": 1, "high": 2}}, "say one of"),
    ],
)
def test_questions_that_make_no_sense_are_refused(parts: dict[str, Any], told: str) -> None:
    assert told in "\n".join(refused(**parts))


@pytest.mark.parametrize(
    ("extreme", "told"),
    [
        ({"low": float("nan"), "high": 2.0}, "plan.highest.low: expected a finite number above 0, got nan"),
        ({"low": 1.0, "high": True}, "plan.highest.high: expected a finite number above 0, got True"),
        ({"low": 1.0, "high": 2.0, "with": {"hardware.gpus": 0}}, "expected a finite number above 0, got 0"),
        ({"low": 1.0, "high": 2.0, "with": {"no path": 1}}, "'no path' is no path of a scenario"),
        ({"low": 1.0, "high": 2.0, "with": {RATE: 2}}, "is the number that is looked for"),
        ({"low": 1.0, "high": 2.0, "with": {"hardware.gpuz": 1}}, "did you mean gpu"),
    ],
)
def test_ends_and_factors_are_positive_numbers(extreme: dict[str, Any], told: str) -> None:
    parts = {"minimise": None, "choices": None, "highest": {"path": RATE, **extreme}}
    assert told in "\n".join(refused(open_loop(), **parts))


def test_whole_numbers_are_linked_to_whole_numbers() -> None:
    extreme = {"path": RATE, "low": 1.0, "high": 2.0, "with": {"hardware.gpus": 4}}
    (told,) = refused(open_loop(), minimise=None, choices=None, highest=extreme)
    assert told.startswith(
        "plan.highest.with: hardware.gpus takes whole numbers alone, and workload.arrivals"
    )
    uneven = {"path": "hardware.gpus", "low": 3, "high": 8, "with": {"parallelism.dp": 0.5}}
    (told,) = refused(open_loop(), minimise=None, choices=None, lowest=uneven)
    assert "1.5" in told


def test_an_extreme_is_asked_of_one_plan() -> None:
    extreme = {"path": RATE, "low": 1.0, "high": 2.0}
    told = refused(open_loop(), minimise=None, highest=extreme)
    assert told == ("plan: choices: go with minimise and maximise; highest takes the scenario as it is",)
    load = open_loop() | {"variants": {"a": {"parallelism": {"dp": 1}}, "b": {"parallelism": {"dp": 2}}}}
    told = refused(load, minimise=None, choices=None, highest=extreme)
    assert told == ("plan.highest: asks it of one plan; the scenario has the variants a, b",)


def test_whole_ends_of_a_path_of_fractions_are_fractions() -> None:
    # M/D/1 with service of 0.1 s: a wait of 0.1 s at 6.67 a second, so neither 6 nor 7 is the answer.
    answer = ask(
        open_loop(count=1000),
        minimise=None,
        choices=None,
        highest={"path": RATE, "low": 4, "high": 8},
        constraints={"latency.queueing_s.mean": {"at_most": 0.1}},
    )
    assert answer.bracket.bad.value / answer.bracket.good.value <= 1.0 / 0.98
    assert answer.bracket.good.value != round(answer.bracket.good.value)


def test_ends_the_wrong_way_round_say_so() -> None:
    parts = {"minimise": None, "choices": None, "constraints": {"latency.task_s.max": {"at_most": 0.6}}}
    answer = ask(highest={"path": "parallelism.dp", "low": 1, "high": 8}, **parts)
    assert answer.unmet == (
        "the limits hold at parallelism.dp 8 and not at parallelism.dp 1: "
        "that has a lowest value, and no other"
    )
    answer = ask(lowest={"path": "parallelism.dp", "low": 1, "high": 12}, **parts)
    assert answer.unmet.startswith("the end that should be easy, parallelism.dp 12, cannot run: ")


def test_the_nearest_of_two_ends_is_the_one_that_misses_least() -> None:
    answer = ask(
        minimise=None,
        choices=None,
        highest={"path": "parallelism.dp", "low": 1, "high": 8},
        constraints={"latency.task_s.max": {"at_most": 0.1}},
    )
    assert answer.unmet == (
        "no end meets all limits; the nearest, parallelism.dp 8: "
        "task time max is 0.3, and must be at most 0.1 (200.0% off)"
    )
    assert "within chance" not in render(answer)
    assert "one seed: nothing tells what is chance" in render(answer)


def test_a_goal_of_zero_is_told_without_per_cent() -> None:
    answer = ask(minimise=["latency.queueing_s.mean"], choices={"engine.max_sequences": [20, 30, 1]})
    assert "Next: engine.max_sequences 30: queueing mean 0 s." in render(answer)
    assert "No longer 0 queueing mean: engine.max_sequences 1." in render(answer)
    json.dumps(answer_document(answer), allow_nan=False)


@pytest.mark.parametrize("goals", [["cost"], ["cost", "energy"]])
def test_a_goal_that_no_run_has_is_no_plan(goals: list[str]) -> None:
    load = document()
    load["workload"]["outcomes"] = {"kind": "fixed", "solve_probability": 0.0}
    answer = ask(load, minimise=goals)
    assert not answer.is_met
    assert "there is no cost per solved task" in answer.unmet
    assert "has no cost per solved task" in answer.table["reason"][0]
    assert not answer.table["meets"].any()
    json.dumps(answer_document(answer), allow_nan=False)


def test_inputs_are_varied_as_asked() -> None:
    answer = ask(minimise=["cost"], sensitivity={"workload.lengths.tokens": [5, 20]})
    changes = {each.after: each.change for each in answer.effects if each.what == "workload.lengths.tokens"}
    assert changes == {"5": pytest.approx(-0.5), "20": pytest.approx(1.0)}
    assert {each.what for each in ask(sensitivity={}).effects} == {"parallelism.dp"}


def test_the_usual_inputs_are_varied_by_the_swing() -> None:
    load = document()
    load["workload"]["verifier"] = {"usd_per_trial": 0.02, "usd_per_million_tokens": 0.0}
    effects = ask(load, minimise=["cost"], swing=2).effects
    verdict, rent = (
        sorted((float(each.after) / float(each.before), each.change) for each in effects if each.what == what)
        for what in ("price of a verdict", "price of a GPU")
    )
    assert [factor for factor, _ in verdict] == [factor for factor, _ in rent] == [0.5, 2.0]
    # Cost is rent and verdicts: what twice the one and twice the other add is the whole.
    assert verdict[1][1] + rent[1][1] == pytest.approx(1.0)
    assert verdict[0][1] == pytest.approx(-verdict[1][1] / 2.0)
    assert not {"price of judged tokens", "time of a verdict"} & {each.what for each in effects}  # are 0


def test_a_chance_is_not_varied_beyond_one() -> None:
    assert [each.after for each in ask().effects if each.what == "chance of a trial"] == ["0.8"]


def test_equal_seeds_have_no_spread() -> None:
    best = ask(minimise=["cost"], seeds=3).best[0]
    assert best.half_width("cost.usd_per_solved_task", 0.95) == 0.0


def test_too_many_candidates_to_try_all_are_refused() -> None:
    choices = {"engine.max_sequences": "1:10000", "engine.max_batched_tokens": "100:10099"}
    with pytest.raises(
        SimulatorError, match="all 100,000,000 candidates are more than 100,000; let a sampler"
    ):
        ask(choices=choices, sampler="exhaustive")


def test_limits_of_options_are_added_side_by_side() -> None:
    own = PlanSpec.model_validate(
        {"minimise": ["gpus"], "choices": DP, "constraints": {"latency.task_s.p95": {"at_most": 2.0}}},
        strict=False,
    )
    spec = spec_of(own, {"constraints": {"task_p95": {"at_least": 1.0}}})
    assert spec.model_dump()["constraints"] == {"task_p95": {"at_most": 2.0, "at_least": 1.0}}
    assert spec_of(own, {"lowest": {"path": "parallelism.dp", "low": 1, "high": 2}}).choices is None


def test_files_of_choices_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, yaml = document(), YAML(typ="safe", pure=True)
    preset = load["model"]["preset"]
    (tmp_path / "models").mkdir()
    for layers in (2, 4):
        with (tmp_path / f"models/of{layers}.yaml").open("w", encoding="utf-8") as file:
            yaml.dump({**preset, "name": f"of{layers}", "layers": layers}, file)
    load["plan"] = {
        "minimise": ["gpus"],
        "choices": {"model.preset": ["models/of2.yaml", "models/of4.yaml"]},
        "seeds": 1,
    }
    with (tmp_path / "load.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(load, file)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(plan("../load.yaml").best) == 2
    option = {"choices": {"model.preset": ["../models/of4.yaml"]}}
    assert len(plan("../load.yaml", asked=option).best) == 1


def test_candidates_are_compared_over_the_seeds_that_both_have() -> None:
    candidate = Candidate(Point({"x": 1}, {"x": 1}))
    best = Evaluated(candidate, values=[{"cost": value} for value in (1.0, 2.0, 3.0)])
    once = Evaluated(candidate, values=[{"cost": 1.1}])  # dearer, though less than the mean of the other
    ratio, half = once.beside(best, "cost", 0.95)
    assert ratio == pytest.approx(0.1)
    assert math.isnan(half)
    always = Evaluated(candidate, values=[{"cost": value} for value in (1.2, 2.2, 3.2)])
    ratio, half = always.beside(best, "cost", 0.95)
    assert ratio == pytest.approx(0.1)
    assert half == pytest.approx(0.0, abs=1e-9)
    assert always.half_width("cost", 0.95) > 2.0


def test_a_best_plan_within_chance_of_a_limit_says_so() -> None:
    load = open_loop(rate_per_s=6.0)
    limit = {"latency.queueing_s.mean": {"at_most": 0.1}}
    text = render(ask(load, choices={"parallelism.dp": [1, 2]}, constraints=limit, seeds=2))
    assert "Within chance: queueing mean <= 0.1. More seeds tell whether the best meets it." in text
    far = {"latency.queueing_s.mean": {"at_most": 1.0}}
    text = render(ask(load, choices={"parallelism.dp": [1, 2]}, constraints=far, seeds=2))
    assert "Within chance" not in text
