from __future__ import annotations

from math import lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.outcomes.beta_quantile import beta_quantile, zero_inflated_beta_quantile

RANKS = (np.arange(999) + 1) / 1000
CLOSED_FORMS = {
    (1.0, 1.0): RANKS,
    (2.0, 1.0): np.sqrt(RANKS),
    (0.05, 1.0): RANKS**20,
    (100.0, 1.0): RANKS**0.01,
    (1.0, 0.1): 1 - (1 - RANKS) ** 10,
    (0.5, 0.5): np.sin(np.pi * RANKS / 2) ** 2,
}
shapes = st.floats(0.05, 50.0)


@pytest.mark.parametrize(("alpha", "beta"), CLOSED_FORMS)
def test_quantiles_equal_the_closed_forms(alpha: float, beta: float) -> None:
    actual = beta_quantile(RANKS, alpha=alpha, beta=beta)
    np.testing.assert_allclose(actual, CLOSED_FORMS[alpha, beta], rtol=1e-5)


@given(alpha=shapes, beta=shapes)
def test_quantiles_never_decrease_and_are_probabilities(alpha: float, beta: float) -> None:
    ranks = np.concatenate(([0.0], RANKS, [1.0 - 2.0**-53]))
    quantiles = beta_quantile(ranks, alpha=alpha, beta=beta)
    assert (np.diff(quantiles) >= 0).all()
    assert quantiles.min() >= 0
    assert quantiles.max() <= 1


@given(alpha=shapes, beta=shapes)
def test_swapping_the_shapes_mirrors_the_distribution(alpha: float, beta: float) -> None:
    mirrored = 1 - beta_quantile(1 - RANKS, alpha=beta, beta=alpha)
    np.testing.assert_allclose(beta_quantile(RANKS, alpha=alpha, beta=beta), mirrored, atol=2e-6)


@given(alpha=st.floats(0.2, 20.0), beta=st.floats(0.2, 20.0))
def test_the_density_between_two_quantiles_integrates_to_their_ranks(alpha: float, beta: float) -> None:
    low, high = beta_quantile(np.array([0.3, 0.7]), alpha=alpha, beta=beta)
    x = np.linspace(low, high, 4001)
    log_density = (alpha - 1) * np.log(x) + (beta - 1) * np.log1p(-x)
    density = np.exp(log_density - (lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)))
    area = ((density[1:] + density[:-1]) / 2 * np.diff(x)).sum()
    assert area == pytest.approx(0.4, abs=2e-4)


@given(alpha=shapes, beta=shapes, k=st.integers(1, 64))
def test_coverage_over_quantiles_is_the_published_closed_form(alpha: float, beta: float, k: int) -> None:
    ranks = (np.arange(20_000) + 0.5) / 20_000
    coverage = (1 - (1 - beta_quantile(ranks, alpha=alpha, beta=beta)) ** k).mean()
    log_ratio = lgamma(beta + k) + lgamma(alpha + beta) - lgamma(beta) - lgamma(alpha + beta + k)
    assert coverage == pytest.approx(1 - np.exp(log_ratio), abs=1e-4)


def test_extreme_shapes_stay_finite() -> None:
    for alpha, beta in ((0.01, 0.01), (1e4, 1e4), (0.01, 1e4), (1e4, 0.01)):
        assert np.isfinite(beta_quantile(RANKS, alpha=alpha, beta=beta)).all()


def test_zero_inflation_moves_exactly_its_share_to_zero() -> None:
    chances = zero_inflated_beta_quantile(RANKS, alpha=1.0, beta=1.0, zero_ratio=0.25)
    assert (chances[RANKS < 0.25] == 0).all()
    np.testing.assert_allclose(chances[RANKS >= 0.25], (RANKS[RANKS >= 0.25] - 0.25) / 0.75, atol=1e-12)


def test_a_zero_ratio_of_one_leaves_no_solvable_task() -> None:
    assert not zero_inflated_beta_quantile(RANKS, alpha=1.0, beta=1.0, zero_ratio=1.0).any()
