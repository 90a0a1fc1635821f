from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.metrics.measures import MEASURES
from simulator.report.quantities import LADDERS, Scale, digits, scale_of, written


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.path)
def test_every_measure_has_units_for_people(measure: object) -> None:
    assert getattr(measure, "unit") in LADDERS  # noqa: B009 - the parameter is any measure


@given(value=st.floats(1e-9, 1e9), unit=st.sampled_from(sorted(LADDERS)))
def test_a_quantity_reads_back_as_itself(value: float, unit: str) -> None:
    scale = scale_of([value], unit)
    shown = float(digits(value / scale.divisor).replace(",", ""))
    assert shown * scale.divisor == pytest.approx(value, rel=6e-3)


def test_one_unit_serves_a_whole_row() -> None:
    assert scale_of([0.2, 3.0, None], "s") == Scale(1.0, "s")


def test_nothing_to_show_takes_the_largest_unit() -> None:
    assert scale_of([None], "s") == Scale(1.0, "s")
    assert scale_of([0.0], "bytes") == Scale(1e9, "GB")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "-"),
        (1.5e-6, "s", "1.500 us"),
        (0.25, "ratio", "25 %"),
        (2e3, "joules", "2 kJ"),
        (0.05, "usd", "5 US cents"),
        (5e-10, "s", "0.000500 us"),
        (12345678, "tokens", "12,345,678"),
    ],
)
def test_quantities_as_people_write_them(value: float | None, unit: str, text: str) -> None:
    assert written(value, unit) == text


def test_fewer_digits_can_be_asked_for() -> None:
    assert (digits(12.345, 3), digits(253.9, 3), digits(0.012345, 3)) == ("12.3", "254", "0.0123")
