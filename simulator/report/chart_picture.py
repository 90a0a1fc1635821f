"""A chart as a PNG file, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.errors import SimulatorError
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.report.look import DASHES, GRID, INK, VARIANT_COLOURS, colour_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH: Final = 110
PIXELS_PER_INCH: Final = 80.0
"""Pixels of a page that an inch of a picture stands for."""
POINTS_PER_INCH: Final = 72.0
MARK_POINTS: Final = 48.0
"""Width of a legend's mark with the gaps around it: 4.8 times matplotlib's font size of 10 points."""
LETTER_POINTS: Final = 6.1
"""Width of the mean letter of DejaVu Sans at 10 points."""
PANEL_INCHES: Final = 5.6
"""Width of one panel."""
MOST_LEGEND_POINTS: Final = 6.0
"""Width of a line in the legend."""
STROKES: Final = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def save(chart: Chart, folder: Path) -> Path:
    """Draw `chart` into `folder` as ``<name>.png``; return the file.

    Raises
    ------
    SimulatorError
        If matplotlib is not installed.
    """
    path = folder / f"{chart.name}.png"
    # Without the program's version in the file equal charts give equal bytes.
    picture_of(chart).savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
    return path


def picture_of(chart: Chart) -> Figure:
    """Return `chart` as a matplotlib figure.

    Raises
    ------
    SimulatorError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure as NewFigure  # noqa: PLC0415 - an optional package
    except ImportError as missing:
        message = "pictures need matplotlib: pip install matplotlib"
        raise SimulatorError(message) from missing
    width = max(7.0, PANEL_INCHES * len(chart.panels))
    figure = NewFigure(figsize=(width, chart.height / PIXELS_PER_INCH), layout="constrained")
    grid = figure.subplots(1, len(chart.panels), sharey=chart.shared_y, squeeze=False)
    for panel, axes in zip(chart.panels, grid[0], strict=True):
        _draw(panel, axes, titled=axes is grid[0][0] or not chart.shared_y)
    # Limits stop the axis from growing, so they come after all that shares it is drawn.
    for panel, axes in zip(chart.panels, grid[0], strict=True):
        _begin_at_zero(panel, axes)
    if len(chart.names) > 1:
        told: dict[str, Any] = {}
        for axes in grid[0]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                told.setdefault(label, handle)
        legend = figure.legend(
            [told[name] for name in chart.names],
            chart.names,
            loc="outside upper left",
            ncols=_columns(chart.names, 4 * len(chart.panels), POINTS_PER_INCH * width),
            frameon=False,
        )
        for line in legend.get_lines():
            line.set_linewidth(min(line.get_linewidth(), MOST_LEGEND_POINTS))
    return figure


def _columns(names: Sequence[str], most: int, points: float) -> int:
    """Return the most columns, up to `most`, in which a legend of `names` is at most `points` wide."""
    for count in range(min(len(names), most), 1, -1):
        rows, longer = divmod(len(names), count)
        lengths = [rows + 1] * longer + [rows] * (count - longer)  # as matplotlib fills them
        ends = [sum(lengths[: place + 1]) for place in range(count)]
        widest = [max(map(len, names[end - n : end])) for n, end in zip(lengths, ends, strict=True)]
        if sum(MARK_POINTS + LETTER_POINTS * letters for letters in widest) <= points:
            return count
    return 1


def _draw(panel: Panel, axes: Axes, *, titled: bool) -> None:
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(panel.title, fontsize=10)
    bars = [series for series in panel.series if series.style == "bars"]
    for series in panel.series:
        if series.style == "bars":
            _bars(series, axes, panel, bars.index(series), len(bars))
        else:
            _line(series, axes, panel)
    _set(axes, "x", panel.x)
    _set(axes, "y", panel.y, titled=titled)
    for text, y in panel.levels:
        axes.axhline(y, color=INK, linewidth=1, linestyle="--")
        axes.annotate(text, (1, y), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=9)


