"""Rows of a table as series of a chart, and what models are called in one."""

from __future__ import annotations

import pandas as pd

from simulator.report.chart import Axis, Series, Style


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


def short(model: str) -> str:
    """Return a model's size as figures write it.

    Examples
    --------
    >>> short("qwen3-0.6b")
    '0.6B'
    """
    return model.removeprefix("qwen3-").upper()


def attention_name(attention: str) -> str:
    """Return what figures and sentences call a kind of attention.

    Examples
    --------
    >>> attention_name("block_topk")
    'block top-k'
    """
    return {"block_topk": "block top-k"}.get(attention, attention)


def sized(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the column ``size``, what figures call their ``model``."""
    return rows.assign(size=rows["model"].map(short))


def sizes(frame: pd.DataFrame) -> Axis:
    """Return an axis of the models of a table, by size as they stand there."""
    return Axis(categories=tuple(dict.fromkeys(sized(frame)["size"])))


def _bounds(column: pd.Series[float]) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in column]
