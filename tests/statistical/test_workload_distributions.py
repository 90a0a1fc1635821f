"""What workloads draw has the distribution it claims: fixed seeds, each test rejects a right one at 1e-4."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.rng import Streams
from workloads import NodeOutcome, NodeState, RequestTree, Workload
from workloads.arrivals import GammaArrivals, PoissonArrivals
from workloads.outcomes import BetaOutcomes

ALPHA = 1e-4
"""Chance that one comparison fails although the code is right; the seeds make it happen never or always."""

SEEDS = (1, 22, 333)
seeds = pytest.mark.parametrize("seed", SEEDS)


def ks_passes(sample: NDArray[np.float64], cdf: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> bool:
    """Say whether the one-sample Kolmogorov-Smirnov test accepts `sample` (asymptotic critical value)."""
    n = len(sample)
    expected = cdf(np.sort(sample))
    ranks = np.arange(n)
    distance = max((expected - ranks / n).max(), ((ranks + 1) / n - expected).max())
    return bool(distance < np.sqrt(-np.log(ALPHA / 2) / 2 / n))


def chi_square_passes(counts: NDArray[np.int64], shares: NDArray[np.float64]) -> bool:
    """Say whether the chi-square test accepts `counts` (critical value by Wilson and Hilferty)."""
    expected = shares * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) - 1
    z = NormalDist().inv_cdf(1 - ALPHA)
    spread = 2 / (9 * freedom)
    return bool(statistic < freedom * (1 - spread + z * np.sqrt(spread)) ** 3)


def draws(workload: Workload, seed: int) -> list[NodeOutcome]:
    """Return the outcomes of every first-round node of every task."""
    streams, found = Streams(seed), []
    for task in workload.tasks_iter(streams):
        tree = RequestTree(task)
        nodes = [tree.add(request, max_tokens=workload.max_tokens) for request in workload.strategy.start()]
        found += [workload.draws(streams).outcome(tree, node) for node in nodes]
    return found


def workload(**parts: object) -> Workload:
    parts = {
        "tasks": {"kind": "synthetic", "count": 5000, "prompt_tokens": 100},
        "arrivals": {"kind": "all_at_once"},
        "lengths": {"kind": "lognormal", "median_tokens": 50_000.0, "log_sigma": 0.7},
        "outcomes": {"kind": "fixed", "solve_probability": 0.3},
        "strategy": {"kind": "best_of_n", "trials": 4},
        "max_tokens": 9_999_999,
    } | parts
    return Workload.model_validate(parts)


def test_the_tests_of_this_file_can_fail() -> None:
    uniform = np.random.default_rng(1).random(5000)
    assert ks_passes(uniform, lambda x: x)
    assert not ks_passes(uniform**1.1, lambda x: x)
    assert chi_square_passes(np.array([2490, 2510]), np.array([0.5, 0.5]))
    assert not chi_square_passes(np.array([2350, 2650]), np.array([0.5, 0.5]))


@seeds
def test_poisson_gaps_are_exponential(seed: int) -> None:
    gaps = np.diff(PoissonArrivals(rate_per_s=4.0).times_s(20_000, Streams(seed)), prepend=0.0)
    assert ks_passes(gaps, lambda x: 1 - np.exp(-4.0 * x))


@seeds
@pytest.mark.parametrize(
    ("cv", "cdf"),
    [
        (1.0, lambda x: 1 - np.exp(-4.0 * x)),
        (0.5**0.5, lambda x: 1 - np.exp(-8.0 * x) * (1 + 8.0 * x)),
        (0.5, lambda x: 1 - np.exp(-16.0 * x) * (1 + 16 * x + (16 * x) ** 2 / 2 + (16 * x) ** 3 / 6)),
    ],
)
def test_gamma_gaps_have_the_erlang_distributions(
    seed: int, cv: float, cdf: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    gaps = np.diff(GammaArrivals(rate_per_s=4.0, cv=cv).times_s(20_000, Streams(seed)), prepend=0.0)
    assert ks_passes(gaps, cdf)


@seeds
def test_bursty_gaps_have_their_mean_and_variation(seed: int) -> None:
    gaps = np.diff(GammaArrivals(rate_per_s=4.0, cv=3.0).times_s(200_000, Streams(seed)), prepend=0.0)
    assert gaps.mean() == pytest.approx(0.25, rel=4 * 3.0 / 200_000**0.5)
    assert gaps.std() / gaps.mean() == pytest.approx(3.0, rel=0.05)


@seeds
def test_lengths_of_trials_are_lognormal(seed: int) -> None:
    z = np.log([o.output_tokens / 50_000 for o in draws(workload(), seed)]) / 0.7
    assert ks_passes(z, np.vectorize(NormalDist().cdf))


@seeds
def test_lengths_of_the_trials_of_one_task_are_independent(seed: int) -> None:
    logs = np.log([o.output_tokens for o in draws(workload(), seed)]).reshape(-1, 4)
    correlations = np.corrcoef(logs, rowvar=False)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < NormalDist().inv_cdf(1 - ALPHA / 12) / 5000**0.5


@seeds
def test_trials_are_correct_with_the_solve_probability(seed: int) -> None:
    correct = sum(o.correct for o in draws(workload(), seed))
    assert chi_square_passes(np.array([correct, 20_000 - correct]), np.array([0.3, 0.7]))


@seeds
def test_length_and_correctness_are_independent_given_the_task(seed: int) -> None:
    found = draws(workload(), seed)
    long = np.array([o.output_tokens > 50_000 for o in found])
    right = np.array([o.correct for o in found])
    counts = np.array(
        [(long & right).sum(), (long & ~right).sum(), (~long & right).sum(), (~long & ~right).sum()]
    )
    assert chi_square_passes(counts, np.array([0.15, 0.35, 0.15, 0.35]))


@seeds
def test_wrong_answers_fall_off_geometrically(seed: int) -> None:
    wrong = {"count": 5, "popularity_ratio": 0.5}
    outcomes = {"kind": "fixed", "solve_probability": 0.3, "wrong_answers": wrong}
    answers = [o.answer for o in draws(workload(outcomes=outcomes), seed)]
    weights = 0.5 ** np.arange(5)
    assert chi_square_passes(np.bincount(answers), np.concatenate(([0.3], 0.7 * weights / weights.sum())))


@seeds
def test_difficulties_are_beta_with_their_share_of_zeros(seed: int) -> None:
    outcomes = BetaOutcomes(alpha=2.0, beta=1.0, zero_ratio=0.2)
    chances = outcomes.solve_probabilities(20_000, Streams(seed))
    zeros = int((chances == 0).sum())
    assert chi_square_passes(np.array([zeros, 20_000 - zeros]), np.array([0.2, 0.8]))
    assert ks_passes(chances[chances > 0], lambda p: p**2)


@seeds
@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_a_chain_of_parts_succeeds_as_often_as_a_whole_trial(seed: int, rounds: int) -> None:
    search = {"kind": "beam_search", "beams": 1, "expansion": 1, "rounds": rounds}
    chain, streams = workload(strategy=search), Streams(seed)
    solved = 0
    for task in chain.tasks_iter(streams):
        tree = RequestTree(task)
        wanted = tuple(chain.strategy.start())
        while wanted:
            node = tree.add(wanted[0], max_tokens=chain.max_tokens)
            node.correct = chain.draws(streams).outcome(tree, node).correct
            tree.close(node, NodeState.FINISHED)
            wanted = chain.strategy.on_finish(tree, node).requests
        solved += chain.strategy.solved(tree)
    assert chi_square_passes(np.array([solved, 5000 - solved]), np.array([0.3, 0.7]))


@seeds
def test_scores_are_the_truth_plus_normal_noise(seed: int) -> None:
    search = {"kind": "beam_search", "beams": 1, "expansion": 4, "rounds": 1, "verifier_noise": 0.5}
    noise = np.array([(o.score - o.correct) / 0.5 for o in draws(workload(strategy=search), seed)])
    assert ks_passes(noise, np.vectorize(NormalDist().cdf))
