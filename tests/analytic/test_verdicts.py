"""What a verifier's time and price do, by closed forms and hand counts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from served import MILLISECOND, scenario, tables_of, tasks, workload

from simulator.api import simulate
from simulator.engine.records import SequenceState
from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario

VERDICT: dict[str, Any] = {"seconds_per_trial": 0.25}
LUCK: dict[str, Any] = {
    "lengths": {"kind": "lognormal", "median_tokens": 30.0, "log_sigma": 0.8},
    "outcomes": {"kind": "fixed", "solve_probability": 0.4},
}


def best_of(trials: int, *, stop: bool = False) -> dict[str, Any]:
    return {"kind": "best_of_n", "trials": trials, "stop_at_first_success": stop}


def judged(verifier: dict[str, Any] | None, **parts: Any) -> Scenario:  # noqa: ANN401 - raw parts of a document
    return scenario(workload(verifier=verifier, **parts))


def by_task(tables: RunTables, column: str, task: int) -> list[int]:
    return list(tables.trials[column][tables.trials["task"] == task].tolist())


@given(users=st.integers(1, 6), verdict_ms=st.sampled_from([0, 1, 7, 300]))
def test_a_closed_loop_turns_at_service_and_verdict(users: int, verdict_ms: int) -> None:
    arrivals = {"kind": "closed_loop", "concurrency": users}
    verifier = {"seconds_per_trial": verdict_ms / 1000}
    tables = tables_of(judged(verifier, arrivals=arrivals, tasks=tasks(6 * users)))
    # Ten tokens at a millisecond a step, nobody waits: every user has six tasks one after the other.
    assert int(tables.tasks["ended_ns"].max()) == 6 * (10 + verdict_ms) * MILLISECOND


def test_a_verdict_takes_longer_for_more_tokens() -> None:
    verifier = {"seconds_per_trial": 0.5, "seconds_per_token": 0.001}
    tables = tables_of(judged(verifier, tasks=tasks(1, prompt_tokens=90)))
    ended = tables.trials["ended_ns"][0]
    assert tables.tasks["ended_ns"][0] - ended == (500 + 90 + 10) * MILLISECOND
    assert tables.end_ns == tables.tasks["ended_ns"][0]


def test_without_early_stop_the_last_verdict_ends_a_task_and_no_step_moves() -> None:
    load = {"strategy": best_of(4), "tasks": tasks(12), **LUCK}
    plain, late = tables_of(judged(None, **load)), tables_of(judged(VERDICT, **load))
    for name, column in plain.steps.items():
        assert np.array_equal(column, late.steps[name]), name
    assert np.array_equal(plain.trials["ended_ns"], late.trials["ended_ns"])
    assert (late.tasks["ended_ns"] - plain.tasks["ended_ns"] == 250 * MILLISECOND).all()
    assert np.array_equal(plain.tasks["solved"], late.tasks["solved"])


def test_the_first_good_verdict_ends_a_task_and_others_are_not_waited_for() -> None:
    tables = tables_of(
        judged({"seconds_per_trial": 0.02}, strategy=best_of(8, stop=True), tasks=tasks(40), **LUCK)
    )
    given_up = 0
    for task, ended, solved in zip(
        tables.tasks["task"], tables.tasks["ended_ns"], tables.tasks["solved"], strict=True
    ):
        ends = np.array(by_task(tables, "ended_ns", task))
        states = np.array(by_task(tables, "state", task))
        right = np.array(by_task(tables, "correct", task)) == 1
        finished = states == SequenceState.FINISHED
        verdicts = ends + 20 * MILLISECOND
        assert ended == (verdicts[finished & right].min() if solved else verdicts[finished].max())
        given_up += int((verdicts[finished] > ended).sum())
        # What still ran when the verdict came stops at the next step boundary, a millisecond away at most.
        assert (ends[~finished] - ended <= MILLISECOND).all()
        assert (ends[~finished] >= ended).all()
    assert given_up  # some trials had ended without a verdict yet


def test_a_search_goes_on_at_the_verdicts() -> None:
    search = {"kind": "beam_search", "beams": 1, "expansion": 1, "rounds": 3, "verifier_noise": 0.0}
    tables = tables_of(judged(VERDICT, strategy=search, tasks=tasks(3)))
    for task in range(3):
        submitted, ended = (by_task(tables, name, task) for name in ("submitted_ns", "ended_ns"))
        assert len(ended) == 3
        assert [later - end for later, end in zip(submitted[1:], ended, strict=False)] == [
            250 * MILLISECOND
        ] * 2


def test_a_price_alone_moves_nothing_but_the_cost() -> None:
    load = {"strategy": best_of(3), "tasks": tasks(20, prompt_tokens=40), **LUCK}
    plain = simulate(judged(None, **load))
    paid = simulate(judged({"usd_per_trial": 0.02, "usd_per_million_tokens": 50.0}, **load))
    assert paid.records.trials.tolist() == plain.records.trials.tolist()
    assert paid.records.tasks.tolist() == plain.records.tasks.tolist()
    window, trials = paid.summary["window"], RunTables.of(paid.records).trials
    inside = (trials["ended_ns"] > window["start_s"] * 1e9) & (trials["ended_ns"] <= window["end_s"] * 1e9)
    tokens = int((trials["prompt_tokens"] + trials["output_tokens"])[inside].sum())
    expected = 0.02 * int(inside.sum()) + 50.0 * tokens / 1e6
    before, after = plain.summary["cost"], paid.summary["cost"]
    assert (before["verifier_usd"], after["verifier_usd"]) == (0.0, pytest.approx(expected, rel=1e-12))
    assert after["usd"] - before["usd"] == pytest.approx(expected, rel=1e-9)
    solved = before["usd"] / before["usd_per_solved_task"]
    assert after["usd_per_solved_task"] == pytest.approx(after["usd"] / solved, rel=1e-12)


def test_a_trial_whose_verdict_the_horizon_cuts_leaves_its_task_open() -> None:
    served = scenario(workload(verifier=VERDICT, tasks=tasks(1)), report={"horizon_s": 0.1})
    tables = tables_of(served)
    assert tables.trials["state"].tolist() == [SequenceState.FINISHED]
    assert tables.tasks["ended_ns"].tolist() == [-1]