def _set(axes: Axes, which: str, axis: Axis, *, titled: bool = True) -> None:
    """Give one axis its scale, its numbers and its title."""
    from matplotlib.ticker import (  # noqa: PLC0415 - an optional package
        FixedLocator,
        LogLocator,
        NullFormatter,
        NullLocator,
    )

    drawn = axes.xaxis if which == "x" else axes.yaxis
    if titled:
        drawn.set_label_text(axis.title)
    if axis.categories is not None:
        positions = range(len(axis.categories))
        (axes.set_xticks if which == "x" else axes.set_yticks)(list(positions), axis.categories)
        room = (-0.5, len(axis.categories) - 0.5)
        (axes.set_xlim if which == "x" else axes.set_ylim)(*room)
        return
    if axis.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        drawn.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    if axis.ticks is not None:
        drawn.set_major_locator(FixedLocator(list(axis.ticks)))
        drawn.set_minor_locator(NullLocator())
    drawn.set_major_formatter("{x:,g}")
    drawn.set_minor_formatter(NullFormatter())


def _begin_at_zero(panel: Panel, axes: Axes) -> None:
    for axis, limit in ((panel.x, axes.set_xlim), (panel.y, axes.set_ylim)):
        if axis.from_zero and not axis.log and axis.categories is None:
            limit(0)


def _places(values: Any, axis: Axis) -> list[float]:  # noqa: ANN401 - numbers, None or texts
    """Return coordinates as numbers; gaps are NaN, texts their place among the categories."""
    categories = axis.categories or ()
    return [
        categories.index(value) if isinstance(value, str) else float("nan") if value is None else float(value)
        for value in values
    ]


def _line(series: Series, axes: Axes, panel: Panel) -> None:
    x, y = _places(series.x, panel.x), _places(series.y, panel.y)
    style: dict[str, Any] = {"color": _colour(series), "alpha": series.opacity, "label": series.name}
    dash = DASHES[series.place // len(VARIANT_COLOURS) % len(DASHES)]
    if series.style == "span":
        axes.plot(x, y, linewidth=series.width, solid_capstyle="butt", **style)
        return
    if series.style == "dots":
        axes.plot(x, y, linestyle="none", marker="o", markersize=4, **style)
    elif series.style == "crosses":
        axes.plot(x, y, linestyle="none", marker="X", markersize=9, markeredgecolor=INK, **style)
    else:
        style |= {"linestyle": "--" if series.dashed else STROKES[dash], "linewidth": series.width * 0.75}
        axes.plot(x, y, marker="o" if series.style == "dotted_line" else None, markersize=3.5, **style)
    if series.low is None or series.high is None:
        return
    bounds = (_places(series.low, panel.y), _places(series.high, panel.y))
    if series.style == "band":
        axes.fill_between(x, *bounds, color=style["color"], alpha=0.2, linewidth=0)
    else:
        _intervals(axes, x, y, bounds, style["color"])


def _bars(series: Series, axes: Axes, panel: Panel, position: int, count: int) -> None:
    width = 0.8 / count
    x = [place + (position - (count - 1) / 2) * width for place in _places(series.x, panel.x)]
    y = _places(series.y, panel.y)
    axes.bar(x, y, width * 0.94, color=_colour(series), alpha=series.opacity, label=series.name)
    if series.low is not None and series.high is not None:
        _intervals(axes, x, y, (_places(series.low, panel.y), _places(series.high, panel.y)), INK)


def _colour(series: Series) -> str:
    return colour_of(series.place) if series.colour is None else series.colour


def _intervals(
    axes: Axes, x: list[float], y: list[float], bounds: tuple[list[float], list[float]], colour: str
) -> None:
    """Draw error bars, none where there is no bound."""
    low, high = np.asarray(bounds[0]), np.asarray(bounds[1])
    reach = np.nan_to_num(np.maximum([y - low, high - y], 0.0))
    axes.errorbar(x, y, reach, fmt="none", ecolor=colour, elinewidth=1, capsize=2.5)
