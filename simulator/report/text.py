"""A comparison as plain text: the answer, the figures side by side, why, memory, caveats.

At most 100 columns wide and byte-identical for equal runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from simulator.api import Comparison
from simulator.kvcache import KvCapacity
from simulator.metrics.measures import number
from simulator.report.quantities import written
from simulator.report.rows import (
    Row,
    conservation_lines,
    measure_rows,
    note_lines,
    part_rows,
    plan_rows,
    ratio_rows,
    setting_line,
)

WIDTH: Final = 100
"""Columns of the text."""

BAR: Final = 50
"""Columns of a memory bar."""

LONGEST_NAME: Final = 18
"""Columns of a variant's name above a table; longer ones are cut."""

FULL_COLUMNS: Final = 2
"""Variants up to which intervals fit beside the figures."""


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}~"


def table(names: Sequence[str], groups: Sequence[tuple[str, Sequence[Row]]]) -> list[str]:
    """Return titled rows as lines: labels, then a column per variant, in blocks that fit the width.

    A variant's name that is wider than its column is cut and ends in ``~``.
    """
    rows = [row for _, group in groups for row in group]
    label_width = max(len(row.label) for row in rows)
    room = WIDTH - label_width
    widest = max(len(cell) for row in rows for cell in row.cells)
    column = max(widest, *(min(len(name), LONGEST_NAME) for name in names)) + 2
    per_block = max(1, room // column)
    lines: list[str] = []
    for start in range(0, len(names), per_block):
        chosen = slice(start, start + per_block)
        if lines:
            lines.append("")
        heads = "".join(_cut(name, column - 2).rjust(column) for name in names[chosen])
        lines.append(" " * label_width + heads)
        for title, group in groups:
            lines += ["", title] if title else []
            lines += [
                row.label.ljust(label_width) + "".join(cell.rjust(column) for cell in row.cells[chosen])
                for row in group
            ]
    return lines


def _memory(capacity: KvCapacity, kv_held_bytes: float) -> tuple[str, str]:
    """Return the bar (empty where memory is ignored) and the sum behind it, per GPU."""
    weights, activations, states = capacity.weight_bytes, capacity.activation_bytes, capacity.state_bytes
    taken = f"{written(weights, 'bytes')} weights + {written(activations, 'bytes')} activations"
    taken += f" + {written(states, 'bytes')} states" if states else ""
    if not capacity.limited:
        over = (capacity.taken_bytes + kv_held_bytes) / capacity.hbm_bytes
        return "", (
            f"unlimited: {taken} + {written(kv_held_bytes, 'bytes')} KV held at most = {over:.2f} times the "
            f"{written(capacity.hbm_bytes, 'bytes')} that an engine would claim"
        )
    kv_bytes = capacity.blocks * capacity.block_bytes
    marks = zip("WAS#", (weights, activations, states, kv_held_bytes), strict=True)
    total = capacity.taken_bytes + kv_bytes
    bar = "".join(mark * round(BAR * part / total) for mark, part in marks)
    share = kv_held_bytes / kv_bytes
    text = f"{taken} + {written(kv_bytes, 'bytes')} KV ({capacity.source}), {share:.0%} held at most"
    return f"[{bar[:BAR].ljust(BAR, '.')}]", text


def memory_title(comparison: Comparison) -> str:
    """Return what stands above memory bars: their marks, states only where there are some."""
    capacities = [result.capacity for results in comparison.runs.values() for result in results]
    states = ", S states" if any(capacity.state_bytes for capacity in capacities) else ""
    return f"Memory per GPU: W weights, A activations{states}, # KV held at most, . KV free"


def memory_lines(comparison: Comparison, heads: Sequence[str] | None = None) -> list[str]:
    """Return a bar per variant: weights (W), activations (A), states (S), KV held (#) and KV free (.).

    Parameters
    ----------
    comparison : the runs.
    heads : what the variants are called; else by their names.
    """
    lines = []
    shown = comparison.names if heads is None else heads
    width = min(max(map(len, shown)), LONGEST_NAME)
    indent = " " * (width + 2)
    for name, called in zip(comparison.names, shown, strict=True):
        results = comparison.runs[name]
        peaks = [number(result.summary, "load.kv_bytes_max") or 0.0 for result in results]
        bar, text = _memory(results[0].capacity, max(peaks))
        first, rest = (bar, text) if bar else (text, "")
        head = _cut(called, width).ljust(width) + "  "
        lines += wrap(head + first, WIDTH, subsequent_indent=indent, drop_whitespace=True)
        lines += wrap(rest, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines


def render(comparison: Comparison) -> str:
    """Return the comparison as text that ends in a newline.

    Parameters
    ----------
    comparison : all runs of a scenario and what `simulator.metrics.compare_runs` made of them.
    """
    lines = [*_wrapped(str(comparison.summary["answer"])), ""]
    if comparison.scenario.question:
        lines += _wrapped(f"Question: {comparison.scenario.question}")
    brief = len(comparison.names) > FULL_COLUMNS
    where = "intervals are in the JSON and on the page" if brief else "in brackets"
    level = f"Confidence {comparison.summary['confidence_ratio']:.0%}: {where}."
    lines += [*_wrapped(setting_line(comparison)), level, ""]
    lines += table(comparison.names, [("", plan_rows(comparison)), *measure_rows(comparison, brief=brief)])
    ratios = ratio_rows(comparison)
    if ratios:
        title = f"Ratio to {comparison.names[0]}, seed by seed"
        lines += ["", title, *table(comparison.names, [("", ratios)])]
    parts = part_rows(comparison)
    if parts:
        title = "Step time by part: share (part of the bound of compute or memory that it reaches)"
        lines += ["", title, *table(comparison.names, [("", parts)])]
    lines += ["", memory_title(comparison), *memory_lines(comparison)]
    lines += ["", *(line for text in conservation_lines(comparison) for line in _wrapped(text))]
    notes = [line for note in note_lines(comparison) for line in _wrapped(note, "- ")]
    lines += ["", "Read this before you rely on it", *notes]
    return "\n".join(line.rstrip() for line in lines) + "\n"
