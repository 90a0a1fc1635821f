"""Rows of a table as series of a chart."""

from __future__ import annotations

import pandas as pd

from simulator.report.chart import Series, Style


def series_of(rows: pd.DataFrame, x: str, name: str, place: int, style: Style = "dotted_line") -> Series:
    """Return ``estimate`` with its interval over the column `x`.

    Parameters
    ----------
    rows : of `mean_over_seeds` or `ratio_over_seeds`.
    x : column of the horizontal axis.
    name, place, style : as of `Series`.
    """
    low, high = (_bounds(rows[column]) for column in ("low", "high"))
    return Series(name, list(rows[x]), list(rows["estimate"]), place, style, low=low, high=high)


def _bounds(column: pd.Series[float]) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in column]
