from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.rng import Streams
from workloads import NodeRequest, NodeState, RequestNode, RequestTree, Task
from workloads.strategies import (
    CONTINUE,
    Adaptive,
    BeamSearch,
    BestOfN,
    Decision,
    LongCot,
    SelfConsistency,
    Strategy,
)
from workloads.strategies.self_consistency import majority_answer

TASK = Task(0, 100, 0.5)
TRIAL = NodeRequest()


def started(strategy: Strategy) -> RequestTree:
    tree = RequestTree(TASK)
    for request in strategy.start():
        tree.add(request, max_tokens=1000)
    return tree


def finish(
    tree: RequestTree,
    index: int,
    *,
    correct: bool = False,
    answer: int = 1,
    score: float = 0.0,
    cut: bool = False,
) -> RequestNode:
    node = tree.nodes[index]
    node.generated_tokens, node.correct, node.truncated = 10, correct, cut
    node.answer, node.score = (0 if correct else answer), score
    tree.close(node, NodeState.FINISHED)
    return node


@pytest.mark.parametrize("correct", [True, False])
def test_long_cot_is_solved_when_its_trial_is(correct: bool) -> None:  # noqa: FBT001 - parametrised
    strategy, tree = LongCot(), started(LongCot())
    assert strategy.on_finish(tree, finish(tree, 0, correct=correct)) == CONTINUE
    assert strategy.solved(tree) is correct


def test_best_of_n_is_solved_by_any_trial() -> None:
    strategy = BestOfN(trials=3)
    tree = started(strategy)
    decisions = [strategy.on_finish(tree, finish(tree, i, correct=i == 1)) for i in range(3)]
    assert decisions == [CONTINUE] * 3
    assert strategy.solved(tree)


def test_a_first_success_cancels_exactly_the_open_trials() -> None:
    strategy = BestOfN(trials=4, stop_at_first_success=True)
    tree = started(strategy)
    assert strategy.on_finish(tree, finish(tree, 2)) == CONTINUE
    assert strategy.on_finish(tree, finish(tree, 1, correct=True)) == Decision(cancel=(0, 3))


def test_a_cancelled_trial_does_not_solve_a_task() -> None:
    tree = started(BestOfN(trials=1))
    tree.nodes[0].correct = True
    tree.close(tree.nodes[0], NodeState.CANCELLED)
    assert not BestOfN(trials=1).solved(tree)


@pytest.mark.parametrize(
    ("answers", "majority"),
    [
        ([0, 1, 1], 1),
        ([1, 0, 0], 0),
        ([2, 0, 0, 2], 2),
        ([0, 2, 2, 0], 0),
        ([-1, -1, 3], 3),
        ([-1, -1], -1),
    ],
)
def test_the_most_frequent_answer_wins_and_ties_go_to_the_earliest(answers: list[int], majority: int) -> None:
    strategy = SelfConsistency(trials=len(answers))
    tree = started(strategy)
    for index in reversed(range(len(answers))):
        finish(tree, index, correct=answers[index] == 0, answer=answers[index])
    assert majority_answer(tree) == majority
    assert strategy.solved(tree) is (majority == 0)


def test_a_cancelled_trial_does_not_vote() -> None:
    tree = started(SelfConsistency(trials=3))
    finish(tree, 2, correct=True)
    for node in tree.nodes[:2]:
        node.answer = 1
        tree.close(node, NodeState.CANCELLED)
    assert majority_answer(tree) == 0


def test_beam_search_expands_the_best_scores_of_a_round_when_all_have_ended() -> None:
    strategy = BeamSearch(beams=2, expansion=2, rounds=2)
    tree = started(strategy)
    scores = [0.1, 0.9, 0.5, 0.9]
    decisions = [strategy.on_finish(tree, finish(tree, i, score=scores[i])) for i in (3, 0, 1, 2)]
    last = [NodeRequest(parent=p, share_ratio=0.5, keep_kv=False) for p in (1, 1, 3, 3)]
    assert decisions == [CONTINUE, CONTINUE, CONTINUE, Decision(tuple(last))]


def test_beam_search_answers_with_the_best_score_of_the_last_round_alone() -> None:
    strategy = BeamSearch(beams=1, expansion=2, rounds=2)
    tree = started(strategy)
    finish(tree, 0, score=9.0, correct=True)
    decision = strategy.on_finish(tree, finish(tree, 1, score=0.0))
    for request in decision.requests:
        tree.add(request, max_tokens=1000)
    finish(tree, 2, score=1.0, correct=False)
    assert strategy.on_finish(tree, finish(tree, 3, score=0.5, correct=True)) == CONTINUE
    assert not strategy.solved(tree)


def test_beam_search_neither_continues_nor_answers_with_truncated_parts() -> None:
    strategy = BeamSearch(beams=2, expansion=1, rounds=2)
    tree = started(strategy)
    finish(tree, 0, score=9.0, cut=True)
    decision = strategy.on_finish(tree, finish(tree, 1, score=0.0))
    assert [request.parent for request in decision.requests] == [1]
    tree.add(decision.requests[0], max_tokens=1000)
    finish(tree, 2, correct=True, cut=True)
    assert not strategy.solved(tree)


def test_beam_search_gives_up_when_a_round_is_all_truncated() -> None:
    strategy = BeamSearch(beams=1, expansion=2, rounds=3)
    tree = started(strategy)
    finish(tree, 0, cut=True)
    assert strategy.on_finish(tree, finish(tree, 1, cut=True)) == CONTINUE
    assert not strategy.solved(tree)


