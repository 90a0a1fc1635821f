"""The least cost at a solving rate is that of the best setting or mixture of two."""

from __future__ import annotations

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.studies.frontier import Mixture, Spent, cheapest, least_cost

settings = st.lists(
    st.builds(Spent, st.floats(0.1, 100.0), st.floats(0.01, 1.0)), min_size=1, max_size=6, unique=True
)


def test_a_setting_costs_what_it_costs_and_between_two_the_cost_is_mixed() -> None:
    found = [Spent(2.0, 0.5), Spent(10.0, 0.7)]
    assert [least_cost(found, rate) for rate in (0.5, 0.55, 0.7)] == pytest.approx([2.0, 4.0, 10.0])


def test_leaving_tasks_alone_is_a_setting_too() -> None:
    assert least_cost([Spent(2.0, 0.5)], 0.1) == pytest.approx(0.4)


def test_a_dominated_setting_is_never_taken() -> None:
    assert least_cost([Spent(2.0, 0.5), Spent(9.0, 0.6), Spent(6.0, 0.7)], 0.6) == pytest.approx(4.0)
    assert least_cost([Spent(5.0, 0.6), Spent(3.0, 0.6)], 0.6) == 3.0


def test_what_no_setting_solves_has_no_cost() -> None:
    assert isnan(least_cost([Spent(2.0, 0.5)], 0.51))
    assert isnan(least_cost([], 0.5))


@given(
    found=settings,
    rate=st.floats(0.0, 1.0),
    more=st.builds(Spent, st.floats(0.1, 100.0), st.floats(0.01, 1.0)),
)
def test_more_to_choose_from_never_costs_more(found: list[Spent], rate: float, more: Spent) -> None:
    before, after = least_cost(found, rate), least_cost([*found, more], rate)
    assert isnan(before) or after <= before


@given(found=settings, rates=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)))
def test_the_cost_is_convex_from_nothing_up(found: list[Spent], rates: tuple[float, float]) -> None:
    low, high = sorted(rates)
    ends = least_cost(found, low), least_cost(found, high)
    middle = least_cost(found, (low + high) / 2.0)
    assert isnan(ends[1]) or middle <= sum(ends) / 2.0 * (1.0 + 1e-9) + 1e-9


def test_the_cheapest_mixture_is_named_and_can_be_given_to_other_figures() -> None:
    settings = [Spent(9.0, 0.7), Spent(2.0, 0.5), Spent(6.0, 0.7)]
    found = cheapest(settings, 0.6)
    assert found == Mixture(1, 2, pytest.approx(0.5))
    assert found.of([Spent(0.0, 0.0), Spent(4.0, 0.4), Spent(8.0, 0.6)]) == pytest.approx((6.0, 0.5))
    assert cheapest(settings, 0.25) == Mixture(None, 1, 0.5)
    assert cheapest(settings, 0.8) is None
