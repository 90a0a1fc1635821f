"""An explanation as plain text: five lines, operations, time, memory, what doubling did, caveats.

At most 100 columns wide and byte-identical for equal runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Final

from simulator.explaining.doubling import BY_TOKENS
from simulator.explaining.explanation import Explanation
from simulator.explaining.operations import OperationTime
from simulator.explaining.sides_text import time_lines
from simulator.explaining.sources import NumbersSource
from simulator.metrics.intervals import Interval
from simulator.metrics.keeping_up import TASK_TIME
from simulator.metrics.measures import HEADLINE
from simulator.report.quantities import MISSING, digits, written
from simulator.report.rows import Row, setting_line
from simulator.report.text import WIDTH, memory_lines, memory_title

COLUMNS: Final = ("a step", "share", "bound", "by", "GFLOP", "GB", "FLOP/B", "source")
"""Heads of the table of operations; FLOPs and bytes are those of a mean step on one GPU."""

HEADS: Final[Mapping[str, str]] = {
    BY_TOKENS: "solved tasks/s",
    HEADLINE.path: "counted",
    "throughput.tasks_per_s": "tasks/s",
    "throughput.output_tokens_per_s": "output tokens/s",
    TASK_TIME: "task time",
}
"""What figures are called above the table of doublings."""

ALWAYS: Final = frozenset({BY_TOKENS, HEADLINE.path, TASK_TIME})
"""Figures that have a column wherever they are known; of the others the one that counts has one."""


def render_explanation(found: Explanation) -> str:
    """Return the explanation as text that ends in a newline."""
    lines = []
    for place, line in enumerate(found.lines, start=1):
        lines += wrap(line, WIDTH, initial_indent=f"{place}. ", subsequent_indent="   ")
    lines += ["", *wrap(setting_line(found.comparison), WIDTH), "", *_operations(found)]
    lines += ["", *time_lines([found.side.name], [found.time])]
    lines += ["", memory_title(found.comparison), *memory_lines(found.comparison)]
    if found.gains:
        lines += ["", *_doublings(found)]
    lines += ["", "Read this before you rely on it"]
    for note in found.notes:
        lines += wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _operations(found: Explanation) -> list[str]:
    numbers = list(dict.fromkeys(one.source for one in found.operation_times))
    rows = [_row(one, numbers.index(one.source) + 1) for one in found.operation_times]
    step_s = sum(one.step_seconds for one in found.operation_times)
    light = found.speed_of_light_ratio
    whole = (written(step_s, "s"), "100.0%", MISSING if not light else f"{light:.0%}", *[""] * 5)
    title = "Operations of a mean step on one GPU; bound: part of the data sheet's peak that is reached"
    lines = [title, *_aligned(COLUMNS, [*rows, Row("step", whole)])]
    for place, source in enumerate(numbers, start=1):
        lines += wrap(_told(source), WIDTH, initial_indent=f"[{place}] ", subsequent_indent="    ")
    return lines


def _row(one: OperationTime, source: int) -> Row:
    steps = one.seconds / one.step_seconds if one.step_seconds else 1.0
    return Row(
        one.label,
        (
            written(one.step_seconds, "s"),
            f"{one.share_ratio:.1%}",
            MISSING if one.bound_ratio is None else f"{one.bound_ratio:.0%}",
            one.bound_by,
            digits(one.flops / steps / 1e9, 3),
            digits((one.hbm_bytes or one.link_bytes) / steps / 1e9, 3),
            digits(one.flops_per_byte, 3),
            f"[{source}]",
        ),
    )


def _told(source: NumbersSource) -> str:
    """Return a source with the error of what was fitted to it."""
    if source.kind != "measured":
        return f"{source.kind}: {source.text}"
    median, p90 = source.median_error_ratio, source.p90_error_ratio
    if median is None or p90 is None:
        return f"{source.kind}: {source.text}; nothing was held out"
    return f"{source.kind}: {source.text}; held out: {median:.1%} off in the median, {p90:.1%} at p90"


def _aligned(heads: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return rows under their heads, every column as wide as its widest cell."""
    label = max(len(row.label) for row in rows)
    widths = [
        max(len(head), *(len(row.cells[place]) for row in rows)) + 2 for place, head in enumerate(heads)
    ]
    lines = [("", heads), *((row.label, row.cells) for row in rows)]
    return [
        text.ljust(label) + "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        for text, cells in lines
    ]


def _doublings(found: Explanation) -> list[str]:
    shown = [
        path
        for path in HEADS
        if (path in ALWAYS or path == found.target[0]) and any(gain.ratios.get(path) for gain in found.gains)
    ]
    lines = []
    if shown:
        told = "; solved tasks/s from the tokens of the window" if BY_TOKENS in shown else ""
        told += ", and as counted in it" if told and HEADLINE.path in shown else ""
        title = f"What doubling does: ratios to the run as it is, seed by seed{told}"
        rows = [
            Row(gain.resource.label, tuple(_ratio(gain.ratios.get(path)) for path in shown))
            for gain in found.gains
        ]
        lines = [*wrap(title, WIDTH), *_aligned([HEADS[path] for path in shown], rows)]
    else:
        lines = ["What doubling does: no figure is known for every seed"]
    for gain in found.gains:
        if gain.refusal:
            lines += wrap(f"{gain.resource.label}: {gain.refusal}", WIDTH, subsequent_indent="  ")
    return lines


def _ratio(found: Interval | None) -> str:
    if found is None:
        return MISSING
    if found.low is None or found.high is None or found.low == found.high:
        return digits(found.estimate, 3)
    low, high = digits(found.low, 3), digits(found.high, 3)
    return f"{digits(found.estimate, 3)} ({low}-{high})"
