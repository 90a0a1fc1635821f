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
from simulator.report.text import FULL_COLUMNS, LONGEST_NAME, WIDTH, memory_lines, table

SMALLEST_RATIO: Final = 0.0005
"""Parts below this share of the whole on every side have no row of their own."""


def render_sides(found: SideBySide) -> str:
    """Return the comparison as text that ends in a newline."""
    comparison, names = found.comparison, found.names
    lines = [*wrap(str(found.summary["answer"]), WIDTH), "", *_legend(found)]
    brief = len(names) > FULL_COLUMNS
    level = f"Confidence {found.summary['confidence_ratio']:.0%}: "
    where = "intervals are in the JSON." if brief else "in brackets."
    lines += [*wrap(setting_line(comparison), WIDTH), level + where, ""]
    lines += ["What differs in the inputs", *_inputs(found)]
    lines += ["", *time_lines(names, found.summary["time"])]
    lines += ["", *table(names, measure_rows(comparison, brief=brief))]
    ratios = ratio_rows(comparison)
    if ratios:
        lines += ["", f"Ratio to {names[0]}, seed by seed", *table(names, [("", ratios)])]
    lines += ["", "Memory per GPU: W weights, A activations, # KV held at most, . KV free"]
    lines += [*memory_lines(comparison), "", "Read this before you rely on it"]
    notes = [*found.notes, *note_lines(comparison)]
    lines += [
        line for note in notes for line in wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _legend(found: SideBySide) -> list[str]:
    """Return what stands behind names that a table cuts or that do not tell their source."""
    long = any(len(name) > LONGEST_NAME for name in found.names)
    if not long:
        return []
    return [f"{side.name}: {side.source}" for side in found.sides] + [""]


def _inputs(found: SideBySide) -> list[str]:
    lines = []
    for path, values in found.differences:
        widest = max(len(name) for name in found.names)
        if sum(map(len, values)) + len(path) + 6 * len(values) <= WIDTH:
            lines.append(f"{path}: {' | '.join(values)}")
            continue
        lines.append(f"{path}:")
        lines += [f"  {name.ljust(widest)}  {value}" for name, value in zip(found.names, values, strict=True)]
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


def time_lines(names: Sequence[str], time: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return two tables: where the GPUs' time went, and where the mean task's did.

    Parameters
    ----------
    names : sides, in order.
    time : ``machine`` and ``task`` of each side, as in `SideBySide.summary`.
    """
    return [*_machine(names, time), "", *_tasks(names, time)]


def _machine(names: Sequence[str], time: Mapping[str, Mapping[str, Any]]) -> list[str]:
    tables = [time[name]["machine"] for name in names]

    def cell(figures: Mapping[str, Any]) -> str:
        return f"{figures['share_ratio']:.1%} {_figure(figures['gpu_seconds_per_task'])}"

    whole = Row("sum", tuple(f"100.0% {_figure(one['gpu_seconds_per_task'])}" for one in tables))
    title = "Where the GPUs' time went: share of the window, and GPU-seconds per task that ended"
    return [title, *table(names, [("", [*_rows(tables, MACHINE_PARTS, cell), whole])])]


def _figure(value: float | None) -> str:
    return (MISSING if value is None else digits(value)).rjust(8)


def _tasks(names: Sequence[str], time: Mapping[str, Mapping[str, Any]]) -> list[str]:
    tables = [time[name]["task"] for name in names]
    without = [name for name, one in zip(names, tables, strict=True) if one is None]
    if without:
        return [f"Where the mean task's time went: undefined, no task was answered ({', '.join(without)})"]

    def cell(figures: Mapping[str, Any]) -> str:
        return f"{figures['share_ratio']:.1%} {_figure(figures['seconds'])}"

    whole = Row("sum", tuple(f"100.0% {_figure(one['mean_s'])}" for one in tables))
    title = "Where the mean task's time went, from arrival to answer: share, and s"
    return [title, *table(names, [("", [*_rows(tables, TASK_PARTS, cell), whole])])]
