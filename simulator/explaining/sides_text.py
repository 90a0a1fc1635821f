"""A comparison of sides as plain text: the answer, what differs, where the time went, the figures.

At most 100 columns wide and byte-identical for equal runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any, Final

from simulator.explaining.comparison import SideBySide
from simulator.explaining.machine_time import PARTS as MACHINE_PARTS
from simulator.explaining.task_time import PARTS as TASK_PARTS
from simulator.report.quantities import MISSING, digits
from simulator.report.rows import Row, measure_rows, note_lines, ratio_rows, setting_line
from simulator.report.text import FULL_COLUMNS, LONGEST_NAME, WIDTH, memory_lines, memory_title, table

SMALLEST_RATIO: Final = 0.0005
"""Parts below this share of the whole on every side have no row of their own."""


def render_sides(found: SideBySide) -> str:
    """Return the comparison as text that ends in a newline."""
    comparison, heads = found.comparison, headings(found.names)
    lines = [*wrap(str(found.summary["answer"]), WIDTH), "", *_legend(found, heads)]
    brief = len(heads) > FULL_COLUMNS
    level = f"Confidence {found.summary['confidence_ratio']:.0%}: "
    where = "intervals of figures are in the JSON." if brief else "in brackets."
    lines += [*wrap(setting_line(comparison), WIDTH), level + where, ""]
    lines += ["What differs in the inputs", *_inputs(found, heads)]
    lines += ["", *time_lines(heads, [found.summary["time"][name] for name in found.names])]
    lines += ["", *table(heads, measure_rows(comparison, brief=brief))]
    ratios = ratio_rows(comparison)
    if ratios:
        lines += ["", f"Ratio to {heads[0]}, seed by seed", *table(heads, [("", ratios)])]
    lines += ["", memory_title(comparison), *memory_lines(comparison, heads)]
    lines += ["", "Read this before you rely on it"]
    for note in [*found.notes, *note_lines(comparison)]:
        lines += wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def headings(names: Sequence[str]) -> tuple[str, ...]:
    """Return what sides are called above columns: numbers where cut names could not be told apart."""
    if len({name[: LONGEST_NAME - 1] for name in names}) == len(names):
        return tuple(names)
    return tuple(f"[{place}]" for place in range(1, len(names) + 1))


def _legend(found: SideBySide, heads: Sequence[str]) -> list[str]:
    """Return what stands behind names that a table cuts or numbers, or that do not tell their source."""
    numbered = heads != found.names
    if not numbered and all(len(name) <= LONGEST_NAME for name in found.names):
        return []
    lines = []
    for side, head in zip(found.sides, heads, strict=True):
        text = f"{head} {side.name}: {side.source}" if numbered else f"{side.name}: {side.source}"
        lines += wrap(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    return [*lines, ""]


def _inputs(found: SideBySide, heads: Sequence[str]) -> list[str]:
    lines = []
    shown = [head if len(head) <= LONGEST_NAME else f"{head[: LONGEST_NAME - 1]}~" for head in heads]
    widest = max(map(len, shown))
    for path, values in found.differences:
        if sum(map(len, values)) + len(path) + 6 * len(values) <= WIDTH:
            lines.append(f"{path}: {' | '.join(values)}")
            continue
        lines.append(f"{path}:")
        lines += [f"  {head.ljust(widest)}  {value}" for head, value in zip(shown, values, strict=True)]
    return lines


def _rows(
    tables: Sequence[Mapping[str, Any]], labels: Mapping[str, str], cell: Callable[[Mapping[str, Any]], str]
) -> list[Row]:
    """Return a row per part that is not negligible everywhere."""
    rows = []
    for part, label in labels.items():
        figures = [table["parts"][part] for table in tables]
        if any(figure["share_ratio"] >= SMALLEST_RATIO for figure in figures):
            rows.append(Row(label, tuple(map(cell, figures))))
    return rows


def time_lines(heads: Sequence[str], time: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return two tables: where the GPUs' time went, and where the mean task's did; and how sides differ.

    Parameters
    ----------
    heads : what the sides are called, in order.
    time : ``machine`` and ``task`` of each side, as in `SideBySide.summary`.
    """
    return [*_machine(heads, time), "", *_tasks(heads, time)]


def _machine(heads: Sequence[str], time: Sequence[Mapping[str, Any]]) -> list[str]:
    tables = [one["machine"] for one in time]

    def cell(figures: Mapping[str, Any]) -> str:
        return f"{figures['share_ratio']:.1%} {_figure(figures['gpu_seconds_per_task'])}"

    whole = Row("sum", tuple(f"100.0% {_figure(one['gpu_seconds_per_task'])}" for one in tables))
    title = "Where the GPUs' time went: share of the window, and GPU-seconds per task that ended"
    lines = [title, *table(heads, [("", [*_rows(tables, MACHINE_PARTS, cell), whole])])]
    return lines + _differences(heads, tables, MACHINE_PARTS)


def _figure(value: float | None) -> str:
    return (MISSING if value is None else digits(value)).rjust(8)


def _tasks(heads: Sequence[str], time: Sequence[Mapping[str, Any]]) -> list[str]:
    tables = [one["task"] for one in time]
    without = [head for head, one in zip(heads, tables, strict=True) if one is None]
    if without:
        whose = f" ({', '.join(without)})" if len(heads) > 1 else ""
        return wrap(f"Where the mean task's time went: undefined, no task was answered{whose}", WIDTH)

    def cell(figures: Mapping[str, Any]) -> str:
        return f"{figures['share_ratio']:.1%} {_figure(figures['seconds'])}"

    whole = Row("sum", tuple(f"100.0% {_figure(one['mean_s'])}" for one in tables))
    title = "Where the mean task's time went, from arrival to answer: share, and s"
    lines = [title, *table(heads, [("", [*_rows(tables, TASK_PARTS, cell), whole])])]
    return lines + _differences(heads, tables, TASK_PARTS)


def _differences(
    heads: Sequence[str], tables: Sequence[Mapping[str, Any]], labels: Mapping[str, str]
) -> list[str]:
    """Return how the shares differ from the first side's, with intervals; nothing without several seeds."""

    def cell(figures: Mapping[str, Any]) -> str:
        found = figures["share_difference"]
        if found is None or found["low"] is None:
            return MISSING
        points = [100.0 * found[key] for key in ("estimate", "low", "high")]
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(*points)

    rows = [Row(row.label, row.cells[1:]) for row in _rows(tables, labels, cell)]
    if all(text == MISSING for row in rows for text in row.cells):
        return []
    title = f"Difference of the share to that of {heads[0]}, percentage points, seed by seed"
    return ["", title, *table(heads[1:], [("", rows)])]
