from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics.distributions import PERCENTS, distribution, durations, ecdf, weighted_percentiles

WEIGHTED = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), min_size=1, max_size=20).filter(
    lambda rows: any(weight for _, weight in rows)
)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    values, weights = zip(*rows, strict=True)
    return np.array(values, dtype=np.int64), np.array(weights, dtype=np.int64)


@given(rows=WEIGHTED, percent=st.integers(1, 100))
def test_a_weighted_percentile_is_that_of_the_values_written_out(
    rows: list[tuple[int, int]], percent: int
) -> None:
    written_out = sorted(value for value, weight in rows for _ in range(weight))
    n = len(written_out)
    expected = next(v for i, v in enumerate(written_out, start=1) if Fraction(i, n) >= Fraction(percent, 100))
    assert weighted_percentiles(*columns(rows), (percent,)) == [expected]


@given(rows=WEIGHTED)
def test_a_weighted_distribution_is_that_of_the_values_written_out(rows: list[tuple[int, int]]) -> None:
    values, weights = columns(rows)
    written_out = np.repeat(values, weights)
    weighted, plain = distribution(values, weights), distribution(written_out)
    assert weighted.pop("mean") == pytest.approx(plain.pop("mean"))
    assert weighted == plain


def test_percentiles_do_not_hang_on_rounding_errors() -> None:
    # 0.07 * 100 is 7.000000000000001 in floats: the seventh value would be passed over.
    assert weighted_percentiles(np.arange(1, 101), np.ones(100, dtype=np.int64), (7, 14, 55, 56)) == [
        7,
        14,
        55,
        56,
    ]


def test_percentiles_agree_with_the_inverted_distribution_of_numpy() -> None:
    values = np.random.default_rng(1).integers(0, 1000, size=997)
    expected = np.quantile(values, [p / 100 for p in PERCENTS], method="inverted_cdf").tolist()
    assert weighted_percentiles(values, np.ones_like(values), PERCENTS) == expected


def test_nothing_seen_gives_none_and_never_nan() -> None:
    empty = np.array([], dtype=np.int64)
    assert distribution(empty) == {
        "count": 0,
        "mean": None,
        "p50": None,
        "p90": None,
        "p95": None,
        "p99": None,
        "max": None,
    }


def test_values_without_weight_do_not_count_for_the_maximum() -> None:
    assert distribution(np.array([1, 9]), np.array([2, 0]))["max"] == 1


def test_durations_are_in_seconds_and_their_count_is_not() -> None:
    found = durations(np.array([500_000_000, 1_500_000_000]))
    assert found == {"count": 2, "mean": 1.0, "p50": 0.5, "p90": 1.5, "p95": 1.5, "p99": 1.5, "max": 1.5}


@given(values=st.lists(st.integers(0, 100), min_size=1, max_size=60), points=st.integers(2, 30))
def test_every_point_of_a_thinned_ecdf_is_exact(values: list[int], points: int) -> None:
    x, y = ecdf(np.array(values), points=points)
    ordered = sorted(values)
    ranks = np.rint(y * len(values)).astype(int)
    assert [ordered[rank - 1] for rank in ranks] == x.tolist()
    assert (x[-1], y[-1]) == (ordered[-1], 1.0)
    assert len(x) <= points or len(values) <= points
