"""CSV files in chunks: the columns wanted as arrays, every fault with its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from simulator.errors import TraceFormatError
from workloads.traces.faults import Faults, shown
from workloads.traces.sources import Source
from workloads.traces.table import FloatArray, Gathered, IntArray
from workloads.traces.values import Kind, earlier

CUT: Final = "was the file cut, or put together of two?"

CHUNK_ROWS: Final = 1 << 15
"""Rows held as texts at a time: some 10 MB."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table.

    Parameters
    ----------
    lines : line of each row.
    columns : numbers of the columns that were wanted, by name.
    texts : columns wanted as they are written.
    """

    lines: Sequence[int]
    columns: dict[str, FloatArray | IntArray]
    texts: dict[str, list[str]]

    def floats(self, name: str) -> FloatArray:
        """Return a column of floats."""
        return self.columns[name].astype(np.float64, copy=False)

    def whole(self, name: str) -> IntArray:
        """Return a column of whole numbers."""
        return self.columns[name].astype(np.int64, copy=False)


class CsvTable:
    """The rows of an opened CSV file.

    Parameters
    ----------
    source : the file.
    faults : takes what is wrong with its rows.

    Raises
    ------
    TraceFormatError
        If a column stands twice in its header.
    """

    def __init__(self, source: Source, faults: Faults) -> None:
        self._source = source
        self._faults = faults
        self._reader = csv.reader(source.text, strict=True)
        self.header = tuple(name.strip() for name in next(self._reader, []))
        twice = sorted({name for name in self.header if self.header.count(name) > 1})
        if twice:
            message = f"{source.path}:1: the header has {', '.join(map(shown, twice))} more than once"
            raise TraceFormatError(message)
        self.rows = 0

    def unknown(self, *known: str) -> tuple[str, ...]:
        """Return the columns that are none of `known`."""
        return tuple(name or shown(name) for name in self.header if name not in known)

    def chunks(self, wanted: Mapping[str, Kind], texts: Sequence[str] = ()) -> Iterator[Chunk]:
        """Yield the rows with the columns `wanted` as numbers and the columns `texts` as they are.

        Raises
        ------
        TraceFormatError
            If the header lacks one of them.
        """
        missing = [name for name in (*wanted, *texts) if name not in self.header]
        if missing:
            message = f"{self._source.path}:1: no column {', '.join(map(shown, missing))}"
            raise TraceFormatError(message)
        places = {name: self.header.index(name) for name in (*wanted, *texts)}
        while True:
            line = self._reader.line_num + 1
            rows = list(islice(self._reader, CHUNK_ROWS))
            if not rows:
                return
            lines: Sequence[int] = range(line, line + len(rows))
            if self._reader.line_num + 1 != line + len(rows):
                lines = _lines(rows, line)
            lines, rows = self._whole_rows(lines, rows)
            self.rows += len(rows)
            if rows:
                columns = list(zip(*rows, strict=True))
                yield Chunk(
                    lines,
                    {
                        name: self._numbers(name, columns[places[name]], kind, lines)
                        for name, kind in wanted.items()
                    },
                    {name: list(columns[places[name]]) for name in texts},
                )
            self._source.tell()

    def _numbers(
        self, name: str, texts: Sequence[str], kind: Kind, lines: Sequence[int]
    ) -> FloatArray | IntArray:
        def refuse(place: int, text: str) -> None:
            self._faults.add(lines[place], name, f"{shown(text or None)} is not {kind.allowed}")

        return kind.values(texts, refuse)

    def _whole_rows(
        self, lines: Sequence[int], rows: list[list[str]]
    ) -> tuple[Sequence[int], list[list[str]]]:
        """Return the rows that have as many fields as the header; blank lines are no rows."""
        width = len(self.header)
        if all(len(row) == width for row in rows):
            return lines, rows
        kept = [(line, row) for line, row in zip(lines, rows, strict=True) if row]
        for line, row in kept:
            if len(row) != width:
                self._faults.add(line, "row", f"has {len(row)} fields, the header has {width}: {CUT}")
        right = [(line, row) for line, row in kept if len(row) == width]
        return [line for line, _ in right], [row for _, row in right]


class Clock:
    """Checks that times do not go back from chunk to chunk.

    Parameters
    ----------
    name : column of the times.
    faults : takes the rows that do.
    """

    def __init__(self, name: str, faults: Faults) -> None:
        self._name = name
        self._faults = faults
        self._last: float | None = None

    def check(self, times: FloatArray | IntArray, lines: Sequence[int], texts: Sequence[str] = ()) -> None:
        """Refuse the rows whose time is before that of the row before them.

        Parameters
        ----------
        times : in any unit.
        lines : their lines.
        texts : what the file says, where that is not `times`.
        """
        if not len(times):
            return
        last = times[0] if self._last is None else self._last
        for place in earlier(times, last).tolist():
            before = (texts[place - 1] if texts else times[place - 1]) if place else last
            given = texts[place] if texts else times[place]
            message = f"{given} is earlier than {before} of the row before; sort the file by it"
            self._faults.add(lines[place], self._name, message)
        self._last = times[-1]


def keep_served(
    gathered: Gathered,
    chunk: dict[str, FloatArray | IntArray],
    dropped: dict[str, int],
    *,
    lengths: tuple[str, str] = ("prompt_tokens", "output_tokens"),
) -> None:
    """Append the rows of a chunk that have a prompt and an output, and count the others by reason."""
    prompts, outputs = chunk[lengths[0]], chunk[lengths[1]]
    if (prompts > 0).all() and (outputs > 0).all():
        kept = slice(None)
    else:
        count(dropped, NO_PROMPT, int((prompts <= 0).sum()))
        count(dropped, NO_OUTPUT, int(((prompts > 0) & (outputs <= 0)).sum()))
        kept = (prompts > 0) & (outputs > 0)  # type: ignore[assignment] # a mask cuts as a slice does
    for name, values in chunk.items():
        gathered.extend(name, values[kept])


NO_PROMPT: Final = "prompt of 0 tokens"
NO_OUTPUT: Final = "output of 0 tokens: the request failed"


def count(dropped: dict[str, int], reason: str, rows: int = 1) -> None:
    """Count rows that are left out."""
    if rows:
        dropped[reason] = dropped.get(reason, 0) + rows


def _lines(rows: Sequence[Sequence[str]], first: int) -> list[int]:
    """Return the line of each row, where quoted fields go over several."""
    lines, line = [], first
    for row in rows:
        lines.append(line)
        line += 1 + sum(field.count("\n") for field in row)
    return lines
