"""What a chart shows, whoever draws it: series of numbers in panels, with axes and intervals.

`simulator.report.chart_page` draws a chart for an HTML page (plotly), `simulator.report.chart_picture` as a
PNG file (matplotlib); both take colours from `simulator.report.look`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Number = float | None
"""A coordinate; None is a gap in a line."""

Style = Literal["line", "dots", "dotted_line", "band", "bars", "span", "crosses"]
"""How a series is drawn: a line, dots, a line with dots, a line in the area between `low` and `high`, bars by
category, a thick stroke from the first to the last point, or crosses, which stand out from dots of lines."""


@dataclass(frozen=True, slots=True)
class Series:
    """Points under one name.

    Parameters
    ----------
    name : what the legend says; series of one name share a place in it.
    x, y : coordinates, of equal length; x holds texts for bars and spans by category.
    place : position of its colour; later rounds of colours are dashed.
    style : how it is drawn.
    low, high : bounds of the confidence interval of each y; None draws none.
    width : of the line, points.
    opacity : 0 to 1.
    dashed : whether the line is broken, for what is assumed or out of the main question.
    colour : of the palette in `simulator.report.look`; None takes that of `place`.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[Number | str]
    place: int = 0
    style: Style = "dotted_line"
    low: Sequence[Number] | None = None
    high: Sequence[Number] | None = None
    width: float = 2.0
    opacity: float = 1.0
    dashed: bool = False
    colour: str | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Parameters
    ----------
    title : quantity and unit.
    log : whether it is logarithmic.
    ticks : where to write numbers; None leaves it to the drawer.
    from_zero : whether it begins at zero.
    categories : texts in order, for an axis of names.
    """

    title: str = ""
    log: bool = False
    ticks: tuple[float, ...] | None = None
    from_zero: bool = False
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One coordinate system.

    Parameters
    ----------
    series : what is drawn, the first at the bottom.
    x, y : axes.
    title : above the panel.
    levels : horizontal lines, by what they say.
    """

    series: tuple[Series, ...]
    x: Axis
    y: Axis
    title: str = ""
    levels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels side by side that answer one question.

    Parameters
    ----------
    name : stem of its file, and its name on a page.
    title : heading.
    caption : what is shown, under which conditions, with the source of the numbers.
    panels : from left to right; they share the y axis if `shared_y`.
    height : in pixels of a page.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    shared_y: bool = True
    height: int = 480
    names: tuple[str, ...] = field(init=False)
    """Names for the legend, each once."""

    def __post_init__(self) -> None:
        """Collect the names of the series."""
        found = dict.fromkeys(series.name for panel in self.panels for series in panel.series)
        object.__setattr__(self, "names", tuple(found))
