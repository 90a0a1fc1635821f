from __future__ import annotations

from itertools import pairwise
from math import atan, pi, sqrt
from statistics import NormalDist, fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics.intervals import (
    batch_means,
    incomplete_beta,
    paired_difference,
    paired_ratio,
    student_t_quantile,
    student_t_upper_tail,
    t_interval,
    wilson,
)


@pytest.mark.parametrize(
    ("degrees", "confidence", "expected"),
    [  # NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2
        (1, 0.90, 6.314),
        (1, 0.95, 12.706),
        (1, 0.99, 63.657),
        (2, 0.95, 4.303),
        (3, 0.99, 5.841),
        (4, 0.95, 2.776),
        (9, 0.95, 2.262),
        (10, 0.90, 1.812),
        (29, 0.99, 2.756),
        (100, 0.95, 1.984),
    ],
)
def test_student_t_quantiles_are_those_of_the_table(degrees: int, confidence: float, expected: float) -> None:
    assert student_t_quantile(confidence, degrees) == pytest.approx(expected, abs=6e-4)


@given(t=st.floats(1e-3, 1e3))
def test_one_degree_of_freedom_is_the_cauchy_distribution(t: float) -> None:
    assert student_t_upper_tail(t, 1) == pytest.approx(0.5 - atan(t) / pi, rel=1e-9, abs=1e-13)


@given(t=st.floats(1e-3, 1e2))
def test_two_degrees_of_freedom_have_a_closed_form(t: float) -> None:
    expected = 1.0 / (sqrt(2.0 + t * t) * (sqrt(2.0 + t * t) + t))
    assert student_t_upper_tail(t, 2) == pytest.approx(expected, rel=1e-9)


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    assert student_t_quantile(0.95, 10_000_000) == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-6)


@given(confidence=st.floats(0.01, 0.999), degrees=st.integers(1, 500))
def test_the_quantile_inverts_the_tail(confidence: float, degrees: int) -> None:
    tail = student_t_upper_tail(student_t_quantile(confidence, degrees), degrees)
    assert 2.0 * tail == pytest.approx(1.0 - confidence, rel=1e-9)


@given(part=st.integers(0, 1024), a=st.floats(0.1, 50.0), b=st.floats(0.1, 50.0))
def test_the_incomplete_beta_function_is_symmetric(part: int, a: float, b: float) -> None:
    x = part / 1024  # so that 1 - x is exact
    assert incomplete_beta(x, a, b) == pytest.approx(1.0 - incomplete_beta(1.0 - x, b, a), abs=1e-9)


@given(x=st.floats(0.001, 0.999), a=st.integers(1, 12), b=st.integers(1, 12))
def test_the_incomplete_beta_function_is_the_binomial_sum(x: float, a: int, b: int) -> None:
    n = a + b - 1
    pmf = [(1.0 - x) ** n]
    for k in range(n):
        pmf.append(pmf[-1] * (n - k) / (k + 1) * x / (1.0 - x))
    assert incomplete_beta(x, float(a), float(b)) == pytest.approx(sum(pmf[a:]), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.1])
def test_a_level_outside_zero_and_one_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="0 < confidence < 1"):
        student_t_quantile(confidence, 3)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_the_published_ones(
    successes: int, trials: int, low: float, high: float
) -> None:
    found = wilson(successes, trials, 0.95)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(data=st.data(), trials=st.integers(1, 5000), confidence=st.floats(0.5, 0.999))
def test_wilson_bounds_solve_the_score_equation(data: st.DataObject, trials: int, confidence: float) -> None:
    successes = data.draw(st.integers(0, trials))
    found = wilson(successes, trials, confidence)
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    for limit in (found.low, found.high):
        assert limit is not None
        if 0.0 < limit < 1.0:
            deviation = abs(successes / trials - limit)
            assert deviation == pytest.approx(z * sqrt(limit * (1.0 - limit) / trials), rel=1e-6, abs=1e-9)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="3 successes of 2 trials"):
        wilson(3, 2, 0.95)


def test_a_t_interval_by_hand() -> None:
    found = t_interval([1.0, 2.0, 3.0, 4.0], 0.95)
    reach = 3.182446 * sqrt(5.0 / 3.0) / 2.0
    assert found.estimate == 2.5
    assert (found.low, found.high) == (pytest.approx(2.5 - reach), pytest.approx(2.5 + reach))


def test_one_value_has_no_bounds() -> None:
    found = t_interval([2.0], 0.95)
    assert (found.estimate, found.low, found.high) == (2.0, None, None)


def test_t_intervals_hold_the_truth_as_often_as_they_say() -> None:
    samples = np.random.default_rng(5).normal(3.0, 2.0, size=(4000, 5))
    held = [t_interval(row.tolist(), 0.9).holds(3.0) for row in samples]
    assert fmean(held) == pytest.approx(0.9, abs=3.5 * sqrt(0.9 * 0.1 / 4000))


def test_wilson_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    counts = np.random.default_rng(6).binomial(60, 0.3, size=4000)
    held = [wilson(int(count), 60, 0.95).holds(0.3) for count in counts]
    assert fmean(held) == pytest.approx(0.95, abs=0.02)


def test_common_luck_cancels_in_a_paired_difference() -> None:
    luck = [0.0, 5.0, -3.0, 8.0]
    found = paired_difference(luck, [x + 1.0 for x in luck], 0.95)
    assert (found.low, found.estimate, found.high) == (1.0, 1.0, 1.0)


def test_common_luck_cancels_in_a_paired_ratio() -> None:
    found = paired_ratio([1.0, 2.0, 4.0], [3.0, 6.0, 12.0], 0.95)
    assert found is not None
    assert (found.low, found.estimate, found.high) == (pytest.approx(3.0),) * 3


@given(
    pairs=st.lists(st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 10.0)), min_size=2, max_size=6),
    confidence=st.sampled_from([0.8, 0.95]),
)
def test_a_ratio_interval_turns_over_with_the_ratio(
    pairs: list[tuple[float, float]], confidence: float
) -> None:
    first, second = zip(*pairs, strict=True)
    there, back = paired_ratio(first, second, confidence), paired_ratio(second, first, confidence)
    assert there is not None
    assert back is not None
    assert there.low is not None
    assert there.estimate * back.estimate == pytest.approx(1.0)
    assert back.high == pytest.approx(1.0 / there.low)


def test_a_ratio_to_nothing_is_not_defined() -> None:
    assert paired_ratio([0.0, 1.0], [1.0, 1.0], 0.95) is None


def test_different_numbers_of_seeds_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="equal numbers of seeds, got 1 and 2"):
        paired_ratio([1.0], [1.0, 2.0], 0.95)


def test_batch_means_of_equal_batches_have_no_width() -> None:
    found = batch_means([4, 4, 4], 2.0, 0.95)
    assert found is not None
    assert (found.low, found.estimate, found.high) == (2.0, 2.0, 2.0)


def test_one_batch_tells_no_interval() -> None:
    assert batch_means([4], 2.0, 0.95) is None


def test_batch_means_hold_the_rate_of_a_poisson_process() -> None:
    counts = np.random.default_rng(7).poisson(20.0, size=(2000, 10))
    intervals = [batch_means(row.tolist(), 4.0, 0.95) for row in counts]
    assert fmean(i is not None and i.holds(5.0) for i in intervals) == pytest.approx(0.95, abs=0.02)


def test_wider_confidence_gives_wider_intervals() -> None:
    highs = [t_interval([1.0, 2.0, 4.0], level).high or 0.0 for level in (0.5, 0.8, 0.9, 0.99)]
    assert all(a < b for a, b in pairwise(highs))
