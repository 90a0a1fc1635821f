"""A chart for an HTML page, drawn by plotly."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any, Final

from simulator.report.chart import Axis, Chart, Series
from simulator.report.look import GRID, INK, line_of, plotly_modules, styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


MODES: Final = {"line": "lines", "span": "lines", "dots": "markers", "crosses": "markers"}
"""What plotly draws of a style; others are lines with dots."""


LOG_TICKS: Final = tuple(float(f"{digit}e{power}") for power in range(-6, 10) for digit in (1, 2, 5))
"""Where a logarithmic axis says numbers, as in pictures; plotly by itself writes digits without power."""


def figure_of(chart: Chart) -> Figure:
    """Return `chart` as a plotly figure.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    _, subplots = plotly_modules()
    figure = subplots.make_subplots(
        rows=1,
        cols=len(chart.panels),
        shared_yaxes=chart.shared_y,
        subplot_titles=[panel.title for panel in chart.panels] if len(chart.panels) > 1 else None,
        horizontal_spacing=0.04 if chart.shared_y else 0.09,
    )
    told: set[str] = set()
    for column, panel in enumerate(chart.panels, start=1):
        for series in panel.series:
            for trace in _traces(series, told=series.name in told):
                figure.add_trace(trace, row=1, col=column)
            told.add(series.name)
        for text, y in panel.levels:
            figure.add_hline(y=y, line={"color": INK, "width": 1, "dash": "dash"}, row=1, col=column)
            figure.add_annotation(
                x=1,
                xref="x domain",
                y=log10(y) if panel.y.log else y,
                text=text,
                showarrow=False,
                xanchor="right",
                yanchor="bottom",
                row=1,
                col=column,
            )
    styled(figure, height=chart.height)
    figure.update_layout(legend={"y": 1.08 if len(chart.panels) > 1 else 1.02}, barmode="group")
    for column, panel in enumerate(chart.panels, start=1):
        figure.update_xaxes(**_axis(panel.x), row=1, col=column)
        title = column == 1 or not chart.shared_y
        figure.update_yaxes(**_axis(panel.y, titled=title), row=1, col=column)
    figure.update_layout(showlegend=len(chart.names) > 1)
    return figure


def _axis(axis: Axis, *, titled: bool = True) -> dict[str, Any]:
    settings: dict[str, Any] = {"title_text": axis.title if titled else ""}
    if axis.categories is not None:
        order = {"categoryorder": "array", "categoryarray": axis.categories}
        return settings | order | {"type": "category", "range": (-0.5, len(axis.categories) - 0.5)}
    settings |= {"type": "log" if axis.log else "linear", "exponentformat": "none", "separatethousands": True}
    ticks = LOG_TICKS if axis.log and axis.ticks is None else axis.ticks
    if ticks is not None:
        settings |= {"tickvals": list(ticks), "ticktext": [f"{tick:,g}" for tick in ticks]}
    if axis.from_zero:
        settings["rangemode"] = "tozero"
    return settings


def _traces(series: Series, *, told: bool) -> list[Any]:
    graph, _ = plotly_modules()
    line: dict[str, Any] = line_of(series.place) | {"width": series.width}
    if series.dashed:
        line["dash"] = "dash"
    if series.colour is not None:
        line["color"] = series.colour
    common = {
        "name": series.name,
        "legendgroup": series.name,
        "showlegend": not told,
        "opacity": series.opacity,
    }
    if series.style == "band":
        return _band(series, common, line)
    if series.style == "bars":
        # Left alone, plotly takes the colour of the bar's edge, which cannot be seen.
        errors = (_errors(series) or {}) | {"color": INK}
        bar = {"color": line["color"], "line": {"color": GRID, "width": 0.5}}
        return [graph.Bar(x=list(series.x), y=list(series.y), error_y=errors, marker=bar, **common)]
    mode = MODES.get(series.style, "lines+markers")
    return [
        graph.Scatter(
            x=list(series.x),
            y=list(series.y),
            mode=mode,
            line=line,
            marker=_marker(series, line["color"]),
            error_y=_errors(series),
            **common,
        )
    ]


def _marker(series: Series, colour: object) -> dict[str, Any]:
    if series.style == "crosses":
        return {"size": 10, "symbol": "x", "color": colour, "line": {"color": INK, "width": 1}}
    return {"size": 5, "color": colour}


def _band(series: Series, common: dict[str, Any], line: dict[str, Any]) -> list[Any]:
    graph, _ = plotly_modules()
    edge = {"x": list(series.x), "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    filled = common | {"opacity": 0.3, "showlegend": False}
    return [
        graph.Scatter(y=list(series.low or ()), **edge, **filled),
        graph.Scatter(
            y=list(series.high or ()), fill="tonexty", fillcolor=f"{line['color']}33", **edge, **filled
        ),
        graph.Scatter(x=list(series.x), y=list(series.y), mode="lines", line=line, **common),
    ]


def _errors(series: Series) -> dict[str, Any] | None:
    if series.low is None or series.high is None:
        return None
    above = [_gap(high, y) for high, y in zip(series.high, series.y, strict=True)]
    below = [_gap(y, low) for low, y in zip(series.low, series.y, strict=True)]
    return {"array": above, "arrayminus": below, "symmetric": False, "thickness": 1.2, "width": 3}


def _gap(upper: object, lower: object) -> float:
    """Return the length of one half of an error bar; none where there is no bound."""
    if not isinstance(upper, float | int) or not isinstance(lower, float | int):
        return 0.0
    return max(0.0, upper - lower)
