from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "metrics"))

from made_records import BANDWIDTH, PEAK, two_tasks

from simulator.api import Comparison
from simulator.report import figures, look

pytest.importorskip("plotly", reason="figures need the optional package plotly")

DRAWN = [figures.over_time, figures.distributions, figures.time_by_part, figures.roofline]


@pytest.mark.parametrize("draw", DRAWN)
def test_every_axis_with_numbers_has_a_title_with_a_unit(
    draw: Callable[[Comparison], Any], compared: Callable[..., Comparison]
) -> None:
    layout = draw(compared()).to_plotly_json()["layout"]
    axes = [axis for name, axis in layout.items() if name.startswith("xaxis")]
    shown = [axis for axis in axes if axis.get("showticklabels", True)]
    assert shown
    assert all(", " in axis["title"]["text"] for axis in shown)


def test_a_variant_has_one_colour_everywhere(compared: Callable[..., Comparison]) -> None:
    comparison = compared()
    colours: dict[str, set[str]] = {}
    for draw in (figures.over_time, figures.distributions):
        for trace in draw(comparison).data:
            colours.setdefault(trace.name, set()).add(trace.line.color)
    for trace in figures.roofline(comparison).data:
        if trace.mode == "markers":
            colours[trace.name].add(trace.marker.color)
    assert {name: len(found) for name, found in colours.items()} == {"slow": 1, "quick": 1}
    assert colours["slow"] != colours["quick"]


def test_more_variants_than_colours_differ_in_their_lines(compared: Callable[..., Comparison]) -> None:
    names = [f"v{n}" for n in range(len(look.VARIANT_COLOURS) + 1)]
    figure = figures.distributions(compared({name: two_tasks().records() for name in names}))
    first = {t.name: (t.line.color, t.line.dash) for t in figure.data}
    assert first["v0"][0] == first[names[-1]][0]
    assert len(set(first.values())) == len(names)


def test_distributions_end_at_the_longest_time(compared: Callable[..., Comparison]) -> None:
    traces = [t for t in figures.distributions(compared()).data if t.name == "slow"]
    assert [t.y[-1] for t in traces] == [100.0] * 4
    assert traces[3].x[-1] == pytest.approx(16.0)  # task time: twice 8 s


def test_no_operating_point_is_above_the_roof(compared: Callable[..., Comparison]) -> None:
    comparison = compared(seeds=1)
    points = figures.operating_points(comparison.runs["quick"][0])
    assert points
    for p in points:
        assert p["flops_per_s"] <= min(PEAK, BANDWIDTH * p["intensity"]) * (1 + 1e-9)


def test_bars_add_up_to_the_time_per_token(compared: Callable[..., Comparison]) -> None:
    comparison = compared()
    figure = figures.time_by_part(comparison)
    parts = comparison.runs["quick"][0].summary["hardware"]["parts"].values()
    seconds = sum(part["seconds"] for part in parts) / 84
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[figure.layout.xaxis.title.text.rpartition(", ")[2]]
    assert sum(trace.x[1] for trace in figure.data) * unit == pytest.approx(seconds)


def test_every_known_part_has_its_own_colour() -> None:
    assert len(set(look.PART_COLOURS.values())) == len(look.PART_COLOURS)
    assert look.OTHER_COLOUR not in look.PART_COLOURS.values()
