"""Columns of numbers, 8 bytes a value, that read and compare like tuples: files hold millions of times."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

MOST_ODD: Final = 100
"""Entries of a list that are kept as they stand in the file, to be told: those that are no numbers."""

MOST_TOLD: Final = 100
"""Characters of such an entry that are kept."""

NUMBERS: Final = frozenset({int, float})

T = TypeVar("T", int, float)


class Column(Sequence[T]):
    """Numbers of one type that do not change.

    Parameters
    ----------
    values : the numbers, not copied.

    Examples
    --------
    >>> floats([1, 0.5]) == (1.0, 0.5), whole([1, 2])[1], len(floats([]))
    (True, 2, 0)
    """

    __slots__ = ("values",)

    def __init__(self, values: array[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[T]:
        return iter(self.values)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Column[T]: ...
    def __getitem__(self, place: int | slice) -> T | Column[T]:
        return Column(self.values[place]) if isinstance(place, slice) else self.values[place]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401, FBT001 - numpy's
        found = np.frombuffer(self.values, dtype=self.values.typecode)
        return found.astype(dtype or found.dtype, copy=copy is not False)

    def __eq__(self, other: object) -> bool:
        """Say whether the values are equal; NaN equals NaN, for both say that there is none."""
        if not isinstance(other, Column | tuple | list):
            return NotImplemented
        return len(other) == len(self) and all(map(_same, self, other))

    def __hash__(self) -> int:
        return hash(self.values.tobytes())

    def __repr__(self) -> str:
        return f"Column({self.values.tolist()})"

    def array(self) -> NDArray[Any]:
        """Return the values without copying them, shape (values,)."""
        return np.frombuffer(self.values, dtype=self.values.typecode)

    def taken(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> Column[T]:
        """Return the values at `places`, or where they are true."""
        if places.dtype == np.bool_ and places.all() and len(places) == len(self):
            return self
        return _column(self.array()[places], self.values.typecode)


def _same(one: Any, two: Any) -> bool:  # noqa: ANN401 - numbers, or whatever stands beside them
    return bool(one == two or (one != one and two != two))  # noqa: PLR0124 - NaN differs from itself


def _column(values: NDArray[Any], code: str) -> Column[Any]:
    found: array[Any] = array(code)
    found.frombytes(np.ascontiguousarray(values, dtype=code).view(np.uint8).data)
    return Column(found)


def floats(values: Iterable[float] | NDArray[Any]) -> Column[float]:
    """Return a column of floats."""
    return _column(values, "d") if isinstance(values, np.ndarray) else Column(array("d", values))


def whole(values: Iterable[int] | NDArray[Any]) -> Column[int]:
    """Return a column of whole numbers of 64 bits."""
    return _column(values, "q") if isinstance(values, np.ndarray) else Column(array("q", values))


def in_order(rows: array[float], width: int) -> NDArray[np.float64]:
    """Return the columns of a table, sorted by the first and where that is equal by the others.

    Parameters
    ----------
    rows : the rows one after the other.
    width : values of a row.

    Returns
    -------
    array, shape (width, rows)

    Examples
    --------
    >>> in_order(array("d", [2.0, 7.0, 1.0, 8.0]), width=2).tolist()
    [[1.0, 2.0], [8.0, 7.0]]
    """
    table = np.frombuffer(rows, dtype=np.float64).reshape(-1, width)
    sorted_: NDArray[np.float64] = table[np.lexsort(table.T[::-1])].T
    return sorted_


class Ragged(Sequence[Column[float]]):
    """Rows of floats that do not change, one after the other.

    Parameters
    ----------
    flat : values of all rows.
    offsets : where each row begins in `flat`, and at last where the last ends.

    Examples
    --------
    >>> Ragged.of([[1.0], [], [2.0, 3.0]]) == ((1.0,), (), (2.0, 3.0))
    True
    """

    __slots__ = ("flat", "offsets")

    def __init__(self, flat: Column[float], offsets: array[int]) -> None:
        self.flat = flat
        self.offsets = offsets

    @classmethod
    def of(cls, rows: Iterable[Iterable[float]]) -> Ragged:
        """Return rows as they come."""
        flat, offsets = array("d"), array("q", [0])
        for row in rows:
            flat.extend(row)
            offsets.append(len(flat))
        return cls(Column(flat), offsets)

    @classmethod
    def empty(cls, rows: int) -> Ragged:
        """Return rows that hold nothing."""
        return cls(floats(()), array("q", bytes(8 * (rows + 1))))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, place: int) -> Column[float]: ...
    @overload
    def __getitem__(self, place: slice) -> Ragged: ...
    def __getitem__(self, place: int | slice) -> Column[float] | Ragged:
        if isinstance(place, slice):
            return Ragged.of(self[row] for row in range(*place.indices(len(self))))
        row = place + len(self) if place < 0 else place
        if not 0 <= row < len(self):
            raise IndexError(place)
        return self.flat[self.offsets[row] : self.offsets[row + 1]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ragged | tuple | list):
            return NotImplemented
        return len(other) == len(self) and all(one == two for one, two in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash((self.flat, self.offsets.tobytes()))

    def __repr__(self) -> str:
        return f"Ragged({[row.values.tolist() for row in self]})"

    def lengths(self) -> NDArray[np.int64]:
        """Return how many values each row has, shape (rows,)."""
        ends = np.frombuffer(self.offsets, dtype=np.int64)
        return ends[1:] - ends[:-1]

    def sums(self) -> Column[float]:
        """Return the sum of each row."""
        return floats(math.fsum(row) for row in self)

    def taken(self, places: Iterable[int]) -> Ragged:
        """Return the rows at `places`."""
        return Ragged.of(self[place] for place in places)


class Entries:
    """The entries of a JSON list of any length, each in few bytes.

    Numbers and rows of numbers are kept as such; of anything else only whether it is true or empty, and the
    first `MOST_ODD` of them cut to `MOST_TOLD` characters.
    """

    __slots__ = ("_flat", "_offsets", "is_row", "numbers", "odd", "truth")

    def __init__(self, values: Iterable[object] = ()) -> None:
        self.numbers = array("d")
        self.truth = bytearray()
        self.is_row = bytearray()
        self.odd: dict[int, object] = {}
        self._flat = array("d")
        self._offsets = array("q", [0])
        if not self._are_numbers(values):
            for value in values:
                self.append(value)

    def __len__(self) -> int:
        return len(self.numbers)

    def _are_numbers(self, values: Iterable[object]) -> bool:
        """Take a list of plain numbers at once; say whether it was one."""
        found = _row(values) if isinstance(values, list) else None
        if not isinstance(found, array) or np.isnan(np.frombuffer(found)).any():
            return False
        self.numbers, size = found, len(found)
        self.truth, self.is_row = bytearray(map(bool, found)), bytearray(size)
        self._offsets = array("q", bytes(8 * (size + 1)))
        return True

    def append(self, value: object) -> None:
        """Add an entry."""
        number, row = _number(value), _row(value)
        if row is not None:
            self._flat.extend(row)
        elif number != number and len(self.odd) < MOST_ODD:  # noqa: PLR0124 - NaN
            self.odd[len(self.numbers)] = value[:MOST_TOLD] if isinstance(value, str) else value
        self._offsets.append(len(self._flat))
        self.numbers.append(number)
        self.truth.append(bool(value))
        self.is_row.append(row is not None)

    def rows(self) -> Ragged:
        """Return the entries as rows; of one that is none, an empty one."""
        return Ragged(Column(self._flat), self._offsets)

    def shown(self, place: int) -> object:
        """Return an entry as a message tells it; of one that was not kept what it was like."""
        if self.is_row[place]:
            return []
        number = self.numbers[place]
        if number != number:  # noqa: PLR0124 - NaN
            return self.odd.get(place, "...")
        return int(number) if number.is_integer() else number


def _number(value: object) -> float:
    """Return a number as a float, NaN for anything else; bool is no number here."""
    if type(value) not in NUMBERS:
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type] # one of NUMBERS
    except OverflowError:
        return math.nan


def _row(value: object) -> Iterable[float] | None:
    """Return a list of numbers that are all finite in 64 bits, or None."""
    if isinstance(value, Entries):
        return value.numbers if not value.odd and not any(value.is_row) else None
    if not isinstance(value, list) or not NUMBERS.issuperset(map(type, value)):
        return None
    try:
        return array("d", value)
    except OverflowError:
        return None
