"""Recorded sessions: turns come when their parent and tool have ended, and both engines agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import TINY_MODEL, documents, node
from test_engines_agree import assert_same_records

from simulator.engine.records import TASK_COLUMNS, TRIAL_COLUMNS, column
from simulator.engine.run import EngineName, run_scenario
from simulator.scenario.schema import Scenario
from simulator.units import to_ns

ENGINES: tuple[EngineName, ...] = ("fast", "reference")


@st.composite
def prefixes(draw: st.DrawFn, prompts: list[int], follow_ups: list[int]) -> dict[str, Any]:
    """Draw a forest of segments, and for each prompt one that is not longer than it."""
    parents, ends = list[int](), list[int]()
    for segment in range(draw(st.integers(1, 5))):
        parents.append(draw(st.integers(-1, segment - 1)))
        before = ends[parents[-1]] if parents[-1] >= 0 else 0
        ends.append(before + draw(st.sampled_from([1, 7, 16, 32])))

    def last(prompt: int) -> int:
        return draw(st.sampled_from([-1, *(s for s, end in enumerate(ends) if end <= prompt)]))

    return {
        "parents": parents,
        "end_tokens": ends,
        "tasks": [last(prompt) for prompt in prompts],
        "follow_ups": [last(prompt) for prompt in follow_ups],
    }


@st.composite
def sessions(draw: st.DrawFn) -> Scenario:
    """Draw a scenario whose tasks are sessions: chains and trees, tools of no time and of many steps."""
    document = draw(documents())
    count = document["workload"]["tasks"]["count"]
    gaps = draw(st.lists(st.sampled_from([0.0, 1e-4, 0.003]), min_size=count, max_size=count))
    tokens = st.integers(1, 90)
    follow: dict[str, list[Any]] = {
        "tasks": [],
        "parents": [],
        "tool_s": [],
        "prompt_tokens": [],
        "output_tokens": [],
    }
    for task in range(count):
        for turn in range(draw(st.integers(0, 4))):
            follow["tasks"].append(task)
            follow["parents"].append(draw(st.integers(0, turn)))
            follow["tool_s"].append(draw(st.sampled_from([0.0, 1e-10, 1e-4, 1e-3, 0.0123])))
            follow["prompt_tokens"].append(draw(st.integers(1, 200)))
            follow["output_tokens"].append(draw(tokens))
    prompts = draw(st.lists(tokens, min_size=count, max_size=count))
    arrivals = {
        "kind": "trace",
        "arrivals_s": np.cumsum(gaps).tolist(),
        "prompt_tokens": prompts,
        "output_tokens": draw(st.lists(tokens, min_size=count, max_size=count)),
        "follow_ups": follow if follow["tasks"] else None,
        "prefixes": draw(st.one_of(st.none(), prefixes(prompts, follow["prompt_tokens"]))),
        "sample_ratio": 1.0,
    }
    workload = document["workload"] | {"arrivals": arrivals, "strategy": {"kind": "recorded"}}
    workload["shared_prefix_tokens"] = 0
    workload["max_tokens"] = 40
    return Scenario.model_validate(document | {"workload": workload})


@given(scenario=sessions())
def test_both_engines_give_the_same_records_of_recorded_sessions(scenario: Scenario) -> None:
    assert_same_records(scenario)


def session_scenario(**arrivals: Any) -> Scenario:  # noqa: ANN401 - any field
    """Return one session of four turns on one replica, the last two after the second."""
    document: dict[str, Any] = {
        "schema": 1,
        "hardware": node(),
        "model": {"preset": TINY_MODEL},
        "engine": {"latency": {"kind": "constant", "step_s": 1e-3}},
        "workload": {
            "tasks": {"kind": "synthetic", "count": 1, "prompt_tokens": 9},
            "arrivals": {
                "kind": "trace",
                "arrivals_s": [0.5],
                "prompt_tokens": [64],
                "output_tokens": [10],
                "follow_ups": {
                    "tasks": [0, 0, 0],
                    "parents": [0, 1, 1],
                    "tool_s": [0.25, 0.0, 1.5],
                    "prompt_tokens": [100, 96, 200],
                    "output_tokens": [20, 30, 40],
                },
            }
            | arrivals,
            "lengths": {"kind": "constant", "tokens": 5},
            "outcomes": {"kind": "fixed", "solve_probability": 0.5},
            "strategy": {"kind": "recorded"},
        },
    }
    return Scenario.model_validate(document)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_turn_is_sent_when_its_parent_and_its_tool_have_ended(engine: EngineName) -> None:
    trials = run_scenario(session_scenario(), seed=1, engine=engine).records.trials
    sent, ended, parents, prompts, outputs = (
        column(trials, TRIAL_COLUMNS, name).tolist()
        for name in ("submitted_ns", "ended_ns", "parent", "prompt_tokens", "output_tokens")
    )
    assert prompts == [64, 100, 96, 200]
    assert outputs == [10, 20, 30, 40]
    assert parents == [-1, 0, 1, 1]
    waits = [to_ns(0.25), 0, to_ns(1.5)]
    assert [at - ended[parent] for at, parent in zip(sent[1:], parents[1:], strict=True)] == waits


def test_a_turn_finds_what_its_session_has_cached() -> None:
    trials = run_scenario(session_scenario(), seed=1).records.trials
    cached = column(trials, TRIAL_COLUMNS, "cached_tokens").tolist()
    # Turn 1 begins with all 74 tokens of turn 0, of which whole blocks of 16 stayed. Turn 2 has a prompt
    # shorter than the 120 tokens of turn 1, so it shares what turn 1 itself had in common. Turn 3 has it all.
    assert cached == [0, 64, 64, 112]


def test_a_session_is_solved_when_no_request_of_it_was_cut() -> None:
    whole = session_scenario()
    cut = whole.model_copy(update={"workload": whole.workload.model_copy(update={"max_tokens": 39})})
    solved = [
        column(run_scenario(scenario, seed=1).records.tasks, TASK_COLUMNS, "solved").tolist()
        for scenario in (whole, cut)
    ]
    assert solved == [[1], [0]]


def test_a_horizon_that_ends_in_a_tool_leaves_the_task_open() -> None:
    scenario = session_scenario()
    cut = scenario.model_copy(update={"report": scenario.report.model_copy(update={"horizon_s": 1.0})})
    for engine in ENGINES:
        records = run_scenario(cut, seed=1, engine=engine).records
        assert column(records.tasks, TASK_COLUMNS, "ended_ns").tolist() == [-1]
        assert len(records.trials) == 3


def test_a_tool_that_ends_with_a_step_comes_before_the_end_of_that_step() -> None:
    # The fast engine takes that step as in flight only if it knows that the boundary of this moment is still
    # to come.
    scenario = session_scenario(
        arrivals_s=[0.0] * 5,
        prompt_tokens=[1] * 5,
        output_tokens=[1, 1, 1, 1, 10],
        follow_ups={
            "tasks": [1],
            "parents": [0],
            "tool_s": [0.01],
            "prompt_tokens": [1],
            "output_tokens": [1],
        },
    )
    document = scenario.model_dump(mode="json", by_alias=True)
    document["engine"] |= {"max_sequences": 2, "max_batched_tokens": 16}
    document["workload"]["tasks"]["count"] = 5
    assert_same_records(Scenario.model_validate(document))


def test_sessions_are_refused_by_strategies_that_do_not_send_turns() -> None:
    document = session_scenario().model_dump(mode="json", by_alias=True)
    document["workload"]["strategy"] = {"kind": "long_cot"}
    with pytest.raises(ValueError, match=r"3 recorded requests wait for others to end.*allowed: recorded"):
        Scenario.model_validate(document)


def test_lengths_of_turns_come_from_the_model_where_outputs_are_not_to_be_replayed() -> None:
    trials = run_scenario(session_scenario(outputs="model"), seed=1).records.trials
    assert column(trials, TRIAL_COLUMNS, "output_tokens").tolist() == [5, 5, 5, 5]
