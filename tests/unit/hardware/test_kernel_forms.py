"""The closed forms of kernel times against sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.hardware.forms import (
    decode_attention_seconds,
    experts_seconds,
    gemm_seconds,
    interpolate_log,
    p_norm,
    prefill_attention_seconds,
    square_norm,
)

DURATIONS = st.floats(min_value=1e-9, max_value=1.0)


@given(DURATIONS, DURATIONS, st.integers(0, 4))
def test_the_two_norms_agree_where_both_exist(one: float, other: float, squarings: int) -> None:
    assert square_norm(one, other, squarings) == pytest.approx(p_norm((one, other), 2.0**squarings), rel=1e-9)


@given(st.lists(DURATIONS, min_size=1, max_size=40), DURATIONS, st.integers(0, 4))
def test_a_square_norm_is_the_same_to_the_bit_in_a_vector(
    values: list[float], other: float, squarings: int
) -> None:
    vector = square_norm(np.array(values), other, squarings)
    assert isinstance(vector, np.ndarray)
    assert vector.tolist() == [float(square_norm(value, other, squarings)) for value in values]


@given(st.lists(DURATIONS, min_size=2, max_size=4), st.floats(1.0, 20.0))
def test_a_norm_lies_between_the_largest_and_the_sum(durations: list[float], p: float) -> None:
    norm = float(p_norm(tuple(durations), p))
    assert max(durations) <= norm * (1 + 1e-12)
    assert norm <= sum(durations) * (1 + 1e-12)


def test_a_product_by_hand() -> None:
    # 65 rows take two tiles of 64. Additive norm, so every term shows.
    seconds = gemm_seconds(
        65,
        1000,
        500,
        numbers=(1e-6, 0.5, 0.8, 1.0, 1e-9, 0.25),
        element_bytes=1.0,
        peak_flops_per_s=1e12,
        peak_bytes_per_s=1e9,
    )
    compute = 2 * 128 * 1000 * 500 / 0.5e12
    traffic = (65 * 1000 + 1000 * 500 + 2 * 65 * 500) / 0.8e9
    convert = 65 * 1000 * 3 / 0.25e9
    assert float(seconds) == pytest.approx(1e-6 + compute + traffic + 1e-6 + convert, rel=1e-12)


def test_decode_attention_by_hand() -> None:
    # 3 MB at half the bandwidth before 1 MB and at all of it after; the tiles take longer: p = 2.
    seconds = decode_attention_seconds(
        3e6,
        16.0,
        numbers=(1e-5, 1.0, 0.5, 1e-4, 1),
        small_bytes=1e6,
        peak_bytes_per_s=1e9,
    )
    assert seconds == pytest.approx(1e-5 + ((2e-3 + 2e-3) ** 2 + (1.6e-3) ** 2) ** 0.5, rel=1e-12)


def test_prefill_attention_by_hand() -> None:
    seconds = prefill_attention_seconds(1e9, 256.0, numbers=(1e-5, 0.5, 1e-9), peak_flops_per_s=1e12)
    assert seconds == pytest.approx(1e-5 + 2e-3 + 2.56e-7, rel=1e-12)


def test_experts_by_hand() -> None:
    # 40 rows over 4 experts, each padded by 6 rows; 100 columns padded by 20. Additive norm.
    seconds = experts_seconds(
        20,
        (4.0, 40.0),
        (1000.0, 100.0),
        numbers=(1e-5, 0.5, 0.5, 1.0, 6.0, 20.0, 1e-12, 1e-8),
        element_bytes=2.0,
        peak_flops_per_s=1e12,
        peak_bytes_per_s=1e9,
    )
    weights = 3 * 1000 * 120
    compute, traffic = 2 * (40 + 24) * weights / 0.5e12, 4 * weights * 2 / 0.5e9
    assert float(seconds) == pytest.approx(1e-5 + compute + traffic + 40 * 1000 * 1e-12 + 2e-7, rel=1e-12)


def test_points_are_met_and_joined_in_logarithms() -> None:
    knots = ((1e3, 1e-5), (1e5, 1e-3), (1e6, 2e-3))
    for size, seconds in knots:
        assert float(interpolate_log(size, knots)) == pytest.approx(seconds)
    assert float(interpolate_log(1e4, knots)) == pytest.approx(1e-4)
    assert float(interpolate_log(1.0, knots)) == pytest.approx(1e-5)
    assert float(interpolate_log(1e7, knots)) == pytest.approx(2e-2)
