from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.rng import Streams
from workloads import NodeOutcome, NodeRequest, RequestTree, Task, Workload
from workloads.outcome import CORRECT_ANSWER, NO_ANSWER
from workloads.tree import share_of_tokens

Make = Callable[..., Workload]
TRACE = {"kind": "trace", "arrivals_s": [0.0, 1.0], "prompt_tokens": [11, 22], "output_tokens": [33, 44]}
TWO = {"kind": "synthetic", "count": 2, "prompt_tokens": 5}


def outcome(
    workload: Workload, request: NodeRequest | None = None, *, p: float = 0.5, seed: int = 1
) -> NodeOutcome:
    tree = RequestTree(Task(0, 100, p))
    node = tree.add(request or NodeRequest(), max_tokens=workload.max_tokens)
    return workload.draws(Streams(seed)).outcome(tree, node)


def test_tasks_come_in_order_with_prompts_difficulties_and_priorities(make_workload: Make) -> None:
    workload = make_workload(outcomes={"kind": "fixed", "solve_probability": 0.25}, priorities=[0, 7])
    tasks = list(workload.tasks_iter(Streams(1)))
    assert tasks[:3] == [Task(0, 100, 0.25, 0), Task(1, 100, 0.25, 7), Task(2, 100, 0.25, 0)]
    assert len(tasks) == workload.count == 8


def test_more_tasks_do_not_change_the_first(make_workload: Make) -> None:
    prompts = {"median_tokens": 50.0, "log_sigma": 1.0}
    few, many = (
        make_workload(tasks={"kind": "synthetic", "count": count, "prompt_tokens": prompts})
        for count in (5, 3000)
    )
    assert list(few.tasks_iter(Streams(9))) == list(many.tasks_iter(Streams(9)))[:5]


def test_a_trace_decides_arrivals_prompts_and_outputs(make_workload: Make) -> None:
    workload = make_workload(arrivals=TRACE, tasks=TWO)
    tasks = list(workload.tasks_iter(Streams(1)))
    assert workload.arrival_times_s(Streams(1)).tolist() == [0.0, 1.0]
    assert [task.prompt_tokens for task in tasks] == [11, 22]
    tree = RequestTree(tasks[1])
    node = tree.add(NodeRequest(), max_tokens=1000)
    assert workload.draws(Streams(1)).outcome(tree, node).output_tokens == 44
    assert workload.max_context_tokens() == 22 + 44


def test_a_trace_shorter_than_the_tasks_is_refused(make_workload: Make) -> None:
    with pytest.raises(ValidationError, match="8 tasks, but only 2 of them are recorded in arrivals"):
        make_workload(arrivals=TRACE)
    with pytest.raises(ValidationError, match="8 tasks, but only 2 of them are recorded in arrivals"):
        make_workload(arrivals={"kind": "trace", "arrivals_s": [0.0, 1.0]})


@given(seed=st.integers(0, 10_000), trials=st.integers(1, 6))
def test_the_number_of_trials_does_not_move_the_luck_of_the_first(
    make_workload: Make, seed: int, trials: int
) -> None:
    outcomes = []
    for count in (trials, trials + 3):
        workload = make_workload(strategy={"kind": "best_of_n", "trials": count}, tasks=TWO)
        streams = Streams(seed)
        drawn = []
        for task in workload.tasks_iter(streams):
            tree = RequestTree(task)
            nodes = [tree.add(request, max_tokens=500) for request in workload.strategy.start()]
            drawn.append([workload.draws(streams).outcome(tree, node) for node in nodes])
        outcomes.append(drawn)
    assert outcomes[0] == [task[:trials] for task in outcomes[1]]


@given(seed=st.integers(0, 10_000), cap=st.integers(1, 600))
def test_a_cap_shortens_and_spoils_exactly_the_trials_beyond_it(
    make_workload: Make, seed: int, cap: int
) -> None:
    free = outcome(make_workload(), seed=seed)
    capped = outcome(make_workload(max_tokens=cap), seed=seed)
    if free.output_tokens <= cap:
        assert capped == free
    else:
        assert capped == (cap, False, NO_ANSWER, 0.0, True)


