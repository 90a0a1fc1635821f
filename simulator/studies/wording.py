"""Figures of a table in words, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from simulator.errors import SimulatorError


def rows_of(rows: pd.DataFrame, labels: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows that have these labels, in order."""
    chosen = pd.Series(data=True, index=rows.index)
    for column, value in labels.items():
        chosen &= rows[column] == value
    return rows[chosen]


def row_of(rows: pd.DataFrame, labels: Mapping[str, object]) -> pd.Series[float]:
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
    found = rows_of(rows, labels)
    if len(found) != 1:
        message = f"{len(found)} rows with {dict(labels)}; there should be one"
        raise SimulatorError(message)
    return found.iloc[0]


def said(row: pd.Series[float], form: str = ".2f", *, scale: float = 1.0, unit: str = "") -> str:
    """Return estimate and interval as text, for example ``1.34 (1.30 to 1.38)``.

    Parameters
    ----------
    row : with ``estimate``, ``low`` and ``high``; without bounds (one seed) there is no interval.
    form : of the numbers.
    scale : what they are multiplied with.
    unit : written behind the estimate.
    """
    estimate, low, high = (f"{row[name] * scale:{form}}" for name in ("estimate", "low", "high"))
    return f"{estimate}{unit}" if pd.isna(row["low"]) else f"{estimate}{unit} ({low} to {high})"


def said_of(
    rows: pd.DataFrame,
    labels: Mapping[str, object],
    form: str = ".2f",
    *,
    scale: float = 1.0,
    unit: str = "",
) -> str:
    """Return `said` of the row that has these labels."""
    return said(row_of(rows, labels), form, scale=scale, unit=unit)
