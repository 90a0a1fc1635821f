"""Tables of GenAI-Perf and AIPerf (CSV): a row a metric, or of ``genai-perf analyze`` a row a run.

Sections with names of their own follow one another after a blank line. Numbers above 999 are quoted with
separators; a metric's unit stands in its name, and a time without one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from simulator.errors import TraceFormatError
from simulator.measured.bench import BenchRun
from simulator.measured.faults import Faults
from simulator.measured.fields import told
from simulator.measured.plausible import doubt
from simulator.measured.rows import MOST_FAULTS, Head, Row, as_number, sections_in
from simulator.measured.statistics import Statistics
from simulator.measured.summaries import (
    SECONDS,
    TIMES,
    Place,
    check_means,
    lengths_from_rates,
    run_of,
)
from simulator.text_files import Source

TOOL: Final = "GenAI-Perf and AIPerf tables"
NAMES: Final = {
    "time to first token": "ttft",
    "inter token latency": "tpot",
    "inter chunk latency": "itl",
    "request latency": "e2e",
    "input sequence length": "prompt_tokens",
    "output sequence length": "output_tokens",
    "request throughput": "requests_per_s",
    "output token throughput": "output_tokens_per_s",
    "request count": "completed",
    "benchmark duration": "duration_s",
}
"""Ours by the tools' names; others are not read."""

MOST_ROWS: Final = 10_000
"""Rows of one file: a sweep has some hundred."""

HEAD: Final = re.compile(
    r"(?:(?P<figure>p\d+(?:\.\d+)?|avg\.?|min|max|std) )?(?P<name>.*?)(?: \((?P<unit>[^()]*)\))?",
    re.IGNORECASE,
)
FIGURE: Final = re.compile(r"p(\d+(?:\.\d+)?)")
RATES: Final = {
    "requests_per_s": ("requests/sec", "per sec"),
    "output_tokens_per_s": ("tokens/sec", "per sec"),
}


class _Table(NamedTuple):
    """A section: its names and its rows."""

    head: Head
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class _Head:
    """What a name says: which quantity, which figure of it, and the size of its unit in ours."""

    quantity: str
    figure: str
    scale: float


def knows(text: str) -> bool:
    """Say whether a text is such a table."""
    return text.startswith(("Metric,", "Config Name,"))


def read(source: Source) -> list[BenchRun]:
    """Return the run of a table of metrics, or the runs of a table of configurations.

    Raises
    ------
    TraceFormatError
        With what is wrong, or has no unit.
    """
    faults = Faults(source.path, MOST_FAULTS)
    tables = _tables(source, faults)
    faults.check()
    if tables[0].head.names[0] == "Config Name":
        runs = _configurations(tables[0], faults, source.path)
    else:
        runs = [_metrics([table for table in tables if table.head.names[0] == "Metric"], faults, source.path)]
    faults.check()
    return runs


def _tables(source: Source, faults: Faults) -> list[_Table]:
    """Return the sections of a file, which is small.

    Raises
    ------
    TraceFormatError
        If it has more rows than any tool writes.
    """
    tables, count = list[_Table](), 0
    for section in sections_in(source):
        table = _Table(Head(next(section), faults), [])
        for row in section:
            count += 1
            if count > MOST_ROWS:
                message = f"{source.path}:{row[0]}: the table has more than {MOST_ROWS} rows; take it apart"
                raise TraceFormatError(message)
            if table.head.check_row(row):
                table.rows.append(row)
        tables.append(table)
    return tables


def _head(text: str, line: int, faults: Faults) -> _Head | None:
    match = HEAD.fullmatch(text)
    quantity = NAMES.get(match["name"].lower()) if match else None
    if match is None or quantity is None:
        return None
    figure, unit = (match["figure"] or "avg").rstrip(".").lower(), match["unit"]
    allowed = SECONDS if quantity in (*TIMES, "duration_s") else {}
    rates = RATES.get(quantity)
    if (allowed and unit not in allowed) or (rates and unit not in rates):
        names = ", ".join(allowed or rates or ())
        faults.add(line, text, f"its unit is {told(unit)}; allowed, in brackets behind the name: {names}")
        return None
    return _Head(quantity, figure, allowed.get(unit or "", 1.0))