def test_a_request_may_tighten_the_cap(make_workload: Make) -> None:
    workload = make_workload(lengths={"kind": "constant", "tokens": 50})
    assert outcome(workload, NodeRequest(max_tokens=20)).output_tokens == 20
    assert outcome(workload, NodeRequest(max_tokens=50)).truncated is False


@given(seed=st.integers(0, 10_000), p=st.floats(0, 1))
def test_answer_score_and_correctness_of_a_trial_agree(make_workload: Make, seed: int, p: float) -> None:
    drawn = outcome(make_workload(), p=p, seed=seed)
    assert (drawn.answer == CORRECT_ANSWER) is drawn.correct
    assert drawn.answer >= 0
    assert drawn.score == float(drawn.correct)


@pytest.mark.parametrize("seed", range(20))
def test_certain_tasks_are_certain(make_workload: Make, seed: int) -> None:
    assert outcome(make_workload(), p=1.0, seed=seed).correct
    assert not outcome(make_workload(), p=0.0, seed=seed).correct


@given(rounds=st.integers(1, 60), tokens=st.integers(1, 5000))
def test_parts_of_a_constant_length_make_up_the_whole(make_workload: Make, rounds: int, tokens: int) -> None:
    workload = make_workload(lengths={"kind": "constant", "tokens": tokens})
    part = outcome(workload, NodeRequest(share_ratio=1.0 / rounds))
    assert part.output_tokens == ceil(tokens / rounds)
    assert tokens <= rounds * part.output_tokens < tokens + rounds


def test_a_chain_stays_off_track_and_only_its_end_answers(make_workload: Make) -> None:
    workload, streams = make_workload(), Streams(1)
    tree = RequestTree(Task(0, 100, 1.0))
    first = tree.add(NodeRequest(share_ratio=1 / 3, keep_kv=True), max_tokens=9000)
    begun = workload.draws(streams).outcome(tree, first)
    assert (begun.correct, begun.answer) == (True, NO_ANSWER)
    for on_track in (True, False):
        del tree.nodes[1:]
        first.correct = on_track
        second = tree.add(NodeRequest(parent=0, share_ratio=1 / 3, keep_kv=True), max_tokens=9000)
        halfway = workload.draws(streams).outcome(tree, second)
        assert (halfway.correct, halfway.answer) == (on_track, NO_ANSWER)
        second.correct = halfway.correct
        third = tree.add(NodeRequest(parent=1, share_ratio=1 / 3), max_tokens=9000)
        ended = workload.draws(streams).outcome(tree, third)
        assert ended.correct is on_track
        assert (ended.answer == CORRECT_ANSWER) is on_track
        assert ended.answer != NO_ANSWER


def test_verifier_noise_moves_the_score_and_nothing_else(make_workload: Make) -> None:
    search = {"kind": "beam_search", "beams": 1, "expansion": 1, "rounds": 1}
    exact = outcome(make_workload(strategy=search))
    noisy = outcome(make_workload(strategy=search | {"verifier_noise": 0.5}))
    assert noisy[:3] == exact[:3]
    assert noisy.score != exact.score


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"lengths": {"kind": "constant", "tokens": 50}}, 150),
        ({"lengths": {"kind": "constant", "tokens": 50}, "max_tokens": 20}, 120),
        ({"max_tokens": 300}, 400),
        (
            {
                "lengths": {"kind": "constant", "tokens": 50},
                "strategy": {"kind": "beam_search", "beams": 1, "expansion": 1, "rounds": 4},
            },
            153,
        ),
    ],
)
def test_the_longest_context_is_bounded_by_cap_and_length(
    make_workload: Make, parts: dict[str, Any], expected: int
) -> None:
    assert make_workload(**parts).max_context_tokens() == expected


@given(tokens=st.integers(1, 10**7), parts=st.integers(1, 1000))
@example(tokens=525, parts=75)  # 525 * (1 / 75) is a little above 7 in floating point
def test_a_share_is_rounded_up_once(tokens: int, parts: int) -> None:
    assert share_of_tokens(tokens, 1.0 / parts) == ceil(tokens / parts)
