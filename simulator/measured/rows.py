"""Tables (CSV) with the line of every row, and cells as numbers with every fault at once."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import groupby
from typing import Final

from simulator.errors import TraceFormatError
from simulator.frozen import MOST_TOKENS
from simulator.measured.faults import Faults
from simulator.measured.fields import MOST, TOO_LONG, told
from simulator.measured.opening import result_lines
from simulator.text_files import CONTROL, Source

MOST_FAULTS: Final = 5
"""Faults of a table that are told one by one."""

MOST_CELL: Final = 2**28
"""Characters of a cell: the times of all tokens of ten million are some 200 MB."""

THOUSANDS: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
"""A number with separators of thousands, as spreadsheets and GenAI-Perf write them."""


Row = tuple[int, list[str]]
"""A row of a table: its line and its cells."""


def sections_in(source: Source) -> Iterator[Iterator[Row]]:
    r"""Yield the rows of each section of a table, with their lines; blank lines part sections.

    Raises
    ------
    TraceFormatError
        If the text is no CSV.

    Examples
    --------
    >>> import io
    >>> from pathlib import Path
    >>> text = io.StringIO('a,b\n1,"2,0"\n\nc\n3\n')
    >>> [list(section) for section in sections_in(Source(Path("."), text, io.BytesIO(), None))]
    [[(1, ['a', 'b']), (2, ['1', '2,0'])], [(4, ['c']), (5, ['3'])]]
    """
    for is_blank, rows in groupby(_rows(source), key=lambda row: not any(row[1])):
        if not is_blank:
            yield rows


def _rows(source: Source) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), MOST_CELL))  # Python's own is 128 KiB
    reader = csv.reader(result_lines(source), strict=True)
    try:
        for row in reader:
            yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        message = f"{source.path}:{reader.line_num}: is no CSV: {error}: was the file cut?"
        raise TraceFormatError(message) from error


def as_number(cell: str) -> float | None:
    """Return a cell as a number of 0 or more; None if it is none.

    Examples
    --------
    >>> as_number("1,146.31"), as_number("12"), as_number("-1"), as_number("nan")
    (1146.31, 12.0, None, None)
    """
    if "_" in cell:  # which Python allows in numbers
        return None
    try:
        value = float(cell.replace(",", "") if "," in cell and THOUSANDS.fullmatch(cell) else cell)
    except ValueError:
        return None
    return value if 0.0 <= value <= MOST else None


class Head:
    """The row of names of a section, and the cells below it.

    Parameters
    ----------
    row : the names with their line.
    faults : where to note what is wrong.
    """

    def __init__(self, row: Row, faults: Faults) -> None:
        self.line, self.names = row
        self.faults = faults
        self._places = {name: place for place, name in reversed(list(enumerate(self.names)))}

    def check_row(self, row: Row) -> bool:
        """Note a row that has another number of cells than there are names; say whether it has as many."""
        line, cells = row
        if len(cells) != len(self.names):
            told_ = f"{len(cells)} cells, but {len(self.names)} columns: was the file cut?"
            self.faults.add(line, "row", told_)
        return len(cells) == len(self.names)

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
            told_ = f"no such column{hint or '; name it so in the header, or add it'}"
            self.faults.add(self.line, name, told_)
        return all(name in self.names for name in names)

    def cell(self, row: Row, name: str) -> str:
        """Return the cell of a row in a column."""
        return row[1][self._places[name]]

    def number(self, row: Row, name: str, *, blank: bool = False, most: float = MOST) -> float:
        """Return a cell as a number of 0 or more; NaN for a blank where that is allowed, and for a fault."""
        cell = row[1][self._places[name]]
        if blank and not cell:
            return math.nan
        value = as_number(cell)
        if value is None or value > most:
            upto = f" up to {most:g}" if most < MOST else ""
            self.faults.add(row[0], name, f"{told(cell)} is not a number of 0 or more{upto}")
            return math.nan
        return value

    def tokens(self, row: Row, name: str, *, least: int = 1) -> int:
        """Return a cell as a length in tokens."""
        value = self.number(row, name)
        if math.isnan(value):
            return least
        if value != int(value) or value < least:
            told_ = f"{told(row[1][self._places[name]])} is no whole number of {least} or more"
            self.faults.add(row[0], name, told_)
            return least
        if value > MOST_TOKENS:
            self.faults.add(row[0], name, f"{value:.9g} tokens {TOO_LONG}")
            return least
        return int(value)
