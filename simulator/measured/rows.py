"""Tables (CSV) with the line of every row, and cells as numbers with every fault at once."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.fields import CONTROL, MOST, told

MOST_FAULTS: Final = 5
"""Faults of a table that are told one by one."""

THOUSANDS: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
"""A number with separators of thousands, as spreadsheets and GenAI-Perf write them."""


@dataclass(slots=True)
class Faults:
    """What is wrong with a table.

    Parameters
    ----------
    path : of the file.
    found : messages, each with its line.
    """

    path: Path
    found: list[str] = field(default_factory=list)

    def add(self, line: int, column: str, told_: str) -> None:
        """Note that a cell is wrong, and how."""
        self.found.append(f"{self.path}:{line}: {column.translate(CONTROL)}: {told_}")

    def check(self) -> None:
        """Raise if anything was noted.

        Raises
        ------
        TraceFormatError
            With the first faults and how many more there are.
        """
        if not self.found:
            return
        shown = self.found[:MOST_FAULTS]
        more = len(self.found) - len(shown)
        shown += [f"{self.path}: {more} more faults like these"] if more else []
        raise TraceFormatError("\n".join(shown))


def sections_in(text: str, path: Path) -> list[list[tuple[int, list[str]]]]:
    r"""Return the rows of each section of a table, with their lines; blank lines part sections.

    Raises
    ------
    TraceFormatError
        If the text is no CSV.

    Examples
    --------
    >>> sections_in('a,b\n1,"2,0"\n\nc\n3\n', Path("x.csv"))
    [[(1, ['a', 'b']), (2, ['1', '2,0'])], [(4, ['c']), (5, ['3'])]]
    """
    found: list[list[tuple[int, list[str]]]] = [[]]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                found[-1].append((reader.line_num, [cell.strip() for cell in row]))
            elif found[-1]:
                found.append([])
    except csv.Error as error:
        message = f"{path}:{reader.line_num}: is no CSV: {error}: was the file cut?"
        raise TraceFormatError(message) from error
    return [section for section in found if section]


def as_number(cell: str) -> float | None:
    """Return a cell as a number of 0 or more; None if it is none.

    Examples
    --------
    >>> as_number("1,146.31"), as_number("12"), as_number("-1"), as_number("nan")
    (1146.31, 12.0, None, None)
    """
    plain = cell.replace(",", "") if THOUSANDS.fullmatch(cell) else cell
    try:
        value = float(plain)
    except ValueError:
        return None
    return value if 0.0 <= value <= MOST else None


class Table:
    """Columns of one section that has a row of names.

    Parameters
    ----------
    section : rows with their lines, the names first.
    faults : where to note what is wrong.
    """

    def __init__(self, section: Sequence[tuple[int, list[str]]], faults: Faults) -> None:
        (self.line, self.names), *self.rows = section
        self._faults = faults
        for line, row in self.rows:
            if len(row) != len(self.names):
                told_ = f"{len(row)} cells, but {len(self.names)} columns: was the file cut?"
                faults.add(line, "row", told_)

    def need(self, *names: str) -> bool:
        """Note the columns that are missing, with near names; say whether none is."""
        for name in names:
            if name in self.names:
                continue
            near = get_close_matches(name, self.names, n=1)
            hint = f"; did you mean {near[0].translate(CONTROL)!r}?" if near else ""
            stem = name.rpartition("_")[0]
            other = next((each for each in self.names if each in (f"{stem}_ms", f"{stem}_us")), None)
            if other is not None:
                hint = f"; {other} is in another unit: write seconds to {name}"
            self._faults.add(self.line, name, f"no such column{hint}")
        return all(name in self.names for name in names)

    def numbers(self, name: str, *, blank: bool = False, most: float = MOST) -> list[float]:
        """Return a column of numbers of 0 or more; NaN for blanks where they are allowed."""
        return [self._number(line, name, cell, blank=blank, most=most) for line, cell in self.cells(name)]

    def counts(self, name: str, *, least: int = 1) -> list[int]:
        """Return a column of whole numbers."""
        values = []
        for line, cell in self.cells(name):
            value = self._number(line, name, cell, blank=False, most=MOST)
            if not math.isnan(value) and (value != int(value) or value < least):
                self._faults.add(line, name, f"{told(cell)} is no whole number of {least} or more")
                value = math.nan
            values.append(least if math.isnan(value) else int(value))
        return values

    def cells(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the line and the cell of each row in a column, blank where the row is short."""
        place = self.names.index(name)
        for line, row in self.rows:
            yield line, row[place] if place < len(row) else ""

    def _number(self, line: int, name: str, cell: str, *, blank: bool, most: float) -> float:
        if blank and not cell:
            return math.nan
        value = as_number(cell)
        if value is None or value > most:
            upto = f" up to {most:g}" if most < MOST else ""
            self._faults.add(line, name, f"{told(cell)} is not a number of 0 or more{upto}")
            return math.nan
        return value
