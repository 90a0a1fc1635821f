"""One chart, two drawers: both show the same numbers, axes, intervals and names."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.report.document import Section, Table, document
from simulator.report.look import INK, colour_of

BAR_NAMES = ("small", "large")
CHART = Chart(
    "two-panels",
    "Two panels",
    "What they show.",
    (
        Panel(
            (
                Series(
                    "measured",
                    [1.0, 10.0, 100.0],
                    [2.0, None, 8.0],
                    0,
                    low=[1.0, None, 7.5],
                    high=[3.0, None, 9.0],
                ),
                Series("assumed", [1.0, 100.0], [1.0, 4.0], 1, "line", dashed=True),
            ),
            Axis("load, tasks", log=True, ticks=(1.0, 10.0, 100.0)),
            Axis("speed, 1/s", from_zero=True),
            "left",
            levels=(("limit", 6.0),),
        ),
        Panel(
            (
                Series("measured", BAR_NAMES, [3.0, 4.0], 0, "bars", low=[2.5, 3.5], high=[3.5, 4.5]),
                Series("assumed", BAR_NAMES, [1.0, 2.0], 1, "bars"),
            ),
            Axis(categories=BAR_NAMES),
            Axis("speed, 1/s", from_zero=True),
            "right",
        ),
    ),
)


def test_a_page_shows_every_number_interval_axis_and_name_once() -> None:
    pytest.importorskip("plotly", reason="pages need plotly (the extra plot), which is not installed")
    from simulator.report.chart_page import figure_of  # noqa: PLC0415 - needs the optional package

    figure = figure_of(CHART)
    line, dashed, bars, others = figure.data
    assert list(line.x) == [1.0, 10.0, 100.0]
    assert list(line.y) == [2.0, None, 8.0]
    assert list(line.error_y.array) == [1.0, 0.0, 1.0]
    assert list(line.error_y.arrayminus) == [1.0, 0.0, 0.5]
    assert (line.line.dash, dashed.line.dash) == ("solid", "dash")
    assert list(bars.error_y.array) == [0.5, 0.5]
    assert bars.error_y.color == INK
    assert [trace.showlegend for trace in (line, dashed, bars, others)] == [True, True, False, False]
    assert [bars.marker.color, others.marker.color] == [colour_of(0), colour_of(1)]
    assert (figure.layout.xaxis.type, figure.layout.xaxis2.type) == ("log", "category")
    assert figure.layout.yaxis.title.text == "speed, 1/s"
    assert figure.layout.shapes[0].y0 == 6.0
    assert {"left", "right", "limit"} <= {note.text for note in figure.layout.annotations}


CROSSED = Chart(
    "crosses",
    "Crosses beside a line",
    "",
    (
        Panel(
            (
                Series("line", [20.0, 3000.0], [1.0, 2.0], 3),
                Series("published", [128.0], [1.5], 3, "crosses"),
            ),
            Axis("tokens", log=True),
            Axis("s"),
        ),
    ),
)


def test_a_page_writes_whole_numbers_at_a_logarithmic_axis_as_a_picture_does() -> None:
    pytest.importorskip("plotly", reason="pages need plotly (the extra plot), which is not installed")
    from simulator.report.chart_page import figure_of  # noqa: PLC0415 - needs the optional package

    axis = figure_of(CROSSED).layout.xaxis
    told = dict(zip(axis.tickvals, axis.ticktext, strict=True))
    (drawn,) = axes_of(CROSSED)
    low, high = drawn.get_xlim()
    shown = {label.get_position()[0]: label.get_text() for label in drawn.get_xticklabels()}
    inside = {place: text for place, text in shown.items() if low <= place <= high}
    assert inside == {place: text for place, text in told.items() if low <= place <= high}
    assert inside[2000.0] == "2,000"


def test_crosses_stand_out_from_the_dots_of_a_line_of_the_same_colour() -> None:
    pytest.importorskip("plotly", reason="pages need plotly (the extra plot), which is not installed")
    from simulator.report.chart_page import figure_of  # noqa: PLC0415 - needs the optional package

    line, crosses = figure_of(CROSSED).data
    assert (crosses.mode, crosses.marker.symbol) == ("markers", "x")
    assert crosses.marker.size > line.marker.size
    assert crosses.marker.color == line.marker.color == colour_of(3)
    (drawn,) = axes_of(CROSSED)
    assert [one.get_marker() for one in drawn.lines] == ["o", "X"]
    assert drawn.lines[1].get_linestyle() == "None"


def axes_of(chart: Chart) -> list[Any]:
    """Return the panels that matplotlib drew."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, which is not installed")
    from simulator.report.chart_picture import picture_of  # noqa: PLC0415 - needs the optional package

    return list(picture_of(chart).axes)


def test_a_picture_shows_the_same() -> None:
    left, right = axes_of(CHART)
    line = left.lines[0]
    assert list(line.get_xdata()) == [1.0, 10.0, 100.0]
    assert [y for y in line.get_ydata() if not math.isnan(y)] == [2.0, 8.0]
    assert (left.get_xscale(), right.get_xscale()) == ("log", "linear")
    assert [text.get_text() for text in right.get_xticklabels()] == list(BAR_NAMES)
    assert [bar.get_height() for bar in right.patches] == [3.0, 4.0, 1.0, 2.0]
    assert left.get_ylim()[0] == 0.0
    assert left.get_ylabel() == "speed, 1/s"
    assert [label.get_text() for label in left.figure.legends[0].get_texts()] == list(CHART.names)
    reaches = [segment for bars in left.containers for segment in bars[2][0].get_segments() if len(segment)]
    assert [(segment[0][1], segment[1][1]) for segment in reaches] == [(1.0, 3.0), (7.5, 9.0)]


def test_bars_of_one_category_stand_side_by_side() -> None:
    _, right = axes_of(CHART)
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in right.patches)
    assert all(first[1] <= second[0] + 1e-9 for first, second in pairwise(edges))


def test_a_saved_picture_repeats_to_the_byte(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, which is not installed")
    from simulator.report.chart_picture import save  # noqa: PLC0415 - needs the optional package

    first = save(CHART, tmp_path).read_bytes()
    assert first == save(CHART, tmp_path).read_bytes()
    assert first.startswith(b"\x89PNG")


def test_a_document_escapes_its_texts() -> None:
    pytest.importorskip("plotly", reason="pages need plotly (the extra plot), which is not installed")
    section = Section("a < b", ["1 & 2"], [CHART], [Table(("x<y",), [("<b>",)])])
    text = document("T < U", [section])
    for escaped in ("a &lt; b", "1 &amp; 2", "x&lt;y", "<td>&lt;b&gt;</td>", "<title>T &lt; U</title>"):
        assert escaped in text
    assert 'id="two-panels"' in text
