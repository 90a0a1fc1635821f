"""The figures of a comparison, units on every axis; `simulator.report.look` gives all reports one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.api import Comparison, Result
from simulator.attention.work import FloatVector, IntVector
from simulator.metrics.distributions import ecdf
from simulator.metrics.measures import look_up
from simulator.metrics.tables import RunTables
from simulator.report.look import (
    DASHES,
    INK,
    LIGHT_COLOURS,
    OTHER_COLOUR,
    PART_COLOURS,
    colour_of,
    line_of,
    plotly_modules,
    styled,
)
from simulator.report.quantities import digits, scale_of
from simulator.report.rows import SMALL_PART_RATIO, variant
from simulator.report.timeline import timeline
from simulator.units import NS_PER_S

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def _first_seeds(comparison: Comparison) -> list[tuple[str, Result]]:
    return [(name, comparison.runs[name][0]) for name in comparison.names]


def _panels(*, is_limited: bool) -> tuple[tuple[str, float, str, str], ...]:
    """Return (field of a timeline, factor, title, unit) of each panel over time."""
    kv = "KV held by a busy replica"
    return (
        ("running", 1.0, "trials running", "trials"),
        ("waiting", 1.0, "trials waiting", "trials"),
        ("batch", 1.0, "batch of a busy replica", "sequences"),
        ("kv_ratio", 100.0, kv, "% of capacity") if is_limited else ("kv_tokens", 1.0, kv, "tokens"),
        ("output_tokens_per_s", 1.0, "output tokens of the node", "tokens/s"),
    )


def over_time(comparison: Comparison) -> Figure:
    """Return running and waiting trials, batch, KV and tokens over time, first seed of each variant.

    Every point is the mean over one of `BINS` equal bins of that variant's run.
    """
    graph, subplots = plotly_modules()
    results = _first_seeds(comparison)
    lines = [(name, timeline(RunTables.of(result.records), result.capacity)) for name, result in results]
    panels = _panels(is_limited=all(result.capacity.limited for _, result in results))
    titles = [title for _, _, title, _ in panels]
    figure = subplots.make_subplots(
        rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.045, subplot_titles=titles
    )
    for row, (field, factor, _, unit) in enumerate(panels, start=1):
        for position, (name, line) in enumerate(lines):
            trace = graph.Scatter(
                x=line.middle_s.tolist(),
                y=[None if np.isnan(v) else float(v) for v in factor * getattr(line, field)],
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                mode="lines",
                line=line_of(position),
                hovertemplate=f"%{{y:.4g}} {unit} at %{{x:.4g}} s<extra>{name}</extra>",
            )
            figure.add_trace(trace, row=row, col=1)
        figure.update_yaxes(title_text=unit, rangemode="tozero", row=row, col=1)
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title_text="simulated time, s", row=len(panels), col=1)
    styled(figure, height=1000)
    figure.update_layout(legend={"y": 1.03})
    return figure


def _samples(tables: RunTables) -> dict[str, IntVector]:
    """Return the values behind the distributions, ns."""
    trials, tasks, finished = tables.trials, tables.tasks, tables.finished
    first = trials["first_token_ns"] >= 0
    several = finished & (trials["output_tokens"] > 1)
    decode = (trials["ended_ns"] - trials["first_token_ns"])[several]
    return {
        "TTFT": (trials["first_token_ns"] - trials["submitted_ns"])[first],
        "TPOT": decode // (trials["output_tokens"][several] - 1),
        "trial time": (trials["ended_ns"] - trials["submitted_ns"])[finished],
        "task time": (tasks["ended_ns"] - tasks["arrival_ns"])[tables.ended],
    }


def distributions(comparison: Comparison) -> Figure:
    """Return the empirical distributions of TTFT, TPOT, trial and task times, all seeds together."""
    graph, subplots = plotly_modules()
    per_variant = []
    for name in comparison.names:
        seeds = [_samples(RunTables.of(result.records)) for result in comparison.runs[name]]
        per_variant.append({key: np.concatenate([s[key] for s in seeds]) for key in seeds[0]})
    titles = tuple(per_variant[0])
    figure = subplots.make_subplots(
        rows=2, cols=2, subplot_titles=titles, vertical_spacing=0.17, horizontal_spacing=0.1
    )
    for panel, title in enumerate(titles):
        row, col = divmod(panel, 2)
        largest = [float(v[title].max(initial=0)) / NS_PER_S for v in per_variant]
        scale = scale_of([value / 4.0 for value in largest], "s")
        for position, (name, values) in enumerate(zip(comparison.names, per_variant, strict=True)):
            times, parts = ecdf(values[title])
            figure.add_trace(
                graph.Scatter(
                    x=(times / NS_PER_S / scale.divisor).tolist(),
                    y=(100.0 * parts).tolist(),
                    name=name,
                    legendgroup=name,
                    showlegend=panel == 0,
                    mode="lines",
                    line={**line_of(position), "shape": "hv"},
                    hovertemplate=f"%{{y:.4g}} % within %{{x:.4g}} {scale.unit}<extra>{name}</extra>",
                ),
                row=row + 1,
                col=col + 1,
            )
        shown = [0.0, 1.04 * max(*largest, 1e-9) / scale.divisor]
        figure.update_xaxes(title_text=f"{title}, {scale.unit}", range=shown, row=row + 1, col=col + 1)
        figure.update_yaxes(title_text="% at or below", range=[0, 101], row=row + 1, col=col + 1)
    styled(figure, height=720)
    figure.update_layout(legend={"y": 1.06})
    return figure


def _shown_parts(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the parts worth a colour, the largest first."""
    largest: dict[str, float] = {}
    for table in tables:
        for name, part in table.items():
            largest[name] = max(largest.get(name, 0.0), part["share_ratio"])
    shown = [name for name in largest if largest[name] >= SMALL_PART_RATIO]
    return sorted(shown, key=lambda name: (-largest[name], name))


