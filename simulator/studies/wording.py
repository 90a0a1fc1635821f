"""Figures of a table in words, with their intervals."""

from __future__ import annotations

import pandas as pd

from simulator.errors import SimulatorError


def row_of(rows: pd.DataFrame, **labels: object) -> pd.Series[float]:
    """Return the one row that has these labels.

    Parameters
    ----------
    rows : of `mean_over_seeds` or `ratio_over_seeds`.
    labels : value by column.

    Raises
    ------
    SimulatorError
        If not exactly one row has them.
    """
    chosen = rows[(rows[list(labels)] == pd.Series(labels)).all(axis=1)]
    if len(chosen) != 1:
        message = f"{len(chosen)} rows with {labels}; there should be one"
        raise SimulatorError(message)
    return chosen.iloc[0]


def said(row: pd.Series[float], form: str = ".2f", *, scale: float = 1.0, unit: str = "") -> str:
    """Return estimate and interval as text, for example ``1.34 (1.30 to 1.38)``.

    Parameters
    ----------
    row : with ``estimate``, ``low`` and ``high``; without bounds (one seed) there is no interval.
    form : of the numbers.
    scale : what they are multiplied with.
    unit : written behind each number.
    """

    def number(value: float) -> str:
        return f"{value * scale:{form}}{unit}"

    if pd.isna(row["low"]):
        return number(row["estimate"])
    return f"{number(row['estimate'])} ({number(row['low'])} to {number(row['high'])})"


def said_of(
    rows: pd.DataFrame, form: str = ".2f", *, scale: float = 1.0, unit: str = "", **labels: object
) -> str:
    """Return `said` of the row with these labels."""
    return said(row_of(rows, **labels), form, scale=scale, unit=unit)
