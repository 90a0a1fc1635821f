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
from simulator.sweeps.columns import Columns
from simulator.sweeps.figures import HIGH, LOW

if TYPE_CHECKING:
    from simulator.sweeps.running import Swept

WIDTH: Final = 110
HEAD: Final = 12
"""Characters of a line in the head of a narrow column."""

LONGEST: Final = 40
"""Characters of a value of an axis that are shown."""

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


def render(swept: Swept, measures: Sequence[Measure], *, width: int = WIDTH) -> str:
    """Return the points with some of their figures, then what to know of them.

    Parameters
    ----------
    swept : what was run.
    measures : figures to show.
    width : characters of a line; where all columns take more, the rows are told in several parts.
    """
    table = swept.point_columns
    axes = list(swept.points[0].labels)
    names = short(axes)
    names |= {"variant": "variant"} if "variant" in table else {}
    shown = {name: column[:MOST_ROWS] for name, column in table.items()}
    texts = {title: [_label(value) for value in shown[name]] for name, title in names.items()}
    if any(status != "ok" for status in shown["status"]):
        texts["status"] = list(shown["status"])
    figures = dict(_column(shown, measure) for measure in measures)
    lines = _parts(texts, figures, width)
    rows = len(table["status"])
    if rows > MOST_ROWS:
        lines += [f"... and {rows - MOST_ROWS:,} more rows; --means FILE.csv holds all of them"]
    return "\n".join([*lines, "", *_notes(swept)])


def shortened(paths: Sequence[str]) -> list[str]:
    """Return the ends of dotted paths, two keys or as many as tell them apart.

    Examples
    --------
    >>> shortened(["workload.strategy.trials", "hardware.gpu.name", "model.gpu.name"])
    ['strategy.trials', 'hardware.gpu.name', 'model.gpu.name']
    """
    keys = [path.split(".") for path in paths]
    found = []
    for own in keys:
        if own[0] == "variants":  # of one variant: the name of it is what matters
            found.append(".".join(own))
            continue
        size = next(
            (n for n in range(2, len(own)) if sum(other[-n:] == own[-n:] for other in keys) == 1), len(own)
        )
        found.append(".".join(own[-size:]))
    return found


def short(paths: Sequence[str]) -> dict[str, str]:
    """Return the short form of each path."""
    return dict(zip(paths, shortened(paths), strict=True))


def _label(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if value is True or value is False:
        text = text.lower()
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2 - 1]}...{text[2 - LONGEST // 2 :]}"


def _parts(texts: dict[str, list[str]], figures: dict[str, list[str]], width: int) -> list[str]:
    """Return the lines of as many tables one below the other as it takes to keep to the width.

    Where what a row varies leaves no room for a figure, rows have numbers, and each table begins with them.
    """
    if all(len(_aligned(texts, {name: cells})[0]) <= width for name, cells in figures.items()):
        return _split(texts, figures, width)
    rows = len(next(iter(texts.values())))
    numbers = {"row": [str(place) for place in range(1, rows + 1)]}
    return [*_split(numbers, texts, width, left=True), "", *_split(numbers, figures, width)]


def _split(
    lead: dict[str, list[str]], columns: dict[str, list[str]], width: int, *, left: bool = False
) -> list[str]:
    """Return tables that begin with `lead` and share the other columns, texts if they keep to the left."""
    lines: list[str] = []
    names = list(columns)
    while names:
        for count in range(len(names), 0, -1):
            some = {name: columns[name] for name in names[:count]}
            found = _aligned({**lead, **some}, {}) if left else _aligned(lead, some)
            if len(found[0]) <= width or count == 1:
                break
        lines += [*([""] if lines else []), *found]
        names = names[count:]
    return lines


def _column(table: Columns, measure: Measure) -> tuple[str, list[str]]:
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


def _aligned(texts: dict[str, list[str]], figures: dict[str, list[str]]) -> list[str]:
    """Return lines of equal length with texts at the left of their place and figures at the right."""
    columns = {**texts, **figures}
    heads = [
        wrap(title, max(HEAD, *map(len, cells)), break_long_words=False) for title, cells in columns.items()
    ]
    deepest = max(map(len, heads))
    heads = [[""] * (deepest - len(head)) + head for head in heads]
    filled = [[*head, *cells] for head, cells in zip(heads, columns.values(), strict=True)]
    widths = [max(map(len, column)) for column in filled]
    return [
        "  ".join(
            cell.ljust(width) if place < len(texts) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in zip(*filled, strict=True)
    ]


def _notes(swept: Swept) -> list[str]:
    runs = len(swept.jobs)
    told = [
        f"{len(swept.points):,} points, {runs:,} runs"
        + (f", {swept.kept:,} of them kept from before" if swept.kept else "")
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
    told += swept.remarks
    if swept.runs_per_point > 1 or "variant" in swept.point_columns:
        told.append(
            f"±: half of the {swept.confidence_ratio:.0%} interval over the seeds of a point; points have "
            "the same seeds"
        )
    return [line for text in told for line in wrap(text, WIDTH, subsequent_indent="  ")]
