"""Plans whose answer is known: by hand, from queueing theory, or from trying everything."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plans import document, open_loop, tasks, workload

from simulator import load_scenario, plan, simulate
from simulator.errors import InfeasiblePlanError, ScenarioError, SimulatorError
from simulator.planning.files import write_answer
from simulator.planning.pictures import trade
from simulator.planning.text import render

DP = {"parallelism.dp": "1:8:*2"}


def asked(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a plan
    return {"seeds": 1, "choices": DP, **parts}


def test_fewest_gpus_under_a_limit_are_those_by_hand() -> None:
    # 20 tasks of 0.1 s one after the other: the last ends after 2 s on one replica, 0.5 s on four.
    answer = plan(
        document(), asked=asked(minimise=["gpus"], constraints={"latency.task_s.max": {"at_most": 0.6}})
    )
    assert answer.best[0].candidate.labels == {"parallelism.dp": 4}
    assert answer.best[1].candidate.labels == {"parallelism.dp": 8}
    assert answer.best[0].mean("plan.gpus") == 4.0
    assert [str(bound) for bound in answer.binding] == ["task time max <= 0.6"]
    assert next(iter(answer.binding.values())) == pytest.approx(0.75)  # one GPU instead of four


def test_the_ledger_holds_everything_and_says_why() -> None:
    answer = plan(
        document(),
        asked=asked(
            minimise=["gpus"],
            choices=DP | {"layout": {"fits": {"parallelism.tp": 1}, "not": {"parallelism.tp": 4}}},
            constraints={"latency.task_s.max": {"at_most": 0.6}},
        ),
    )
    table = answer.table
    assert len(table) == 8
    assert table["meets"].sum() == 2  # four and eight replicas of one GPU; four do not fit eight GPUs
    reasons = table.set_index(["parallelism.dp", "layout"])["reason"]
    assert reasons[1, "fits"] == "task time max <= 0.6"
    assert "tp 4 x dp 8 = 32 GPUs" in reasons[8, "not"]


def test_a_limit_that_nothing_meets_says_by_how_much_it_is_missed() -> None:
    answer = plan(
        document(), asked=asked(minimise=["gpus"], constraints={"latency.task_s.max": {"at_most": 0.1}})
    )
    assert not answer.is_met
    with pytest.raises(
        InfeasiblePlanError, match=r"dp 8: task time max is 0.3, and must be at most 0.1 \(200.0% off"
    ):
        answer.require_met()


@pytest.mark.slow
def test_the_highest_rate_of_a_single_server_is_that_of_queueing_theory() -> None:
    # M/D/1 with service of 0.1 s: the mean wait is rho s / (2 (1 - rho)), 0.1 s at rho = 2/3.
    answer = plan(
        open_loop(count=4000),
        asked={
            "highest": {"path": "workload.arrivals.rate_per_s", "low": 1.0, "high": 9.5},
            "constraints": {"latency.queueing_s.mean": {"at_most": 0.1}},
            "seeds": 3,
        },
    )
    bracket = answer.bracket
    assert bracket is not None
    assert bracket.good is not None
    assert bracket.bad is not None
    assert bracket.bad.value / bracket.good.value - 1.0 <= 0.021
    assert bracket.good.value == pytest.approx(20 / 3, rel=0.05)


@pytest.mark.slow
def test_a_rate_beyond_the_service_rate_is_not_sustained() -> None:
    answer = plan(
        open_loop(count=4000),
        asked={"highest": {"path": "workload.arrivals.rate_per_s", "low": 5.0, "high": 20.0}, "seeds": 1},
    )
    assert answer.bracket is not None
    assert answer.bracket.good is not None
    # One replica answers ten a second; 4,000 tasks tell that from 4.7 % more, and the bracket is 2 % wide.
    assert 9.5 < answer.bracket.good.value < 10.7


@pytest.mark.slow
def test_fewest_replicas_for_a_rate_are_whole_and_linked_numbers_follow() -> None:
    load = open_loop(rate_per_s=45.0, count=4000)
    answer = plan(
        load,
        asked={
            "lowest": {"path": "parallelism.dp", "low": 1, "high": 64, "with": {"hardware.gpus": 1}},
            "constraints": {"latency.queueing_s.mean": {"at_most": 0.1}},
            "seeds": 1,
        },
    )
    bracket = answer.bracket
    assert bracket is not None
    assert bracket.good is not None
    assert bracket.bad is not None
    assert (bracket.bad.value, bracket.good.value) == (4, 5)  # 45 a second need 4.5 replicas of ten a second
    changes = bracket.good.known.candidate.point.changes
    assert changes == {"parallelism.dp": 5, "hardware.gpus": 5}


@pytest.mark.parametrize(
    ("factor", "ends", "found"), [(0.3333333333333333, (3, 30), (9, 12)), (0.28, (25, 100), (75, 100))]
)
def test_factors_are_the_ratios_that_they_stand_for(
    factor: float, ends: tuple[int, int], found: tuple[int, int]
) -> None:
    # Four replicas take 0.5 s, three 0.7 s: twelve GPUs where every third has one. 28 replicas take 0.1 s.
    extreme = {"path": "hardware.gpus", "low": ends[0], "high": ends[1], "with": {"parallelism.dp": factor}}
    limit = {"latency.task_s.max": {"at_most": 0.6 if factor > 0.3 else 0.11}}
    load = document(workload=workload(tasks=tasks(20 if factor > 0.3 else 28)))
    bracket = plan(load, asked={"lowest": extreme, "constraints": limit, "seeds": 1}).bracket
    assert bracket is not None
    assert bracket.good is not None
    assert bracket.bad is not None
    assert (bracket.bad.value, bracket.good.value) == found


def test_a_linked_ratio_at_its_bound_is_no_whole_number() -> None:
    # One replica answers ten tasks a second; the probability of solving one follows the rate up to 1.
    extreme = {
        "path": "workload.lengths.tokens",
        "low": 1,
        "high": 10,
        "with": {"workload.outcomes.solve_probability": 0.1},
    }
    limit = {"latency.task_s.max": {"at_most": 0.9}}
    bracket = plan(document(), asked={"highest": extreme, "constraints": limit, "seeds": 1}).bracket
    assert bracket is not None
    assert bracket.good is not None
    assert bracket.good.value == 4  # 20 tasks of 4 steps of 10 ms, one after the other, end after 0.8 s


@pytest.mark.parametrize("ends", [(2, 16), (2, 14), (6, 16)])
def test_values_whose_linked_numbers_are_no_whole_ones_are_passed_over(ends: tuple[int, int]) -> None:
    # 20 tasks of 0.1 s, one after the other, take 0.5 s on four replicas and 0.7 s on three.
    extreme = {"path": "hardware.gpus", "low": ends[0], "high": ends[1], "with": {"parallelism.dp": 0.5}}
    limit = {"latency.task_s.max": {"at_most": 0.6}}
    bracket = plan(document(), asked={"lowest": extreme, "constraints": limit, "seeds": 1}).bracket
    assert bracket is not None
    assert bracket.good is not None
    assert bracket.bad is not None
    assert (bracket.bad.value, bracket.good.value) == (6, 8)
    assert not any(one.known.reason for one in bracket.tries)


def test_ends_that_hold_both_or_neither_say_so() -> None:
    extreme = {"path": "workload.arrivals.rate_per_s", "low": 1.0, "high": 2.0}
    both = plan(open_loop(), asked={"highest": extreme, "seeds": 1})
    assert "true one lies beyond" in " ".join(render(both).split())
    neither = plan(
        open_loop(), asked={"highest": extreme, "seeds": 1, "constraints": {"task_p50": {"at_most": 0.01}}}
    )
    assert not neither.is_met
    assert "task time p50" in neither.unmet


@pytest.mark.slow
def test_a_search_finds_the_best_of_all_at_a_tenth_of_the_runs(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    choices = {
        "parallelism.dp": "1:8",
        "engine.max_sequences": "1:8:*2",
        "workload.strategy.trials": "1:8",
        "workload.lengths.tokens": [10, 20],
    }
    load = document()
    load["workload"]["strategy"] = {"kind": "best_of_n", "trials": 1}
    goal = {"minimise": ["cost"], "constraints": {"latency.task_s.max": {"at_most": 0.4}}}
    every = plan(load, asked=asked(choices=choices, sampler="exhaustive", **goal), store=tmp_path)
    assert len(every.ledger) == 512
    best = every.best[0].mean("cost.usd_per_solved_task")
    for seed in range(3):
        found = plan(
            load,
            asked=asked(choices=choices, sampler="tpe", runs=51, search_seed=seed, **goal),
            store=tmp_path,
        )
        assert len(found.ledger) <= 55
        assert found.best[0].mean("cost.usd_per_solved_task") <= 1.02 * best


def test_several_goals_give_those_that_nothing_beats() -> None:
    # More replicas are faster and cost more: each of the four is the best at something.
    answer = plan(document(), asked=asked(minimise=["gpus", "latency.task_s.max"]))
    assert [each.candidate.labels["parallelism.dp"] for each in answer.pareto] == [1, 2, 4, 8]
    load = document()
    load["parallelism"] = {"tp": 1}
    worse = {"choices": DP | {"engine.latency.step_s": [0.01, 0.02]}}
    answer = plan(load, asked=asked(minimise=["gpus", "latency.task_s.max"], **worse))
    assert {each.candidate.labels["engine.latency.step_s"] for each in answer.pareto} == {0.01}


def test_a_section_of_a_file_with_variants_is_planned(tmp_path: Path) -> None:
    load = document(variants={"one": {"parallelism": {"dp": 1}}, "two": {"parallelism": {"dp": 2}}})
    load["plan"] = {
        "minimise": ["latency.task_s.max"],
        "choices": {"engine.max_sequences": [1, 2]},
        "seeds": 1,
    }
    answer = plan(load)
    assert answer.best[0].candidate.labels == {"engine.max_sequences": 2, "variant": "two"}
    assert not any(each.reason for each in answer.ledger)
    folder = write_answer(answer, load, tmp_path / "out")
    assert load_scenario(folder / "01-2-two.yaml").parallelism.dp == 2


def test_a_picture_of_three_goals_has_a_panel_for_each_pair() -> None:
    goals = ["gpus", "latency.task_s.max", "cost"]
    two, three = (trade(plan(document(), asked=asked(minimise=goals[:n], sensitivity={}))) for n in (2, 3))
    assert [panel.x.title for panel in three.panels] == ["GPUs", "GPUs", "task time max, s"]
    assert [panel.series[1].style for panel in two.panels] == ["dotted_line"]
    assert {panel.series[1].style for panel in three.panels} == {"dots"}  # a line would go to and fro
    assert not three.shared_y


def test_an_answer_repeats_from_its_store_with_any_workers(tmp_path: Path) -> None:
    what = asked(minimise=["cost"], seeds=2)
    first = plan(document(), asked=what, store=tmp_path / "a")
    again = plan(document(), asked=what, store=tmp_path / "a")
    spread = plan(document(), asked=what, workers=2)
    assert first.kept == 0 < first.runs == again.runs == again.kept == spread.runs
    assert first.table.equals(again.table)
    assert first.table.equals(spread.table)


def test_a_study_in_a_journal_is_shared(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    what = asked(minimise=["cost"], choices={"engine.max_sequences": "1:64"}, sampler="tpe", runs=16)
    journal = tmp_path / "study.log"
    first = plan(document(), asked=what, storage=str(journal))
    asked_for = journal.read_text(encoding="utf-8").count("engine.max_sequences")
    second = plan(document(), asked=what, storage=str(journal))
    # The study was full: its best were looked at again, and half as many runs as a plan of one's own has.
    assert len(second.ledger) < len(first.ledger)
    assert journal.read_text(encoding="utf-8").count("engine.max_sequences") == asked_for
    assert second.ledger[0].candidate in [each.candidate for each in first.ledger]
    costs = [each.best[0].mean("cost.usd_per_solved_task") for each in (first, second)]
    assert costs[1] <= costs[0]


def test_written_plans_run_to_the_figures_that_they_promise(tmp_path: Path) -> None:
    source = document()
    answer = plan(source, asked=asked(minimise=["cost"], constraints={"gpus": {"at_least": 2}}))
    folder = write_answer(answer, source, tmp_path / "out")
    files = sorted(folder.glob("*.yaml"))
    assert [path.name for path in files] == ["01-2.yaml", "02-4.yaml", "03-8.yaml"]
    for path, known in zip(files, answer.best, strict=True):
        summary = simulate(load_scenario(path)).summary
        assert summary["cost"]["usd_per_solved_task"] == known.mean("cost.usd_per_solved_task")
    told = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    assert told["met"]
    assert [each["choices"] for each in told["plans"]] == [{"parallelism.dp": dp} for dp in (2, 4, 8)]
    with pytest.raises(SimulatorError, match="exists"):
        write_answer(answer, source, folder)


def test_plans_name_what_catalogs_hold(tmp_path: Path) -> None:
    answer = plan(
        "quickstart",
        overrides={"workload.tasks.repeats": 1, "variants": None},
        asked=asked(minimise=["cost"], choices={"workload.strategy.trials": [1, 2]}),
    )
    folder = write_answer(
        answer, "quickstart", tmp_path / "out", overrides={"workload.tasks.repeats": 1, "variants": None}
    )
    text = (folder / "01-1.yaml").read_text(encoding="utf-8")
    assert "hardware: b200-sxm-8" in text
    assert "preset: qwen3-8b" in text
    assert len(text) < 3000


def test_inputs_move_the_goal_as_they_must() -> None:
    answer = plan(document(), asked=asked(minimise=["cost"]))
    changes = {(each.what, each.after): each.change for each in answer.effects}
    assert changes["price of a GPU", "7.5"] == pytest.approx(0.25)
    assert changes["price of a GPU", "4.8"] == pytest.approx(-0.2)
    assert changes["parallelism.dp", "2"] == pytest.approx(0.0, abs=1e-9)  # half the time, twice the GPUs


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"minimise": ["cst"]}, r"unknown figure 'cst'; did you mean cost\?"),
        ({"minimise": ["cost"], "constraints": {"solving_rate": {"at_least": 80}}}, "no run has more than 1"),
        ({"minimise": ["cost"], "constraints": {"task_p95": {"at_most": -1}}}, "no run has less than 0"),
        (
            {"minimise": ["cost"], "constraints": {"task_p50": {"at_least": 9}, "task_p95": {"at_most": 8}}},
            "task time p50 >= 9 and task time p95 <= 8 exclude each other",
        ),
        (
            {"minimise": ["cost"], "constraints": {"task_p95": {"at_least": 9, "at_most": 8}}},
            "at_least 9 is above at_most 8: nothing can meet both",
        ),
        ({"minimise": ["cost"], "maximise": ["cost"]}, "cost is to be both small and large"),
        ({"minimise": ["cost"], "choices": None}, "say what may be chosen"),
        ({}, "say one of: minimise and maximise, highest, lowest"),
        ({"minimise": ["cost"], "choices": {"parallelism.d": [1, 2]}}, "--choice parallelism.d: unknown key"),
        ({"minimise": ["cost"], "choices": {"parallelism.dp": [1, 0]}}, "--choice parallelism.dp: "),
        (
            {"minimise": ["cost"], "choices": {"parallelism.dp": [1], "parallelism": [{"dp": 2}]}},
            "both change parallelism.dp",
        ),
        (
            {"highest": {"path": "workload.arrivals.rate", "low": 1.0, "high": 2.0}},
            "--highest workload.arrivals.rate: unknown key of poisson; did you mean rate_per_s",
        ),
        ({"highest": {"path": "seed", "low": 3, "high": 2}}, "needs low < high"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(what: dict[str, Any], told: str) -> None:
    given = {"choices": DP, **what} if what.keys() & {"minimise", "maximise"} else what
    if given.get("choices", 1) is None:
        given.pop("choices")
    with pytest.raises(ScenarioError, match=told):
        plan(open_loop(), asked=given)
