"""A trace in columns, and the arrays that it is gathered in."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

NONE: Final = -1
"""Stands in a column of whole numbers where a row has no such thing."""


@dataclass(frozen=True, slots=True)
class PrefixBlocks:
    """Blocks of the prompts; requests whose ids begin alike begin with the same tokens.

    Parameters
    ----------
    offsets : where the blocks of each row begin in `ids`, and their number at the end, shape (rows + 1,).
    ids : all blocks, row after row.
    tokens : tokens of a block; the last one of a row may be shorter.
    """

    offsets: IntArray
    ids: IntArray
    tokens: int

    def rows(self, kept: IntArray) -> PrefixBlocks:
        """Return the blocks of the rows numbered `kept`."""
        lengths = np.diff(self.offsets)[kept]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        places = np.repeat(self.offsets[kept] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return PrefixBlocks(offsets.astype(np.int64), self.ids[places], self.tokens)


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace, one row a request, in the order of the file.  A column that no row has is None.

    Parameters
    ----------
    format : name of the format it was read from.
    arrival_s : when each request was sent, s, never decreasing; NaN where it follows its parent.
    prompt_tokens, output_tokens : lengths, tokens.
    request_ids : the file's own numbers of the requests.
    parents : row of the request that each one continues or follows; `NONE` where there is none.
    tool_s : time between the end of the parent and the request, s; NaN where it is not recorded.
    sessions : number of the session of each row; `NONE` where there is none.
    blocks : prefix blocks.
    dropped : rows left out, by reason.
    ignored : columns of the file that nothing here reads.
    notes : what a reader of the trace should know, a sentence each.
    """

    format: str
    arrival_s: FloatArray
    prompt_tokens: IntArray | None = None
    output_tokens: IntArray | None = None
    request_ids: IntArray | None = None
    parents: IntArray | None = None
    tool_s: FloatArray | None = None
    sessions: IntArray | None = None
    blocks: PrefixBlocks | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)

    @property
    def own_arrivals_s(self) -> FloatArray:
        """Arrivals of the requests that do not wait for another, s."""
        return self.arrival_s[~np.isnan(self.arrival_s)]


class Gathered:
    """Columns that grow by values or by chunks, 8 bytes a value."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float] | array[int]] = {}

    def add(self, name: str, value: float) -> None:
        """Append one value to a column; a `float` makes one of floats, an `int` one of integers."""
        self._column(name, "d" if isinstance(value, float) else "q").append(value)  # type: ignore[arg-type] # the code says which

    def extend(self, name: str, values: FloatArray | IntArray) -> None:
        """Append the values of an array."""
        self._column(name, "d" if values.dtype == np.float64 else "q").frombytes(values.tobytes())

    def extend_whole(self, name: str, values: list[int]) -> None:
        """Append whole numbers.

        Raises
        ------
        TypeError, OverflowError
            If they are none, or do not fit 64 bits; then nothing is appended.
        """
        column = self._column(name, "q")
        column.extend(array("q", values))

    def size(self, name: str) -> int:
        """Return how many values a column has."""
        column = self._columns.get(name)
        return 0 if column is None else len(column)

    def floats(self, name: str) -> FloatArray:
        """Return a column of floats, not copied; the column can no longer grow."""
        return np.frombuffer(self._columns.get(name, array("d")), dtype=np.float64)

    def whole(self, name: str) -> IntArray:
        """Return a column of integers, not copied; the column can no longer grow."""
        return np.frombuffer(self._columns.get(name, array("q")), dtype=np.int64)

    def _column(self, name: str, code: str) -> array[float] | array[int]:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = array(code)
        return column
