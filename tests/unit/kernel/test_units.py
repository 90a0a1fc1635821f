"""The clock counts whole nanoseconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.units import JOULES_PER_KWH, NS_PER_S, SECONDS_PER_HOUR, to_ns, to_s

EXACT_NS = 2**51
"""Up to 26 days a nanosecond survives the way to float seconds and back."""


@given(nanoseconds=st.integers(-EXACT_NS, EXACT_NS))
def test_nanoseconds_survive_the_way_to_seconds_and_back(nanoseconds: int) -> None:
    assert to_ns(to_s(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("seconds", "nanoseconds"),
    [
        (0.0, 0),
        (1e-9, 1),
        (0.4e-9, 0),
        (0.5e-9, 0),
        (1.5e-9, 2),
        (2.5e-9, 2),
        (0.1, 100_000_000),
        (-1.0, -(10**9)),
    ],
)
def test_seconds_round_to_the_nearest_nanosecond_and_halves_to_even(seconds: float, nanoseconds: int) -> None:
    assert to_ns(seconds) == nanoseconds
    assert type(to_ns(seconds)) is int


@given(a=st.floats(0, 1e6), b=st.floats(0, 1e6))
def test_rounding_keeps_the_order_of_times(a: float, b: float) -> None:
    assert to_ns(min(a, b)) <= to_ns(max(a, b))


def test_constants_are_si() -> None:
    assert (NS_PER_S, SECONDS_PER_HOUR, JOULES_PER_KWH) == (10**9, 60.0 * 60.0, 1000.0 * 3600.0)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_what_is_not_a_time_is_refused(seconds: float) -> None:
    with pytest.raises((ValueError, OverflowError), match="cannot convert float"):
        to_ns(seconds)
