"""An explanation as plain text: five lines, operations, time, memory, what doubling did, caveats.

At most 100 columns wide and byte-identical for equal runs.
"""

from __future__ import annotations

from textwrap import wrap
from typing import Final

from simulator.explaining.doubling import BY_TOKENS, Gain
from simulator.explaining.explanation import Explanation
from simulator.explaining.operations import OperationTime
from simulator.explaining.sides_text import time_lines
from simulator.explaining.sources import NumbersSource
from simulator.metrics.headline import TASK_TIME
from simulator.metrics.intervals import Interval
from simulator.metrics.measures import HEADLINE
from simulator.report.quantities import MISSING, digits, written
from simulator.report.rows import Row, note_lines, setting_line
from simulator.report.text import WIDTH, memory_lines, table

COLUMNS: Final = ("a step", "share", "bound", "by", "GFLOP", "GB", "FLOP/B", "source")
"""Heads of the table of operations; FLOPs and bytes are those of a mean step on one GPU."""

SHOWN: Final = (BY_TOKENS, HEADLINE.path, TASK_TIME)
"""Figures with a column in the table of doublings."""

HEADS: Final = ("solved tasks/s", "counted", "task time")


def render_explanation(found: Explanation) -> str:
    """Return the explanation as text that ends in a newline."""
    lines = []
    for place, line in enumerate(found.lines, start=1):
        lines += wrap(line, WIDTH, initial_indent=f"{place}. ", subsequent_indent="   ")
    lines += ["", *wrap(setting_line(found.comparison), WIDTH), "", *_operations(found)]
    lines += ["", *time_lines([found.side.name], {found.side.name: found.time})]
    lines += ["", "Memory per GPU: W weights, A activations, # KV held at most, . KV free"]
    lines += memory_lines(found.comparison)
    if found.gains:
        lines += ["", *_doublings(found)]
    lines += ["", "Read this before you rely on it"]
    for note in note_lines(found.comparison):
        lines += wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _operations(found: Explanation) -> list[str]:
    numbers = list(dict.fromkeys(one.source for one in found.operation_times))
    rows = [_row(one, numbers.index(one.source) + 1) for one in found.operation_times]
    step_s = sum(one.step_seconds for one in found.operation_times)
    light = found.speed_of_light_ratio
    whole = (written(step_s, "s"), "100.0%", MISSING if not light else f"{light:.0%}", *[""] * 5)
    title = "Operations of a mean step on one GPU; bound: part of the data sheet's peak that is reached"
    lines = [title, *table(COLUMNS, [("", [*rows, Row("step", whole)])])]
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


def _doublings(found: Explanation) -> list[str]:
    rows = [Row(gain.resource.label, _cells(gain)) for gain in found.gains]
    title = (
        "What doubling does: ratios to the run as it is, seed by seed; solved tasks/s from the tokens of the "
        "window, and as counted in it"
    )
    lines = [*wrap(title, WIDTH), *table(HEADS, [("", rows)])]
    for gain in found.gains:
        if gain.refusal:
            lines += wrap(f"{gain.resource.label}: {gain.refusal}", WIDTH, subsequent_indent="  ")
    return lines


def _cells(gain: Gain) -> tuple[str, ...]:
    return tuple(_ratio(gain.ratios.get(path)) for path in SHOWN)


def _ratio(found: Interval | None) -> str:
    if found is None:
        return MISSING
    if found.low is None or found.high is None or found.low == found.high:
        return digits(found.estimate, 3)
    low, high = digits(found.low, 3), digits(found.high, 3)
    return f"{digits(found.estimate, 3)} ({low}-{high})"
