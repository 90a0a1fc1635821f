"""Our normal form: ``requests.csv``, a row a request, and ``timeseries.csv`` beside it if there is one.

Columns are ``request_id, arrival_s, prompt_tokens, output_tokens, ttft_s, tpot_s, e2e_s``, in any order, and
``itl_s`` (gaps between tokens, separated by semicolons) where it was recorded; others are ignored.
``tpot_s`` is blank for one token.  Where there is a column ``cancelled``, a 1 in it says that the client gave
the request up after ``output_tokens``: it is replayed, not compared, and may have no ``ttft_s``.  The series
has ``t_s, running, waiting, kv_cache_pct``, the last in %, with blank cells where nothing was recorded.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.measured.bench import BenchRun, Requests, Series
from simulator.measured.columns import Column, Ragged, floats
from simulator.measured.faults import Faults
from simulator.measured.fields import told
from simulator.measured.opening import opened_result
from simulator.measured.plausible import check_plausible, doubt
from simulator.measured.rows import MOST_FAULTS, Head, Row, as_number, sections_in
from simulator.measured.summaries import Place, run_of, with_requests
from simulator.text_files import Source

TOOL: Final = "kinesim requests.csv"
NEEDED: Final = ("arrival_s", "prompt_tokens", "output_tokens", "ttft_s", "e2e_s")
COLUMNS: Final = (*NEEDED, "tpot_s")
"""What is kept of a row, 8 bytes each."""

CANCELLED: Final = "cancelled"
SERIES: Final = "timeseries.csv"
SERIES_COLUMNS: Final = ("running", "waiting", "kv_cache_pct")
LEAST_KNOWN: Final = 3
"""Columns of `NEEDED` that tell the form."""

SLACK: Final = 1.001
"""Rounding of the source may put a first token this factor behind the last."""

SAME_RATIO: Final = 0.02
"""How far ``tpot_s`` may be from what the other columns give, or `STAMP_S` of the whole request."""

STAMP_S: Final = 2e-3
"""Rounding of stamps in ms, twice."""

FULL_PCT: Final = 100.5
"""A full cache, %, with rounding."""


def knows(text: str) -> bool:
    """Say whether a text is a table of requests: by the names in its first line."""
    names = text.partition("\n")[0].strip().split(",")
    return sum(name.strip() in NEEDED for name in names) >= LEAST_KNOWN


def read(source: Source) -> list[BenchRun]:
    """Return the one run of a table.

    Raises
    ------
    TraceFormatError
        With what is missing, wrong, or in another unit than its name says.
    """
    path, faults = source.path, Faults(source.path, MOST_FAULTS)
    sections = sections_in(source)
    first = next(sections)
    head = Head(next(first), faults)
    if not head.need(*NEEDED):
        faults.check()
    found = _Rows(head)
    for row in first:
        found.add(row)
    for others in sections:
        faults.add(next(others)[0], "row", "a blank line parts the table: leave it out")
    if not found.count:
        faults.add(head.line, "row", "no requests follow the names of the columns")
    faults.check()
    origin_s = found.first_s()
    run = with_requests(run_of(Place(path), TOOL, {}), found.requests())
    names = {name: f"{name}_s" for name in ("ttft", "tpot", "e2e", "itl")}
    check_plausible(run, names, lambda name, told: faults.add(head.line, name, f"the mean of {told}"))
    faults.check()
    beside = path.with_name(SERIES)
    return [replace(run, series=_series(beside, origin_s)) if beside.is_file() else run]


class _Rows:
    """The requests of a table as they are gathered, each column on its own: what is returned is no copy."""

    def __init__(self, head: Head) -> None:
        self.count = 0
        self._head = head
        self._has = {name: name in head.names for name in ("tpot_s", "itl_s", CANCELLED)}
        self._cancelled = bytearray()
        whole_ = ("prompt_tokens", "output_tokens")
        self._columns: dict[str, array[Any]] = {
            name: array("q" if name in whole_ else "d") for name in COLUMNS
        }
        self._gaps = array("d")
        self._offsets = array("q", [0])

    def add(self, row: Row) -> None:
        """Append a row; what is wrong with it is noted."""
        self.count += 1
        head = self._head
        if not head.check_row(row):
            return
        given_up = self._has[CANCELLED] and _cancelled(head, row)
        arrival, end = (head.number(row, name) for name in ("arrival_s", "e2e_s"))
        ttft = head.number(row, "ttft_s", blank=self._has[CANCELLED])
        if not given_up and not head.cell(row, "ttft_s"):
            head.faults.add(row[0], "ttft_s", "is blank, and the request was not cancelled")
        prompt, output = head.tokens(row, "prompt_tokens"), head.tokens(row, "output_tokens", least=0)
        token = head.number(row, "tpot_s", blank=True) if self._has["tpot_s"] else math.nan
        if self._has["itl_s"]:
            self._gaps.extend(_gaps(head, row))
            self._offsets.append(len(self._gaps))
        self._cancelled.append(given_up)
        _check_row(row[0], output, (ttft, end, token), head.faults)
        values = (arrival, prompt, output, ttft, end, _token(output, ttft, end, token))
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)

    def first_s(self) -> float:
        """Return the first arrival, s."""
        return float(min(self._columns["arrival_s"]))

    def requests(self) -> Requests:
        """Return the requests in the order of their arrival."""
        columns = {name: Column(values) for name, values in self._columns.items()}
        gaps = Ragged(Column(self._gaps), self._offsets) if self._has["itl_s"] else Ragged.empty(self.count)
        cancelled = np.frombuffer(self._cancelled, dtype=np.uint8) > 0
        start = columns["arrival_s"].array()
        if (np.diff(start) < 0.0).any():
            order = np.argsort(start, kind="stable")
            for name, column in columns.items():  # one at a time: the old one of each is let go
                columns[name] = column.taken(order)
                self._columns.pop(name)
            cancelled, gaps = cancelled[order], gaps.taken(map(int, order)) if len(gaps.flat) else gaps
            start = columns["arrival_s"].array()
        start -= start[0]
        return Requests(
            prompt_tokens=columns["prompt_tokens"],
            output_tokens=columns["output_tokens"],
            ttft_s=columns["ttft_s"],
            itl_s=gaps,
            failed=tuple((cancelled | (columns["output_tokens"].array() == 0)).tolist()),
            start_s=columns["arrival_s"],
            e2e_s=columns["e2e_s"],
            tpot_s=columns["tpot_s"],
        )


def _cancelled(head: Head, row: Row) -> bool:
    """Say whether a request was given up by its client."""
    cell = head.cell(row, CANCELLED)
    if cell not in ("0", "1"):
        head.faults.add(row[0], CANCELLED, f"{told(cell)} is neither 0 nor 1")
    return cell == "1"


def _token(output: int, ttft_s: float, end_s: float, token_s: float) -> float:
    if output <= 1:
        return math.nan
    return (end_s - ttft_s) / (output - 1) if math.isnan(token_s) else token_s


def _check_row(line: int, output: int, times: tuple[float, float, float], faults: Faults) -> None:
    """Note times of a request that cannot be together, or that no server has."""
    ttft, end, token = times
    for quantity, value in (("ttft", ttft), ("e2e", end), ("tpot", token)):
        if asked := doubt(quantity, value, only_most=True):
            faults.add(line, f"{quantity}_s", asked)
    if ttft > end * SLACK:
        faults.add(
            line, "ttft_s", f"{ttft:.6g} is after the whole request, e2e_s {end:.6g}: is its unit right?"
        )
    if output <= 1 or math.isnan(token) or math.isnan(ttft) or math.isnan(end):
        return
    expected = (end - ttft) / (output - 1)
    if abs(token - expected) > max(SAME_RATIO * expected, STAMP_S / (output - 1)):
        factor = max(token, expected) / max(1e-12, min(token, expected))
        unit = ": is its unit right?" if factor > 1.0 / SAME_RATIO else ""
        off = f"{token:.6g}, but (e2e_s - ttft_s) / (output_tokens - 1) is {expected:.6g}{unit}"
        faults.add(line, "tpot_s", off)


def _gaps(head: Head, row: Row) -> list[float]:
    cell = head.cell(row, "itl_s")
    values = [as_number(part) for part in cell.split(";")] if cell else []
    if None in values:
        head.faults.add(row[0], "itl_s", f"entry {values.index(None) + 1} is not a number of 0 or more")
    return [value for value in values if value is not None]


def _series(path: Path, origin_s: float) -> Series:
    """Return the series beside the requests, on a clock that begins with the first of them.

    Raises
    ------
    TraceFormatError
        With what is missing or wrong.
    """
    faults, moments = Faults(path, MOST_FAULTS), array("d")
    with opened_result(path) as source:
        rows = next(sections_in(source), iter(()))
        head = Head(next(rows, (1, [])), faults)
        present = _present(head)
        columns = {name: array("d") for name in SERIES_COLUMNS}
        for row in rows:
            if not head.check_row(row):
                continue
            moment = head.number(row, "t_s")
            if moments and moment < moments[-1]:
                told = f"{moment:g} is before {moments[-1]:g} of the row above; sort the rows"
                faults.add(row[0], "t_s", told)
            moments.append(moment)
            for name, column in columns.items():
                most = FULL_PCT if name == "kv_cache_pct" else 1e9
                column.append(head.number(row, name, blank=True, most=most) if name in present else math.nan)
    faults.check()
    kv = floats(np.frombuffer(columns["kv_cache_pct"]) / 100.0)
    times = floats(np.frombuffer(moments) - origin_s)
    return Series(times, Column(columns["running"]), Column(columns["waiting"]), kv)


def _present(head: Head) -> Sequence[str]:
    """Return the columns of the series that are there.

    Raises
    ------
    TraceFormatError
        If the moments are missing, or all columns are.
    """
    if not head.need("t_s"):
        head.faults.check()
    present = [name for name in SERIES_COLUMNS if name in head.names]
    if not present:
        told = "no such column, and neither waiting nor kv_cache_pct is there"
        head.faults.add(head.line, "running", told)
        head.faults.check()
    return present
