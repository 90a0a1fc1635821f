"""Adaptive allocation decides from what has finished; the oracle spends the least there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.rng import Streams
from workloads import NodeOutcome, NodeRequest, NodeState, RequestTree, Task
from workloads.strategies import CONTINUE, Adaptive, Oracle

LADDER = (64, 256, 1024)
PROMPT = 100


def after_failures(strategy: Adaptive, *lengths: int) -> list[int | None]:
    """Return the KV budgets of the trials that follow failed ones of some lengths; none: given up."""
    tree = RequestTree(Task(0, PROMPT, 0.5))
    for _ in lengths:
        tree.add(NodeRequest(), max_tokens=10_000)
    decision = CONTINUE
    for node, tokens in zip(tree.nodes, lengths, strict=True):
        node.generated_tokens = tokens
        tree.close(node, NodeState.FINISHED)
        decision = strategy.on_finish(tree, node)
    return [request.kv_budget_tokens for request in decision.requests]


def test_the_first_wave_has_the_smallest_budget_or_the_one_asked_for() -> None:
    waves: dict[str, Any] = {"first_wave": 2, "wave": 1, "max_trials": 4}
    assert {r.kv_budget_tokens for r in Adaptive(**waves).start()} == {None}
    assert {r.kv_budget_tokens for r in Adaptive(**waves, kv_budgets_tokens=LADDER).start()} == {64}
    chosen = Adaptive(**waves, kv_budgets_tokens=LADDER, first_budget_tokens=256)
    assert {r.kv_budget_tokens for r in chosen.start()} == {256}


@pytest.mark.parametrize(
    ("lengths", "budget"), [((500,), 64), ((2400, 2400), 256), ((2401, 2461), 1024), ((90_000,), 1024)]
)
def test_longer_trials_get_the_smallest_budget_that_is_large_enough(
    lengths: tuple[int, ...], budget: int
) -> None:
    # 0.1024 of a context of 2,500 tokens is 256.
    strategy = Adaptive(first_wave=2, wave=1, max_trials=9, kv_budgets_tokens=LADDER, budget_ratio=0.1024)
    assert after_failures(strategy, *lengths) == [budget]


def test_failures_raise_the_budget_step_by_step_to_the_top() -> None:
    strategy = Adaptive(first_wave=1, wave=1, max_trials=9, kv_budgets_tokens=LADDER, raise_after=2)
    found = [after_failures(strategy, *[10] * failures)[0] for failures in range(1, 8)]
    assert found == [64, 256, 256, 1024, 1024, 1024, 1024]


def test_a_wave_holds_as_many_trials_as_fit_and_none_where_none_does() -> None:
    strategy = Adaptive(first_wave=1, wave=4, max_trials=9, give_up_tokens=1000)
    sizes = {tokens: len(after_failures(strategy, tokens)) for tokens in (100, 249, 334, 500, 501, 2000)}
    assert sizes == {100: 4, 249: 3, 334: 1, 500: 1, 501: 0, 2000: 0}
    assert len(after_failures(strategy, 300, 500)) == 0
    assert len(after_failures(strategy, 100, 300, 200)) == 2


@given(
    lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=8),
    give_up=st.integers(1, 30_000),
    wave=st.integers(1, 4),
)
def test_what_is_added_is_expected_to_stay_within_the_bound(
    lengths: list[int], give_up: int, wave: int
) -> None:
    strategy = Adaptive(first_wave=1, wave=wave, max_trials=12, give_up_tokens=give_up)
    added, spent = len(after_failures(strategy, *lengths)), sum(lengths)
    mean = spent / len(lengths)
    assert added == 0 or spent + added * mean <= give_up * (1 + 1e-12)
    if added < min(wave, 12 - len(lengths)):
        assert spent + (added + 1) * mean > give_up * (1 - 1e-12)


def play_wrong(strategy: Adaptive, *lengths: int) -> list[int]:
    """Return what the trials of a task write that would have these lengths and are all wrong."""
    tree = RequestTree(Task(0, PROMPT, 0.0))
    requests = list(strategy.start())
    while requests:
        wave = [tree.add(request, max_tokens=5000) for request in requests]
        for node in wave:
            node.generated_tokens = min(lengths[node.index], node.max_tokens)
            tree.close(node, NodeState.FINISHED)
            requests = list(strategy.on_finish(tree, node).requests)
    return [node.generated_tokens for node in tree.nodes]


@pytest.mark.parametrize(
    ("lengths", "written"),
    [
        ((4000,), [1000]),  # stopped while it runs
        ((300, 900), [300, 700]),  # the second by what the first has left
        ((300, 300, 900), [300, 300, 400]),
        ((501,), [501]),  # no second: it would need 501 of 499
    ],
)
def test_a_running_trial_is_stopped_where_its_task_has_written_all_it_may(
    lengths: tuple[int, ...], written: list[int]
) -> None:
    waves: dict[str, Any] = {"first_wave": 1, "wave": 1, "max_trials": 9, "give_up_tokens": 1000}
    assert play_wrong(Adaptive(**waves, stop_at_bound=True), *lengths) == written


def test_trials_of_a_wave_share_what_is_left() -> None:
    strategy = Adaptive(first_wave=2, wave=3, max_trials=9, give_up_tokens=1000, stop_at_bound=True)
    assert [request.max_tokens for request in strategy.start()] == [500, 500]
    assert play_wrong(strategy, 100, 120, 900, 900, 900) == [100, 120, 260, 260, 260]


@given(
    lengths=st.lists(st.integers(1, 5000), min_size=12, max_size=12),
    give_up=st.integers(3, 30_000),
    first=st.integers(1, 3),
    wave=st.integers(1, 4),
)
def test_no_task_writes_more_than_the_bound_at_which_its_trials_stop(
    lengths: list[int], give_up: int, first: int, wave: int
) -> None:
    waves: dict[str, Any] = {"first_wave": first, "wave": wave, "max_trials": 12, "give_up_tokens": give_up}
    assert sum(play_wrong(Adaptive(**waves, stop_at_bound=True), *lengths)) <= give_up
    free = play_wrong(Adaptive(**waves), *lengths)
    if sum(free) <= give_up // first and wave == 1:
        assert play_wrong(Adaptive(**waves, stop_at_bound=True), *lengths) == free


def test_a_bound_to_stop_at_has_to_be_there_and_to_leave_every_trial_a_token() -> None:
    with pytest.raises(ValidationError, match="stop_at_bound without give_up_tokens; for example"):
        Adaptive(first_wave=1, wave=1, max_trials=2, stop_at_bound=True)
    with pytest.raises(ValidationError, match="give_up_tokens 2 is less than a token for each"):
        Adaptive(first_wave=3, wave=1, max_trials=4, stop_at_bound=True, give_up_tokens=2)


def test_every_parameter_that_does_not_fit_is_named_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        Adaptive(first_wave=5, wave=1, max_trials=4, budget_ratio=0.1, raise_after=2)
    text = str(refused.value)
    assert "first_wave 5 is more than max_trials 4" in text
    assert "budget_ratio, raise_after without kv_budgets_tokens" in text
    with pytest.raises(ValidationError, match="first_budget_tokens 100 is none of kv_budgets_tokens"):
        Adaptive(first_wave=1, wave=1, max_trials=2, kv_budgets_tokens=LADDER, first_budget_tokens=100)


@pytest.mark.parametrize("ladder", [(256, 64), (64, 64)])
def test_a_ladder_ascends(ladder: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="do not ascend; allowed: "):
        Oracle(max_trials=2, kv_budgets_tokens=ladder)


# -- the oracle

LENGTHS = (500, 900, 400, 700)
SMALLEST_RIGHT = {1: 256, 2: 64, 3: 64}
"""KV budget from which a trial is right; the first never is."""


def known(trial: int, budget: int | None) -> NodeOutcome:
    right = budget is not None and trial in SMALLEST_RIGHT and budget >= SMALLEST_RIGHT[trial]
    return NodeOutcome(LENGTHS[trial], right, 0, 0.0, truncated=False)


def planned(**parameters: int) -> list[NodeRequest]:
    return list(Oracle(max_trials=4, kv_budgets_tokens=LADDER, **parameters).plan(known))


GIVEN_UP = [NodeRequest(kv_budget_tokens=64, max_tokens=1)]


def test_the_oracle_pays_for_failures_at_the_smallest_budget_and_ends_with_the_first_success() -> None:
    assert [request.kv_budget_tokens for request in planned()] == [64, 256]


def test_the_oracle_that_skips_failures_runs_the_shortest_success_alone() -> None:
    assert planned(skips_failures=True) == [NodeRequest(kv_budget_tokens=64, luck=2)]


def test_the_oracle_leaves_out_what_takes_more_tokens_than_it_may_spend() -> None:
    assert planned(most_tokens=1399) == planned(skips_failures=True, most_tokens=399) == GIVEN_UP
    assert len(planned(most_tokens=1400)) == 2
    assert planned(skips_failures=True, most_tokens=400)[0].luck == 2


@pytest.mark.parametrize("skips", [True, False])
def test_the_oracle_spends_one_token_on_what_nothing_solves(skips: bool) -> None:  # noqa: FBT001 - parametrised
    oracle = Oracle(max_trials=1, kv_budgets_tokens=LADDER, skips_failures=skips)
    assert list(oracle.plan(known)) == GIVEN_UP


@given(seed=st.integers(0, 999), trials=st.integers(1, 6), give_up=st.sampled_from([None, 300, 2000]))
def test_no_sequential_strategy_solves_more_than_the_oracle_or_the_same_for_less(
    play: Callable[..., Any],
    make_workload: Callable[..., Any],
    seed: int,
    trials: int,
    give_up: int | None,
) -> None:
    ladder = [16, 64, 256]
    one_by_one = {"kind": "adaptive", "first_wave": 1, "wave": 1, "max_trials": trials, "raise_after": 1}
    oracle = {"kind": "oracle", "max_trials": trials, "kv_budgets_tokens": ladder}
    tokens: dict[str, list[int]] = {}
    answers: dict[str, list[bool]] = {}
    for name, strategy in (
        ("server", one_by_one | {"kv_budgets_tokens": ladder, "give_up_tokens": give_up}),
        ("oracle", oracle),
        ("luck", oracle | {"skips_failures": True}),
    ):
        workload = make_workload(strategy=strategy, budget_loss={"half_ratio": 0.3})
        streams = Streams(seed)
        played = [play(workload, task, streams=streams) for task in workload.tasks_iter(streams)]
        answers[name] = [one.solved for one in played]
        tokens[name] = [sum(node.generated_tokens for node in one.tree.nodes) for one in played]
    assert answers["oracle"] == answers["luck"]
    for place, solved in enumerate(answers["server"]):
        assert answers["oracle"][place] or not solved
        if solved:
            assert tokens["luck"][place] <= tokens["oracle"][place] <= tokens["server"][place]
