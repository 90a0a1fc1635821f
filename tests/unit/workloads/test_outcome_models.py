from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.rng import Streams
from workloads.outcomes import BenchmarkOutcomes, BetaOutcomes, WrongAnswers


@given(count=st.integers(1, 30), ratio=st.floats(0.05, 1.0), u=st.floats(0, 1 - 2**-53))
def test_wrong_answers_are_numbered_from_one_to_count(count: int, ratio: float, u: float) -> None:
    assert 1 <= WrongAnswers(count=count, popularity_ratio=ratio).quantile(u) <= count


@pytest.mark.parametrize(("count", "ratio"), [(5, 0.5), (4, 1.0), (20, 0.7), (1, 0.3)])
def test_wrong_answers_have_the_popularity_they_are_given(count: int, ratio: float) -> None:
    wrong, ranks = WrongAnswers(count=count, popularity_ratio=ratio), 40_000
    drawn = Counter(wrong.quantile((i + 0.5) / ranks) for i in range(ranks))
    weights = np.array([ratio**k for k in range(count)])
    for answer, share in enumerate(weights / weights.sum(), start=1):
        assert drawn[answer] / ranks == pytest.approx(share, abs=1e-4)


def test_a_task_keeps_its_rank_when_the_distribution_changes() -> None:
    weak = BetaOutcomes(alpha=0.2, beta=0.6, zero_ratio=0.2).solve_probabilities(200, Streams(4))
    strong = BetaOutcomes(alpha=0.6, beta=0.2).solve_probabilities(200, Streams(4))
    order = np.argsort(strong, kind="stable")
    assert (np.diff(weak[order]) >= 0).all()
    assert (strong >= weak).all()


def test_the_seed_moves_drawn_difficulties_but_not_a_benchmark() -> None:
    drawn = BetaOutcomes(alpha=0.5, beta=0.5)
    assert (drawn.solve_probabilities(9, Streams(1)) != drawn.solve_probabilities(9, Streams(2))).all()
    fixed = BenchmarkOutcomes(name="aime24", model="qwen3-8b")
    one, two = fixed.solve_probabilities(30, Streams(1)), fixed.solve_probabilities(30, Streams(2))
    np.testing.assert_array_equal(one, two)


def test_a_repeated_benchmark_asks_the_same_questions_again() -> None:
    outcomes = BenchmarkOutcomes(name="aime24", model="qwen3-8b")
    chances = outcomes.solve_probabilities(60, Streams(1))
    np.testing.assert_array_equal(chances[:30], chances[30:])


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match=r"no figures of model 'qwen3-8' on AIME 2024; did you mean"):
        BenchmarkOutcomes(name="aime24", model="qwen3-8")
