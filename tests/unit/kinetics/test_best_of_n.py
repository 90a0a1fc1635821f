"""Modelled curves of Best-of-N: coverage, costs, and how near they come to the published frontier."""

from __future__ import annotations

import pytest

from simulator.attention import Attention, DenseAttention, TopKAttention
from simulator.kinetics import PAPER_RIDGE, LengthMoments, cost
from simulator.kinetics.accuracy import best_of_n_32b, best_of_n_frontier
from simulator.kinetics.best_of_n import Modelled, coverage, curves, lengths
from simulator.kinetics.curves import best_of
from simulator.kinetics.derived import paper_model
from workloads.benchmarks import load_benchmark

ONCE, TOPK = DenseAttention(prefix_reads="once_per_family"), TopKAttention(kv_budget_tokens=1024)


@pytest.mark.parametrize("trials", [1, 32])
@pytest.mark.parametrize("size", ["0.6b", "8b", "32b"])
def test_coverage_of_aime24_meets_the_published_points_it_was_fitted_to(size: str, trials: int) -> None:
    published = load_benchmark("aime24").models[f"qwen3-{size}"].coverage
    if str(trials) in published:
        assert coverage("aime24", f"qwen3-{size}", trials) == pytest.approx(published[str(trials)], abs=0.005)


@pytest.mark.parametrize("benchmark", ["aime24", "livecodebench"])
def test_outputs_have_the_mean_that_the_paper_tells(benchmark: Modelled) -> None:
    for model in load_benchmark(benchmark).models:
        if model != "qwen3-30b-a3b":
            assert lengths(benchmark, model).mean() == pytest.approx(15_000, rel=0.002)
            assert lengths(benchmark, model).max() <= 32_768


@pytest.mark.parametrize("attention", [ONCE, TOPK], ids=["dense", "topk"])
def test_a_model_solves_nothing_below_the_cost_of_a_trial_and_what_its_trials_solve_from_there_on(
    attention: Attention,
) -> None:
    found = curves("livecodebench", attention)["qwen3-14b"]
    drawn = lengths("livecodebench", "qwen3-14b")
    eight = cost(
        paper_model("qwen3-14b"),
        attention,
        trials=8,
        prompt_tokens=200,
        output_tokens=drawn.ravel(),
        ridge_flops_per_byte=PAPER_RIDGE,
    )
    assert found.at(eight.eflops / 4.5e15) == pytest.approx(coverage("livecodebench", "qwen3-14b", 8))
    first = found.x[2]
    assert found.at(first) == coverage("livecodebench", "qwen3-14b", 1)
    assert found.at(first * 0.99) == 0.0


def test_dense_costs_are_those_of_the_moments_of_the_lengths() -> None:
    drawn = lengths("aime24", "qwen3-8b")
    moments = LengthMoments(float(drawn.mean()), float((drawn**2).mean()), int(drawn.min()), int(drawn.max()))
    by_moments = cost(
        paper_model("qwen3-8b"),
        ONCE,
        trials=1,
        prompt_tokens=200,
        output_tokens=moments,
        ridge_flops_per_byte=PAPER_RIDGE,
    )
    assert curves("aime24", ONCE)["qwen3-8b"].x[2] == pytest.approx(by_moments.eflops / 4.5e15, rel=1e-9)


def test_the_modelled_frontier_of_top_k_is_within_three_points_of_the_published_one() -> None:
    """Dense is not so near: the oracle chooses trials per question, which pays most where trials are dear."""
    ours, published = best_of("ours", list(curves("aime24", TOPK).values())), best_of_n_frontier("topk")
    costs = [x for x in published.x if ours.first < x < ours.last and x >= 0.5]
    assert len(costs) == 5
    assert max(abs(ours.at(x) - published.at(x)) for x in costs) < 0.03
    large, read = curves("aime24", TOPK)["qwen3-32b"], best_of_n_32b("topk")
    assert max(abs(large.at(x) - read.at(x)) for x in read.x if 1 < x < 7) < 0.03
    dense, told = best_of("dense", list(curves("aime24", ONCE).values())), best_of_n_frontier("dense")
    gaps = [dense.at(x) - told.at(x) for x in told.x if dense.first < x < dense.last and x >= 4]
    assert 0.02 < min(gaps) < max(gaps) < 0.1
