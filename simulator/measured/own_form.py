"""Our normal form: ``requests.csv``, a row a request, and ``timeseries.csv`` beside it if there is one.

Columns are ``request_id, arrival_s, prompt_tokens, output_tokens, ttft_s, tpot_s, e2e_s``, in any order, and
``itl_s`` (gaps between tokens, separated by semicolons) where it was recorded; others are ignored.
``tpot_s`` is blank for one token.  Where there is a column ``cancelled``, a 1 in it says that the client gave
the request up after ``output_tokens``: it is replayed, not compared, and may have no ``ttft_s``.  The series
has ``t_s, running, waiting, kv_cache_pct``, the last in %, with blank cells where nothing was recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from simulator.measured.bench import BenchRun, Requests, Series
from simulator.measured.fields import told
from simulator.measured.json_objects import read_text
from simulator.measured.rows import Faults, Table, as_number, sections_in
from simulator.measured.summaries import Place, run_of, with_requests

TOOL: Final = "kinesim requests.csv"
NEEDED: Final = ("arrival_s", "prompt_tokens", "output_tokens", "ttft_s", "e2e_s")
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


def read(text: str, path: Path) -> list[BenchRun]:
    """Return the one run of a table.

    Raises
    ------
    TraceFormatError
        With what is missing, wrong, or in another unit than its name says.
    """
    faults = Faults(path)
    section, *others = sections_in(text, path)
    table = Table(section, faults)
    for rows in others:
        faults.add(rows[0][0], "row", "a blank line parts the table: leave it out")
    if not table.rows:
        faults.add(table.line, "row", "no requests follow the names of the columns")
    if not table.need(*NEEDED):
        faults.check()
    requests = _requests(table, faults)
    faults.check()
    run = with_requests(run_of(Place(path), TOOL, {}), requests)
    beside = path.with_name(SERIES)
    origin_s = min(table.numbers("arrival_s"))
    return [replace(run, series=_series(beside, origin_s)) if beside.is_file() else run]


def _requests(table: Table, faults: Faults) -> Requests:
    """Return the requests in the order of their arrival."""
    arrivals, ends = (table.numbers(name) for name in ("arrival_s", "e2e_s"))
    cancelled = _cancelled(table, faults)
    ttfts = table.numbers("ttft_s", blank=any(cancelled))
    prompts, outputs = table.counts("prompt_tokens"), table.counts("output_tokens", least=0)
    tokens = table.numbers("tpot_s", blank=True) if "tpot_s" in table.names else [math.nan] * len(prompts)
    gaps = _gaps(table, faults) if "itl_s" in table.names else [()] * len(prompts)
    lines = [line for line, _ in table.rows]
    for line, output, ttft, end, token, given_up in zip(
        lines, outputs, ttfts, ends, tokens, cancelled, strict=True
    ):
        if math.isnan(ttft) and not given_up and any(cancelled):
            faults.add(line, "ttft_s", "is blank, and the request was not cancelled")
        _check_row(line, output, (ttft, end, token), faults)
    order = sorted(range(len(arrivals)), key=lambda place: arrivals[place])
    first = min(arrivals, default=0.0)
    return Requests(
        prompt_tokens=tuple(prompts[place] for place in order),
        output_tokens=tuple(outputs[place] for place in order),
        ttft_s=tuple(ttfts[place] for place in order),
        itl_s=tuple(gaps[place] for place in order),
        failed=tuple(cancelled[place] or outputs[place] == 0 for place in order),
        start_s=tuple(arrivals[place] - first for place in order),
        e2e_s=tuple(ends[place] for place in order),
        tpot_s=tuple(_token(outputs[place], ttfts[place], ends[place], tokens[place]) for place in order),
    )


def _cancelled(table: Table, faults: Faults) -> list[bool]:
    """Return which requests were given up by their client."""
    if CANCELLED not in table.names:
        return [False] * len(table.rows)
    found = []
    for line, cell in table.cells(CANCELLED):
        if cell not in ("0", "1"):
            faults.add(line, CANCELLED, f"{told(cell)} is neither 0 nor 1")
        found.append(cell == "1")
    return found


def _token(output: int, ttft_s: float, end_s: float, token_s: float) -> float:
    if output <= 1:
        return math.nan
    return (end_s - ttft_s) / (output - 1) if math.isnan(token_s) else token_s


def _check_row(line: int, output: int, times: tuple[float, float, float], faults: Faults) -> None:
    """Note times of a request that cannot be together."""
    ttft, end, token = times
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


def _gaps(table: Table, faults: Faults) -> list[tuple[float, ...]]:
    found = []
    for line, cell in table.cells("itl_s"):
        values = [as_number(part) for part in cell.split(";")] if cell else []
        if None in values:
            faults.add(line, "itl_s", f"entry {values.index(None) + 1} is not a number of 0 or more")
        found.append(tuple(value for value in values if value is not None))
    return found


def _series(path: Path, origin_s: float) -> Series:
    """Return the series beside the requests, on a clock that begins with the first of them.

    Raises
    ------
    TraceFormatError
        With what is missing or wrong.
    """
    faults = Faults(path)
    table = Table(sections_in(read_text(path), path)[0], faults)
    if not table.need("t_s"):
        faults.check()
    moments = table.numbers("t_s")
    present = [name for name in SERIES_COLUMNS if name in table.names]
    if not present:
        faults.add(table.line, "running", "no such column, and neither waiting nor kv_cache_pct is there")
    columns: dict[str, Sequence[float]] = {}
    for name in SERIES_COLUMNS:
        most = FULL_PCT if name == "kv_cache_pct" else 1e9
        blank = [math.nan] * len(moments)
        columns[name] = table.numbers(name, blank=True, most=most) if name in present else blank
    for (line, _), earlier, later in zip(table.rows[1:], moments, moments[1:], strict=False):
        if later < earlier:
            faults.add(line, "t_s", f"{later:g} is before {earlier:g} of the row above; sort the rows")
    faults.check()
    kv = tuple(percent / 100.0 for percent in columns["kv_cache_pct"])
    times = tuple(moment - origin_s for moment in moments)
    return Series(times, tuple(columns["running"]), tuple(columns["waiting"]), kv)