def time_by_part(comparison: Comparison) -> Figure:
    """Return the replica time per output token of each variant, stacked by part, averaged over seeds."""
    graph, _ = plotly_modules()
    tables = [variant(comparison, name)["parts"] for name in comparison.names]
    shown = _shown_parts(tables)
    seconds = [{n: part["seconds_per_output_token"] for n, part in table.items()} for table in tables]
    scale = scale_of([sum(table.values()) for table in seconds], "s")
    figure = graph.Figure()
    for part in [*shown, "other"]:
        times, shares = [], []
        for table, per_token in zip(tables, seconds, strict=True):
            names = [part] if part != "other" else [n for n in table if n not in shown]
            times.append(sum(per_token.get(n, 0.0) for n in names) / scale.divisor)
            shares.append(sum(table[n]["share_ratio"] for n in names if n in table))
        if not any(times):
            continue
        colour = PART_COLOURS.get(part, OTHER_COLOUR)
        figure.add_trace(
            graph.Bar(
                y=list(comparison.names),
                x=times,
                orientation="h",
                name=part.replace("_", " "),
                marker={"color": colour, "line": {"color": "white", "width": 1}},
                text=[f"{share:.0%}" if share > 0.06 else "" for share in shares],  # noqa: PLR2004 - room
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                textfont={"color": INK if colour in LIGHT_COLOURS else "white"},
                customdata=[100.0 * share for share in shares],
                hovertemplate=f"%{{x:.4g}} {scale.unit}, %{{customdata:.3g}} % of the step time",
            )
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title_text=f"replica time per output token, {scale.unit}")
    styled(figure, height=190 + 60 * len(comparison.names))
    figure.update_yaxes(autorange="reversed", ticks="", showline=False)
    figure.update_layout(legend={"traceorder": "normal"}, bargap=0.35)
    return figure


def operating_points(result: Result) -> list[dict[str, Any]]:
    """Return each part that computes: name, FLOP per byte, FLOP/s reached, share, whole window."""
    parts = look_up(result.summary, "hardware.parts")
    points = []
    for name, part in parts.items() if isinstance(parts, Mapping) else ():
        if part["flops"] > 0.0 and part["hbm_bytes"] > 0.0:
            points.append(
                {
                    "name": name.replace("_", " "),
                    "intensity": part["flops"] / part["hbm_bytes"],
                    "flops_per_s": part["flops"] / part["seconds"],
                    "share_ratio": part["share_ratio"],
                }
            )
    return points


def _roofs(results: Sequence[tuple[str, Result]]) -> list[tuple[str, float, float]]:
    """Return the distinct roofs of the runs: label, peak FLOP/s, bytes/s."""
    roofs: dict[tuple[str, float, float], None] = {}
    for _, result in results:
        d = result.latency.deployment
        bandwidth = d.gpu.hbm_bandwidth_bytes_per_s.value
        for dtype in dict.fromkeys((d.compute_dtype, "bf16" if "bf16" in d.gpu.peak_flops_per_s else None)):
            if dtype is not None:
                roofs[(f"{d.gpu.name} {dtype}", d.gpu.peak(dtype), bandwidth)] = None
    return list(roofs)


