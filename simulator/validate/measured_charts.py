"""Pictures of a comparison: distributions of the times, and the server over time, measured and simulated."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.attention.work import FloatVector
from simulator.measured import Series as Recorded
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.validate.comparison import LABELS
from simulator.validate.measured_run import Judgement
from simulator.validate.sides import RequestTimes, Side, state_at

POINTS: Final = 300
"""Points of a curve; a screen shows no more."""

NAMES: Final = ("measured", "simulated")
PERCENTS: Final = 100.0
LEAST_S: Final = 1e-9
"""Times of 0 have no place on a logarithmic axis."""


def charts(one: Judgement) -> list[Chart]:
    """Return the pictures that the file has data for."""
    found = [_distributions(one)]
    if one.simulated.requests is not None:
        found += [_over_time(one, "load"), _over_time(one, "queue")]
    return [chart for chart in found if chart.panels]


def _distributions(one: Judgement) -> Chart:
    panels = []
    for name in ("ttft", "tpot", "e2e"):
        series = [_curve(side, name, place) for place, side in enumerate((one.measured, one.simulated))]
        drawn = tuple(each for each in series if each is not None)
        if len(drawn) == len(NAMES):
            x, y = Axis(f"{LABELS[name]}, s", log=True), Axis("part of requests", from_zero=True)
            panels.append(Panel(drawn, x, y, title=LABELS[name]))
    dots = "" if one.measured.requests is not None else " Dots are the percentiles that the file states."
    caption = f"Part of the requests at or below a time; replayed: {one.replay.load}.{dots}"
    return Chart("distributions", "Times, measured and simulated", caption, tuple(panels))


def _curve(side: Side, name: str, place: int) -> Series | None:
    if side.requests is not None:
        values = side.requests.of(name)
        ordered = np.sort(np.maximum(values[~np.isnan(values)], LEAST_S))
        if not len(ordered):
            return None
        ranks = np.unique(np.linspace(0, len(ordered) - 1, min(POINTS, len(ordered))).astype(np.int64))
        parts = (ranks + 1) / len(ordered)
        return Series(NAMES[place], ordered[ranks].tolist(), parts.tolist(), place=place, style="line")
    stated = side.stats[name].percentiles if name in side.stats else {}
    points = [(max(value, LEAST_S), percent / 100.0) for percent, value in sorted(stated.items())]
    if not points:
        return None
    x, y = zip(*points, strict=True)
    return Series(NAMES[place], x, y, place=place, style="dots")


def _over_time(one: Judgement, kind: str) -> Chart:
    """Return requests in flight and running, or requests waiting and KV use."""
    recorded = one.measured.series
    ends = [_end(one.simulated.requests), _end(one.measured.requests)]
    ends += [recorded.t_s[-1]] if recorded is not None and recorded.t_s else []
    moments = np.linspace(0.0, max(ends), POINTS)
    state = state_at(one.result, moments)
    panels = []
    if kind == "load":
        lines = [_in_flight(side.requests, moments, place) for place, side in enumerate(_sides(one))]
        panels.append(_panel("requests in flight", [line for line in lines if line is not None]))
        panels.append(_panel("running", _pair(recorded, state, "running", 1.0)))
        title = "Requests in flight and running"
    else:
        panels.append(_panel("waiting", _pair(recorded, state, "waiting", 1.0)))
        panels.append(_panel("KV use, %", _pair(recorded, state, "kv_ratio", PERCENTS)))
        title = "Requests waiting and KV use"
    drawn = tuple(panel for panel in panels if panel.series)
    alone = all(series.name != NAMES[0] for panel in drawn for series in panel.series)
    caption = f"Replayed: {one.replay.load}. Time runs from the first request."
    caption += " Simulated alone: the file has no series of it." if alone else ""
    return Chart(f"over-time-{kind}", title, caption, drawn, shared_y=False)


def _sides(one: Judgement) -> tuple[Side, Side]:
    return one.measured, one.simulated


def _panel(name: str, series: list[Series]) -> Panel:
    missing = "" if any(one.name == NAMES[0] for one in series) else " (not measured)"
    axes = Axis("time, s", from_zero=True), Axis(name, from_zero=True)
    return Panel(tuple(series), *axes, title=name + missing)


def _end(requests: RequestTimes | None) -> float:
    if requests is None or np.isnan(requests.start_s).any():
        return 0.0
    return float(np.max(requests.start_s + requests.e2e_s))


def _in_flight(requests: RequestTimes | None, moments: FloatVector, place: int) -> Series | None:
    if requests is None or np.isnan(requests.start_s).any():
        return None
    starts, ends = np.sort(requests.start_s), np.sort(requests.start_s + requests.e2e_s)
    counts = np.searchsorted(starts, moments, side="right") - np.searchsorted(ends, moments, side="right")
    return Series(NAMES[place], moments.tolist(), counts.tolist(), place=place, style="line")


def _pair(recorded: Recorded | None, state: Recorded, column: str, scale: float) -> list[Series]:
    found = []
    for place, series in enumerate((recorded, state)):
        if series is None:
            continue
        values = np.array(getattr(series, column)) * scale
        known = ~np.isnan(values)
        if known.any():
            x, y = np.array(series.t_s)[known], values[known]
            found.append(Series(NAMES[place], x.tolist(), y.tolist(), place=place, style="line"))
    return found
