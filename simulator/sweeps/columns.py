"""Named columns of a table: what is written and printed is made of them; a frame where one is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Columns: TypeAlias = Mapping[str, "list[Any] | NDArray[np.float64]"]
"""Columns of equal length by name: plain values with None where there is none, or floats with NaN."""

INTEGERS: Final = {int, type(None)}
"""Types of the values of a column of integers with gaps."""


def rows_of(columns: Columns) -> Iterator[list[Any]]:
    """Yield the rows as plain values, every digit of them kept; None where there is none."""
    for row in zip(*columns.values(), strict=True):
        yield [_plain(value) for value in row]


def _plain(value: object) -> object:
    if isinstance(value, float):  # NumPy's, too
        return None if math.isnan(value) else float(value)
    return value


def frame_of(columns: Columns) -> pd.DataFrame:
    """Return the columns as a frame; a column of integers with gaps is of pandas' ``Int64``."""
    import pandas as pd  # noqa: PLC0415 - a third of a second and more: only where a frame is asked for

    typed = {
        name: pd.array(list(column), dtype="Int64") if _has_gaps(column) else column
        for name, column in columns.items()
    }
    return pd.DataFrame(typed)


def _has_gaps(column: list[Any] | NDArray[np.float64]) -> bool:
    return isinstance(column, list) and None in column and {type(value) for value in column} <= INTEGERS
