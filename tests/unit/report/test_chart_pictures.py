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
