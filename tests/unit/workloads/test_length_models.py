from __future__ import annotations

from collections import Counter
from math import e

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workloads.lengths import DifficultyCoupledLengths, EmpiricalLengths, LognormalLengths
from workloads.task import Task

TASK = Task(0, 10, 0.5)


def test_the_median_of_a_lognormal_is_its_parameter() -> None:
    assert LognormalLengths(median_tokens=321.0, log_sigma=1.3).quantile(0.5, TASK) == 321


def test_a_lognormal_multiplies_by_exp_sigma_at_one_standard_deviation() -> None:
    one_sigma = 0.8413447460685429
    assert LognormalLengths(median_tokens=1e6, log_sigma=1.0).quantile(one_sigma, TASK) == round(1e6 * e)


def test_a_uniform_of_exactly_zero_has_a_length() -> None:
    assert LognormalLengths(median_tokens=100.0, log_sigma=0.1).quantile(0.0, TASK) == 44


@given(low=st.floats(0, 1), high=st.floats(0, 1), u=st.floats(0, 0.999))
def test_harder_tasks_are_never_shorter(low: float, high: float, u: float) -> None:
    lengths = DifficultyCoupledLengths(median_tokens=700.0, log_sigma=0.4, slope=2.0)
    hard, easy = Task(0, 10, min(low, high)), Task(0, 10, max(low, high))
    assert lengths.quantile(u, hard) >= lengths.quantile(u, easy)


def test_slope_is_the_log_ratio_between_never_and_always_solved() -> None:
    lengths = DifficultyCoupledLengths(median_tokens=1e6, log_sigma=0.4, slope=1.0)
    never, always = lengths.quantile(0.5, Task(0, 10, 0.0)), lengths.quantile(0.5, Task(0, 10, 1.0))
    assert never / always == pytest.approx(e, rel=1e-5)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_measured_values_come_back_as_often_as_they_were_measured(values: list[int]) -> None:
    lengths = EmpiricalLengths(values=tuple(values))
    ranks = [(i + 0.5) / len(values) for i in range(len(values))]
    assert Counter(lengths.quantile(u, TASK) for u in ranks) == Counter(values)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=8))
def test_a_bin_holds_its_share_of_the_lengths_and_none_outside(widths: list[tuple[int, int]]) -> None:
    edges, upper = [], 0
    for width, count in widths:
        upper += width
        edges.append((upper, count))
    lengths = EmpiricalLengths(bins=tuple(edges))
    total, cumulative, lower = sum(count for _, count in edges), 0, 0
    for edge, count in edges:
        for k in range(count):
            drawn = lengths.quantile((cumulative + k + 0.5) / total, TASK)
            assert lower < drawn <= edge
        cumulative, lower = cumulative + count, edge


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "give either values or bins"),
        ({"values": (1,), "bins": ((1, 1),)}, "give either values or bins"),
        ({"bins": ((10, 1), (10, 2))}, "the edges of bins must increase, but 10 follows 10"),
        ({"values": (0,)}, "greater than or equal to 1"),
        ({"values": ()}, "at least 1 item"),
    ],
)
def test_an_inconsistent_histogram_is_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EmpiricalLengths(**parameters)  # type: ignore[arg-type] # wrong on purpose
