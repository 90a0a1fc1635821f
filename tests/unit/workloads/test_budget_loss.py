"""What a small KV budget loses is declared, and never more than a smaller one loses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rng import Streams
from workloads import NodeRequest, RequestTree, Task, Workload
from workloads.budget_loss import BudgetLoss

Make = Callable[..., Workload]


def solved(workload: Workload, *, seed: int, own: int | None = None, budget: int | None = None) -> list[bool]:
    draws = workload.draws(Streams(seed), own)
    request = NodeRequest(kv_budget_tokens=budget)
    tasks = [Task(index, 100, 0.8) for index in range(200)]
    return [draws.trial(task, request, number=0, max_tokens=10_000).correct for task in tasks]


def test_half_of_the_trials_are_lost_at_the_ratio_that_is_said() -> None:
    loss = BudgetLoss(half_ratio=0.02, steepness=3.0)
    assert loss.kept_ratio(200, 10_000) == pytest.approx(0.5)
    assert loss.kept_ratio(400, 10_000) == pytest.approx(8 / 9)
    assert loss.kept_ratio(100, 10_000) == pytest.approx(1 / 9)


@pytest.mark.parametrize("budget", [None, 500, 600])
def test_a_budget_that_holds_the_whole_context_loses_nothing(budget: int | None) -> None:
    assert BudgetLoss(half_ratio=1.0).kept_ratio(budget, 500) == 1.0


@given(
    half=st.floats(0.001, 1.0),
    steepness=st.floats(0.1, 20.0),
    budgets=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
    contexts=st.tuples(st.integers(1, 40_000), st.integers(1, 40_000)),
)
def test_more_budget_never_loses_more_and_longer_trials_never_less(
    half: float, steepness: float, budgets: tuple[int, int], contexts: tuple[int, int]
) -> None:
    loss = BudgetLoss(half_ratio=half, steepness=steepness)
    (small, large), (short, long) = sorted(budgets), sorted(contexts)
    assert 0.0 <= loss.kept_ratio(small, long) <= loss.kept_ratio(large, long) <= 1.0
    assert loss.kept_ratio(small, long) <= loss.kept_ratio(small, short)


def test_what_is_solved_at_a_budget_is_solved_at_a_larger_one(make_workload: Make) -> None:
    workload = make_workload(budget_loss={"half_ratio": 0.3})
    counts = []
    before = [False] * 200
    for budget in (20, 60, 200, 4000):
        now = solved(workload, seed=3, budget=budget)
        assert all(after for was, after in zip(before, now, strict=True) if was)
        counts.append(sum(now))
        before = now
    assert counts[0] < counts[1] < counts[2]
    without = make_workload()
    assert before == solved(without, seed=3) == solved(without, seed=3, budget=20)


def test_trials_without_a_budget_of_their_own_lose_by_that_of_the_attention(make_workload: Make) -> None:
    workload = make_workload(budget_loss={"half_ratio": 0.3})
    assert solved(workload, seed=5, own=60) == solved(workload, seed=5, budget=60, own=4000)
    assert solved(workload, seed=5, own=None) == solved(make_workload(), seed=5)


def test_the_share_of_lost_trials_is_the_declared_one(make_workload: Make) -> None:
    lengths = {"kind": "constant", "tokens": 900}
    workload = make_workload(lengths=lengths, budget_loss={"half_ratio": 0.1, "steepness": 1.0})
    kept = sum(sum(solved(workload, seed=seed, budget=100)) for seed in range(20)) / 4000
    assert kept == pytest.approx(0.8 * 0.5, abs=0.025)  # three standard deviations of 4,000 draws


def test_luck_of_another_number_is_the_outcome_of_that_trial(make_workload: Make) -> None:
    workload, task = make_workload(), Task(3, 100, 0.5)
    draws, tree = workload.draws(Streams(1)), RequestTree(task)
    nodes = [tree.add(NodeRequest(), max_tokens=workload.max_tokens) for _ in range(5)]
    expected = draws.outcome(tree, nodes[4])
    lucky = RequestTree(task).add(NodeRequest(luck=4), max_tokens=workload.max_tokens)
    assert draws.outcome(RequestTree(task), lucky) == expected != draws.outcome(tree, nodes[0])
