"""Pictures of charts show all of the numbers that they were given."""

from __future__ import annotations

import pytest

from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.report.chart_picture import picture_of

pytest.importorskip("matplotlib")


def test_panels_that_share_an_axis_from_zero_show_the_largest_bar_of_any() -> None:
    names = Axis(categories=("one",))
    panels = tuple(
        Panel((Series("bars", ["one"], [height], style="bars"),), names, Axis("y", from_zero=True))
        for height in (1.0, 5.0, 2.0)
    )
    for axes in picture_of(Chart("chart", "Chart", "", panels)).axes:
        low, high = axes.get_ylim()
        assert low == 0.0
        assert high >= 5.0


@pytest.mark.parametrize("count", [2, 8, 10, 17])
def test_a_legend_of_long_names_stays_in_the_picture(count: int) -> None:
    series = tuple(
        Series(f"where the time of part {n} went", [0.0, 1.0], [n, n], place=n) for n in range(count)
    )
    figure = picture_of(Chart("chart", "Chart", "", (Panel(series, Axis("x"), Axis("y")),) * 2))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    assert len(legend.get_texts()) == count
