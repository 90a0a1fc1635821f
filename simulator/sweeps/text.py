"""A finished sweep as text for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from simulator.errors import UnknownNameError, suggest
from simulator.metrics.measures import MEASURES, Measure
from simulator.report.quantities import MISSING, digits, scale_of
from simulator.sweeps.figures import HIGH, LOW

if TYPE_CHECKING:
    import pandas as pd

    from simulator.sweeps.running import Swept

WIDTH: Final = 110
MOST_ROWS: Final = 60
"""Rows that are printed; all of them are in the table's file."""

SHOWN: Final = (
    "throughput.solved_tasks_per_s",
    "quality.solving_rate.estimate",
    "latency.task_s.p95",
    "cost.usd_per_solved_task",
    "energy.joules_per_solved_task",
)
"""Figures that are printed where nobody asks for others."""


def chosen_measures(paths: Sequence[str]) -> tuple[Measure, ...]:
    """Return the measures at `paths`, or the usual ones.

    Raises
    ------
    UnknownNameError
        If there is no such figure; says the nearest.
    """
    known = {measure.path: measure for measure in MEASURES}
    for path in paths:
        if path not in known:
            message = f"--metric {path}: unknown figure; {suggest(path, known)}"
            raise UnknownNameError(message)
    return tuple(known[path] for path in paths or SHOWN)


def render(swept: Swept, measures: Sequence[Measure]) -> str:
    """Return the points with some of their figures, then what to know of them."""
    table = swept.table
    names = [*swept.points[0].labels, *(["variant"] if "variant" in table else [])]
    shown = table.head(MOST_ROWS)
    columns: dict[str, list[str]] = {name: [_label(value) for value in shown[name]] for name in names}
    if (shown["status"] != "ok").any():
        columns["status"] = shown["status"].tolist()
    for measure in measures:
        title, cells = _column(shown, measure)
        columns[title] = cells
    lines = _aligned(columns, texts=len(names) + ("status" in columns))
    if len(table) > MOST_ROWS:
        lines += [f"... and {len(table) - MOST_ROWS:,} more rows; --means FILE.csv holds all of them"]
    return "\n".join([*lines, "", *_notes(swept)])


def _label(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _column(table: pd.DataFrame, measure: Measure) -> tuple[str, list[str]]:
    """Return the title and the cells of a figure, half of its interval behind a plus-minus sign."""
    values = [None if math.isnan(value) else float(value) for value in table[measure.path]]
    scale = scale_of(values, measure.unit)
    cells = []
    for value, low, high in zip(
        values, table[f"{measure.path}{LOW}"], table[f"{measure.path}{HIGH}"], strict=True
    ):
        cell = MISSING if value is None else digits(value / scale.divisor)
        if value is not None and not math.isnan(low):
            cell += f" ±{digits((high - low) / 2.0 / scale.divisor, 2)}"
        cells.append(cell)
    return f"{measure.label}, {scale.unit}" if scale.unit else measure.label, cells


def _aligned(columns: dict[str, list[str]], *, texts: int) -> list[str]:
    """Return lines with the first `texts` columns at the left of their place, the others at the right."""
    widths = [max(map(len, (title, *cells))) for title, cells in columns.items()]
    rows = [tuple(columns), *zip(*columns.values(), strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _notes(swept: Swept) -> list[str]:
    runs = len(swept.jobs)
    kept = runs - swept.computed
    told = [
        f"{len(swept.points):,} points, {runs:,} runs"
        + (f", {kept:,} of them kept from before" if kept else "")
    ]
    told += [
        f"{count:,} runs not made: {reason}"
        for reason, count in Counter(row.reason for row in swept.rows if row.reason).most_common(5)
    ]
    if swept.others.other_code:
        told.append(
            f"{swept.others.other_code:,} results of this scenario in the store were made by another version "
            "of the program; they are not used"
        )
    if swept.others.other_scenario:
        told.append(f"{swept.others.other_scenario:,} results in the store are of other scenarios")
    if swept.runs_per_point > 1 or "variant" in swept.table:
        told.append(
            f"±: half of the {swept.confidence_ratio:.0%} interval over the seeds of a point; points have "
            "the same seeds"
        )
    return [line for text in told for line in wrap(text, WIDTH, subsequent_indent="  ")]