@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)), seed=st.integers(0, 999))
def test_a_beam_search_tree_has_full_rounds_and_at_most_beams_parents(
    play: Callable[..., Any], make_workload: Callable[..., Any], shape: tuple[int, int, int], seed: int
) -> None:
    beams, expansion, rounds = shape
    search = {"kind": "beam_search", "beams": beams, "expansion": expansion, "rounds": rounds}
    workload = make_workload(strategy=search | {"verifier_noise": 0.5})
    streams = Streams(seed)
    tree = play(workload, next(workload.tasks_iter(streams)), streams=streams, order=seed).tree
    for depth in range(rounds):
        level = [node for node in tree.nodes if node.depth == depth]
        assert len(level) == beams * expansion
        assert all(node.request.keep_kv is (depth < rounds - 1) for node in level)
        parents = {node.request.parent for node in level}
        assert len(parents) == (1 if depth == 0 else beams)
    for node in tree.nodes:
        if node.request.parent is not None:
            parent = tree.nodes[node.request.parent]
            assert node.prompt_tokens == parent.prompt_tokens + parent.generated_tokens


def test_adaptive_adds_waves_until_the_trials_are_spent() -> None:
    strategy = Adaptive(first_wave=1, wave=2, max_trials=4)
    tree = started(strategy)
    sizes = []
    while tree.open_nodes and len(sizes) < 9:
        node = next(n for n in tree.nodes if n.state is NodeState.SUBMITTED)
        decision = strategy.on_finish(tree, finish(tree, node.index))
        sizes.append(len(decision.requests))
        for request in decision.requests:
            tree.add(request, max_tokens=1000)
    assert sizes == [2, 0, 1, 0]
    assert not strategy.solved(tree)


def test_adaptive_cancels_the_rest_of_a_wave_on_success_and_asks_for_no_more() -> None:
    strategy = Adaptive(first_wave=3, wave=2, max_trials=9)
    tree = started(strategy)
    assert strategy.on_finish(tree, finish(tree, 1, correct=True)) == Decision(cancel=(0, 2))
    tree.close(tree.nodes[2], NodeState.CANCELLED)
    assert strategy.on_finish(tree, finish(tree, 0)) == CONTINUE
    assert strategy.solved(tree)


def test_adaptive_refuses_a_first_wave_beyond_its_trials() -> None:
    with pytest.raises(ValidationError, match="first_wave 5 is more than max_trials 4"):
        Adaptive(first_wave=5, wave=1, max_trials=4)


@given(seed=st.integers(0, 999), trials=st.integers(1, 9))
def test_stopping_early_and_going_in_waves_solve_what_best_of_n_solves(
    play: Callable[..., Any], make_workload: Callable[..., Any], seed: int, trials: int
) -> None:
    best_of_n = {"kind": "best_of_n", "trials": trials}
    solved = []
    for strategy in (
        best_of_n,
        best_of_n | {"stop_at_first_success": True},
        {"kind": "adaptive", "first_wave": 1, "wave": 2, "max_trials": trials},
    ):
        tasks = {"kind": "synthetic", "count": 3, "prompt_tokens": 100}
        workload, streams = make_workload(strategy=strategy, tasks=tasks), Streams(seed)
        played = [play(workload, t, streams=streams, order=seed) for t in workload.tasks_iter(streams)]
        solved.append([one.solved for one in played])
    assert solved[0] == solved[1] == solved[2]


def test_a_vote_of_many_finds_an_answer_that_is_more_popular_than_any_wrong_one(
    play: Callable[..., Any], make_workload: Callable[..., Any]
) -> None:
    # The most popular wrong answer holds 30 % of the wrong trials: 0.21 at p = 0.3, 0.255 at p = 0.15.
    for p, expected in ((0.3, True), (0.15, False)):
        workload = make_workload(
            tasks={"kind": "synthetic", "count": 3, "prompt_tokens": 100},
            strategy={"kind": "self_consistency", "trials": 600},
            outcomes={"kind": "fixed", "solve_probability": p},
        )
        streams = Streams(1)
        tasks = workload.tasks_iter(streams)
        assert {play(workload, task, streams=streams).solved for task in tasks} == {expected}


@pytest.mark.parametrize(
    ("strategy", "shares"),
    [
        (LongCot(), False),
        (BestOfN(trials=1), False),
        (BestOfN(trials=2), True),
        (SelfConsistency(trials=1), False),
        (SelfConsistency(trials=2), True),
        (Adaptive(first_wave=1, wave=1, max_trials=1), False),
        (Adaptive(first_wave=1, wave=1, max_trials=2), True),
        (BeamSearch(beams=1, expansion=1, rounds=2), True),
    ],
)
def test_a_prompt_is_shared_when_several_nodes_can_hold_it(strategy: Strategy, shares: bool) -> None:  # noqa: FBT001 - parametrised
    assert strategy.shares_prompt is shares


@pytest.mark.parametrize(
    ("strategy", "independent"),
    [
        (LongCot(), True),
        (BestOfN(trials=2), True),
        (BestOfN(trials=2, stop_at_first_success=True), False),
        (BestOfN(trials=1, stop_at_first_success=True), True),
        (SelfConsistency(trials=2), True),
        (Adaptive(first_wave=1, wave=1, max_trials=1), True),
        (Adaptive(first_wave=2, wave=1, max_trials=2), False),
        (BeamSearch(beams=1, expansion=2, rounds=1), True),
        (BeamSearch(beams=1, expansion=2, rounds=2), False),
    ],
)
def test_trials_are_independent_when_nothing_that_came_out_changes_them(
    strategy: Strategy,
    independent: bool,  # noqa: FBT001 - parametrised
) -> None:
    assert strategy.independent_trials is independent


def test_only_beam_search_reads_a_noisy_score() -> None:
    assert BeamSearch(beams=1, expansion=1, rounds=1, verifier_noise=0.3).verifier_noise == 0.3
    assert BestOfN(trials=2).verifier_noise == 0