def _roof(peak: float, bandwidth: float, intensities: FloatVector) -> list[float]:
    return [float(min(peak, bandwidth * i)) / 1e12 for i in intensities]


def _roof_traces(graph: Any, results: Sequence[tuple[str, Result]], low: float, high: float) -> list[Any]:  # noqa: ANN401 - plotly is untyped
    """Return a line for each roof, from intensity `low` to `high`."""
    traces = []
    for position, (label, peak, bandwidth) in enumerate(_roofs(results)):
        line = np.array([low, peak / bandwidth, high])
        traces.append(
            graph.Scatter(
                x=line.tolist(),
                y=_roof(peak, bandwidth, line),
                name=f"roof: {label}, {digits(peak / 1e12)} TFLOP/s, {digits(bandwidth / 1e12)} TB/s",
                mode="lines",
                line={"color": INK, "width": 2, "dash": DASHES[position % len(DASHES)]},
                hoverinfo="skip",
            )
        )
    return traces


def _point_trace(graph: Any, name: str, position: int, points: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - plotly is untyped
    """Return the operating points of one variant."""
    return graph.Scatter(
        x=[p["intensity"] for p in points],
        y=[p["flops_per_s"] / 1e12 for p in points],
        name=name,
        mode="markers",
        marker={
            "color": colour_of(position),
            "size": [8.0 + 40.0 * p["share_ratio"] ** 0.5 for p in points],
            "opacity": 0.65,
            "line": {"color": "white", "width": 1},
        },
        text=[p["name"] for p in points],
        customdata=[100.0 * p["share_ratio"] for p in points],
        hovertemplate="%{text}: %{x:.4g} FLOP/byte, %{y:.4g} TFLOP/s, "
        f"%{{customdata:.3g}} % of the step time<extra>{name}</extra>",
    )


def roofline(comparison: Comparison) -> Figure:
    """Return the roofs of the GPUs and where the parts of the steps operate under them, per GPU.

    First seed of each variant; the area of a point grows with its share of the step time.  Parts that
    compute nothing (norms, all-reduces, overheads) have no place here.
    """
    graph, _ = plotly_modules()
    results = _first_seeds(comparison)
    points = [(name, operating_points(result)) for name, result in results]
    seen = [p["intensity"] for _, found in points for p in found]
    ridges = [peak / bandwidth for _, peak, bandwidth in _roofs(results)]
    low, high = min([*seen, *ridges]) / 3.0, max([*seen, *ridges]) * 6.0
    figure = graph.Figure(_roof_traces(graph, results, low, high))
    for position, (name, found) in enumerate(points):
        figure.add_trace(_point_trace(graph, name, position, found))
    for annotation in _point_labels(points):
        figure.add_annotation(**annotation)
    log = {"type": "log", "dtick": 1, "minor": {"ticks": "outside", "ticklen": 3}, "exponentformat": "power"}
    figure.update_xaxes(title_text="arithmetic intensity, FLOP per HBM byte", **log)
    figure.update_yaxes(title_text="reached on one GPU, TFLOP/s", **log)
    styled(figure, height=620)
    figure.update_layout(legend={"y": 1.03, "itemsizing": "constant"})
    return figure


def _point_labels(points: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """Return labels of the parts that matter, those that would cover each other joined to one."""
    placed: list[tuple[float, float, list[str]]] = []
    for _, found in points:
        for p in sorted(found, key=lambda p: -p["share_ratio"]):
            if p["share_ratio"] < SMALL_PART_RATIO:
                continue
            x, y = float(np.log10(p["intensity"])), float(np.log10(p["flops_per_s"] / 1e12))
            near = next((at for at in placed if abs(at[0] - x) < 0.12 and abs(at[1] - y) < 0.25), None)  # noqa: PLR2004 - decades
            if near is None:
                placed.append((x, y, [p["name"]]))
            elif p["name"] not in near[2]:
                near[2].append(p["name"])
    return [
        {
            "x": x,
            "y": y,
            "text": ", ".join(names),
            "showarrow": True,
            "arrowhead": 0,
            "arrowwidth": 1,
            "ax": 46,
            "ay": 38,
            "xanchor": "left",
        }
        for x, y, names in placed
    ]
