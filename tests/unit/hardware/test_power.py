"""Power under load rises with use and stays between idle and the limit, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.hardware import PowerFit
from simulator.hardware.calibration import Fitted

MADE_UP = Fitted(table="made up for tests", rows=1, held_out_rows=0)
uses = st.floats(0.0, 1.0)
exponents = st.floats(0.01, 50.0)


def power(memory: float, compute: float) -> PowerFit:
    return PowerFit(
        memory_exponent=memory,
        compute_exponent=compute,
        measured_on="a-gpu",
        memory_fitted=MADE_UP,
        compute_fitted=MADE_UP,
    )


@given(m=exponents, c=exponents, memory=uses, compute=uses)
def test_power_lies_between_idle_and_the_limit(m: float, c: float, memory: float, compute: float) -> None:
    assert 0.0 <= float(power(m, c).dynamic_ratio(memory, compute)) <= 1.0


@given(m=exponents, c=exponents, memory=st.tuples(uses, uses), compute=st.tuples(uses, uses))
def test_more_use_never_draws_less(
    m: float, c: float, memory: tuple[float, float], compute: tuple[float, float]
) -> None:
    less = power(m, c).dynamic_ratio(min(memory), min(compute))
    more = power(m, c).dynamic_ratio(max(memory), max(compute))
    assert float(more) >= float(less)


@given(m=exponents, c=exponents, memory=uses, compute=uses)
def test_both_in_use_draw_less_than_each_alone_together(
    m: float, c: float, memory: float, compute: float
) -> None:
    fit = power(m, c)
    apart = float(fit.dynamic_ratio(memory, 0.0)) + float(fit.dynamic_ratio(0.0, compute))
    assert float(fit.dynamic_ratio(memory, compute)) <= apart + 1e-12


def test_an_unused_gpu_draws_no_more_than_idle_and_a_column_gives_a_column() -> None:
    found = np.asarray(power(1.0, 6.0).dynamic_ratio(np.array([0.0, 0.5]), np.array([0.0, 0.1])))
    assert found == pytest.approx([0.0, 1.0 - np.exp(-1.1)])


@pytest.mark.parametrize("exponent", [0.0, -1.0, 51.0])
def test_an_exponent_that_no_fit_gives_is_refused(exponent: float) -> None:
    with pytest.raises(ValidationError, match="memory_exponent"):
        power(exponent, 6.0)
