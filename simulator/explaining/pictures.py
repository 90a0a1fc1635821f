"""Charts of comparisons and explanations: where time went, ratios and doublings, operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any, Final

from simulator.explaining.comparison import SideBySide
from simulator.explaining.doubling import FIGURES
from simulator.explaining.explanation import Explanation
from simulator.explaining.machine_time import PARTS as MACHINE_PARTS
from simulator.explaining.sides_text import SMALLEST_RATIO
from simulator.explaining.task_time import PARTS as TASK_PARTS
from simulator.metrics.measures import MEASURES
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.report.look import INK, OTHER_COLOUR, TIME_COLOURS
from simulator.report.quantities import scale_of
from simulator.report.rows import AGAINST

ROW_PIXELS: Final = 40
"""Height of a bar with its gap."""

LINE_PIXELS: Final = 25
"""Height of an interval with its gap."""

BAR_POINTS: Final = 20.0
"""Thickness of a bar, of the 36 points (40 pixels) that it has."""

FRAME_PIXELS: Final = 150
"""Height of axes, legend and title."""

LABEL: Final = 26
"""Columns of a side's name beside its bar."""

WIDTH: Final = 70
"""Columns of a title below an axis."""

SAME: Final = "no difference"
"""What the line at 1 is called, and all else where rows tell the sides, so that there is no legend."""

WIDE: Final = 4.0
"""Largest over smallest ratio from which their axis is logarithmic."""


def comparison_charts(found: SideBySide) -> Iterator[Chart]:
    """Yield where the time of every side went, and ratios to the first side if there are any."""
    time = found.summary["time"]
    yield time_chart(found.names, [time[name] for name in found.names])
    ratios = ratio_chart(found)
    if ratios is not None:
        yield ratios


def explanation_charts(found: Explanation) -> Iterator[Chart]:
    """Yield the operations, where time went, and what doublings do if there are any."""
    if found.operation_times:
        yield operation_chart(found)
    yield time_chart([found.side.name], [found.time])
    doublings = doubling_chart(found)
    if doublings is not None:
        yield doublings


def _labels(names: Sequence[str]) -> tuple[str, ...]:
    """Return names as labels of several short lines."""
    return tuple(fill(name, LABEL, break_on_hyphens=False) for name in names)


def _height(labels: Sequence[str], pixels: int = ROW_PIXELS) -> int:
    lines = sum(max(1.0, 0.5 * (label.count("\n") + 1)) for label in labels)
    return round(FRAME_PIXELS + pixels * lines)


def time_chart(names: Sequence[str], time: Sequence[Mapping[str, Any]]) -> Chart:
    """Return bars of parts: the GPUs' time as shares of the window, the mean task's in seconds.

    Parameters
    ----------
    names : sides, the first at the top.
    time : ``machine`` and ``task`` of each, as `simulator.explaining.mean_time.mean_times` has them.
    """
    labels = _labels(names)
    rows = Axis(categories=tuple(reversed(labels)))
    machines = _stacked(labels, [one["machine"] for one in time], MACHINE_PARTS, "share_ratio", 0.01)
    panels = [Panel(machines, Axis("% of the window", from_zero=True), rows, title="GPUs")]
    if any(one["task"] is not None for one in time):
        scale = scale_of([one["task"]["mean_s"] for one in time if one["task"] is not None], "s")
        tasks = _stacked(labels, [one["task"] for one in time], TASK_PARTS, "seconds", scale.divisor)
        panels.append(Panel(tasks, Axis(scale.unit, from_zero=True), rows, title="mean task"))
    return Chart("time", "Where the time went", "Means over seeds.", tuple(panels), height=_height(labels))


def _stacked(
    labels: Sequence[str],
    tables: Sequence[Mapping[str, Any] | None],
    parts: Mapping[str, str],
    key: str,
    divisor: float,
) -> tuple[Series, ...]:
    """Return a span for every part of every side, one behind the other; none for a side without a table."""
    series = []
    for label, table in zip(labels, tables, strict=True):
        end = 0.0
        for part, words in parts.items():
            if table is None or table["parts"][part]["share_ratio"] < SMALLEST_RATIO:
                continue
            start, end = end, end + table["parts"][part][key] / divisor
            series.append(
                Series(
                    words.partition(":")[0].partition(",")[0],
                    [start, end],
                    [label, label],
                    style="span",
                    width=BAR_POINTS,
                    colour=TIME_COLOURS[part],
                )
            )
    return tuple(series)