def _cell(cell: str, line: int, name: str, faults: Faults) -> float | None:
    value = as_number(cell) if cell else None
    if cell and value is None:
        faults.add(line, name, f"{told(cell)} is not a number of 0 or more")
    return value


def _metrics(tables: list[_Table], faults: Faults, path: Path) -> BenchRun:
    """Return the run of sections that have a metric a row and a figure a column, or one value."""
    figures: dict[str, dict[str, float]] = {}
    lines: dict[str, int] = {}
    for table in tables:
        for line, row in table.rows:
            head = _head(row[0], line, faults)
            if head is None:
                continue
            lines[row[0].partition(" (")[0].lower()] = line
            for name, cell in zip(table.head.names[1:], row[1:], strict=True):
                value = _cell(cell, line, row[0], faults)
                if value is not None:
                    figure = "avg" if name == "Value" else name
                    figures.setdefault(head.quantity, {})[figure] = value * head.scale
    whole = any("sum" in table.head.names for table in tables)
    place = Place(path)
    tool = "AIPerf" if whole else "GenAI-Perf"
    run = _run(figures, tool, place, lambda field, told_: faults.add(lines.get(field, 1), field, told_))
    if not run.stats:
        told_names = f"no latency is known among the rows; known are: {', '.join(NAMES)}"
        faults.add(tables[0].head.line, "Metric", told_names)
    return run


def _configurations(table: _Table, faults: Faults, path: Path) -> list[BenchRun]:
    """Return the runs of a table that has a configuration a row and a figure a column."""
    heads = [_head(name, table.head.line, faults) for name in table.head.names]
    runs = []
    for number, (line, row) in enumerate(table.rows, start=1):
        figures: dict[str, dict[str, float]] = {}
        for head, name, cell in zip(heads, table.head.names, row, strict=True):
            value = _cell(cell, line, name, faults) if head is not None else None
            if head is not None and value is not None:
                figures.setdefault(head.quantity, {})[head.figure] = value * head.scale
        given = {
            name: _cell(row[table.head.names.index(name)], line, name, faults)
            for name in ("Concurrency", "ISL")
            if name in table.head.names
        }
        if asked := doubt("prompt_tokens", given.get("ISL")):
            faults.add(line, "ISL", asked)
        place = Place(path, line, number)
        run = _run(figures, "GenAI-Perf", place, partial(faults.add, line))
        concurrency = given.get("Concurrency")
        runs.append(
            replace(
                run,
                max_concurrency=round(concurrency) if concurrency else None,
                prompt_tokens=run.prompt_tokens if run.prompt_tokens is not None else given.get("ISL"),
            )
        )
    return runs


def _run(
    figures: dict[str, dict[str, float]], tool: str, place: Place, fault: Callable[[str, str], None]
) -> BenchRun:
    """Return the run of figures by quantity and name of the figure."""
    stats = {
        quantity: Statistics(
            found.get("avg"),
            found.get("std"),
            {float(match[1]): value for name, value in found.items() if (match := FIGURE.fullmatch(name))},
        )
        for quantity, found in figures.items()
    }

    def mean(quantity: str) -> float | None:
        return stats[quantity].mean if quantity in stats else None

    count, rate, duration = mean("completed"), mean("requests_per_s"), mean("duration_s")
    run = replace(
        run_of(place, tool, stats),
        completed=None if count is None else round(count),
        duration_s=duration if duration is not None or not count or not rate else count / rate,
        requests_per_s=rate,
        output_tokens_per_s=mean("output_tokens_per_s"),
    )
    check_means(run, {ours: theirs for theirs, ours in NAMES.items()}, fault)
    return lengths_from_rates(run)
