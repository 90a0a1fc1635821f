"""Figures in words."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.errors import SimulatorError
from simulator.studies.wording import row_of, said, said_of

ROWS = pd.DataFrame(
    {
        "model": ["small", "small", "large"],
        "load": [1, 2, 1],
        "estimate": [0.1234, 2.0, 3.0],
        "low": [0.1, float("nan"), 2.5],
        "high": [0.2, float("nan"), 3.5],
    }
)


def test_an_interval_is_written_behind_the_estimate() -> None:
    row = row_of(ROWS, {"model": "small", "load": 1})
    assert said(row, ".1f", scale=100, unit=" %") == "12.3 % (10.0 to 20.0)"


def test_one_seed_has_no_interval() -> None:
    assert said_of(ROWS, {"model": "small", "load": 2}) == "2.00"


@pytest.mark.parametrize("labels", [{"model": "small"}, {"model": "huge"}])
def test_a_figure_that_is_not_one_is_refused(labels: dict[str, object]) -> None:
    with pytest.raises(SimulatorError, match=r"(2|0) rows with .*there should be one"):
        row_of(ROWS, labels)