def ratio_chart(found: SideBySide) -> Chart | None:
    """Return the ratios of all sides to the first as a forest plot; None where there are none."""
    measures = {measure.path: measure.label for measure in MEASURES}
    others = found.names[1:]
    rows = []
    for path in AGAINST:
        for place, name in enumerate(others, start=1):
            ratio = (found.comparison.summary["against_reference"][name][path] or {}).get("ratio")
            if ratio is not None:
                label = measures[path] if len(others) == 1 else f"{measures[path]}: {name}"
                rows.append((label, SAME, place, ratio))
    if not rows:
        return None
    caption = f"Seed by seed, {found.summary['confidence_ratio']:.0%} confidence."
    whose = f" of {others[0]}" if len(others) == 1 else ""
    title = fill(f"ratio{whose} to {found.names[0]}", WIDTH)
    return _forest("ratios", title, caption, rows)


def doubling_chart(found: Explanation) -> Chart | None:
    """Return how many times better the figure that counts gets by each doubling; None without any."""
    kinds = {"hardware": 0, "engine": 1, "load": 4}
    rows = [
        (gain.resource.label, gain.resource.kind, kinds[gain.resource.kind], gain.gain.to_dict())
        for gain in found.gains
        if gain.gain is not None
    ]
    if not rows:
        return None
    path, less_is_better = found.target
    what = "times as fast an answer" if less_is_better else f"times the {FIGURES[path]}"
    return _forest("doublings", what, "Each resource doubled in turn, seed by seed.", rows)


def _forest(
    name: str, title: str, caption: str, rows: Sequence[tuple[str, str, int, Mapping[str, Any]]]
) -> Chart:
    """Return a forest plot with a line at 1; rows are label, name, place of the colour, and interval."""
    labels = tuple(reversed([label for label, *_ in rows]))
    series = [Series(SAME, [1.0, 1.0], [labels[0], labels[-1]], style="line", width=1.5, colour=INK)]
    for label, called, place, found in rows:
        if found["low"] is not None:
            bounds = [found["low"], found["high"]]
            series.append(Series(called, bounds, [label, label], place, "span", width=3.0, opacity=0.6))
    for label, called, place, found in rows:
        series.append(Series(called, [found["estimate"]], [label], place, "dots"))
    values = [v for *_, found in rows for v in (found["estimate"], found["low"], found["high"]) if v]
    axis = Axis(title, log=max(values) / min(values) > WIDE)
    panel = Panel(tuple(series), axis, Axis(categories=labels))
    return Chart(name, title, caption, (panel,), height=_height(labels, LINE_PIXELS))


def operation_chart(found: Explanation) -> Chart:
    """Return the time of each operation in a mean step, the least that the data sheet allows dark."""
    operations = found.operation_times
    labels = tuple(reversed([one.label for one in operations]))
    scale = scale_of([one.step_seconds for one in operations], "s")
    ends = [[0.0, one.step_seconds * (one.bound_ratio or 0.0), one.step_seconds] for one in operations]
    series = tuple(
        Series(
            name,
            [end / scale.divisor for end in reach[place : place + 2]],
            [one.label, one.label],
            style="span",
            width=BAR_POINTS,
            colour=colour,
        )
        for place, (name, colour) in enumerate(
            (("bound of the data sheet", None), ("beyond it", OTHER_COLOUR))
        )
        for one, reach in zip(operations, ends, strict=True)
    )
    title = f"time in a mean step, {scale.unit}"
    panel = Panel(series, Axis(title, from_zero=True), Axis(categories=labels))
    caption = "On one GPU; all seeds together."
    return Chart("operations", "Operations of a mean step", caption, (panel,), height=_height(labels))
