"""Figures of the reproduction, in the look of all reports: frontiers, best models, lengths, throughput."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from simulator.attention import DenseAttention
from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import MODELS, AttentionName, best_of_n_frontier
from simulator.kinetics.claims import Sources
from simulator.kinetics.curves import Curve, bands
from simulator.kinetics.derived import frontier, length_at
from simulator.kinetics.throughput import BUDGETS, CELLS, block_topk, tokens_per_s
from simulator.report.look import colour_of, line_of, plotly_modules, styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COST_AXIS: Final = "cost cap per question, B200 seconds (eFLOPs / 4.5e15)"
KINDS: Final[tuple[tuple[AttentionName, str], ...]] = (("dense", "dense"), ("topk", "oracle top-k"))
GPU: Final = "h200-sxm"
"""GPU of the throughput figure: that of the paper's Fig. 10."""

TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "long-cot": "Accuracy by cost: Long-CoT",
        "best-of-n": "Accuracy by cost: Best-of-N",
        "best-model": "Which model is best at which cost",
        "cot-length": "Length of the best output by cost",
        "throughput": "Block top-k against dense attention by KV budget",
    }
)

CAPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "long-cot": "AIME24, one trial, length (and KV budget) of each question chosen by an oracle. Thick: "
        "the best model at each cost. Points are published (Fig. 8d), lines between them are interpolated.",
        "best-of-n": "AIME24, coverage of up to 32 trials, the best model at each cost. Published (Fig. 8a), "
        "digitised to 0.005 to 0.01.",
        "best-model": "AIME24, Long-CoT; where two curves cross at a flat angle, the border is uncertain.",
        "cot-length": "Dense attention: the output that one trial makes for the whole cost, after 200 tokens "
        "of prompt. Thick: where the model is the best.",
        "throughput": "Roofline of one decode step at full context on eight H200, tensor parallel, bf16, KV "
        "capacity not enforced: no node holds these batches. Block size times budget is 16,384.",
    }
)


def long_cot(sources: Sources) -> Figure:
    """Return accuracy by cost of each model and the frontier, dense and top-k side by side."""
    _, subplots = plotly_modules()
    figure = subplots.make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        subplot_titles=[title for _, title in KINDS],
        horizontal_spacing=0.04,
    )
    for column, (kind, _) in enumerate(KINDS, start=1):
        curves = sources.curves[kind]
        for place, model in enumerate(MODELS):
            trace = _line(curves[model], model, place, width=1.5)
            figure.add_scatter(**trace, mode="lines+markers", showlegend=column == 1, row=1, col=column)
        best = _line(frontier(curves, kind), "best model", len(MODELS), width=4)
        figure.add_scatter(**best, mode="lines", opacity=0.45, showlegend=column == 1, row=1, col=column)
    styled(figure, height=520)
    figure.update_layout(legend={"y": 1.08})
    figure.update_xaxes(type="log", title_text=COST_AXIS)
    figure.update_yaxes(title_text="accuracy (pass@1)", rangemode="tozero", col=1)
    return figure


def best_of_n() -> Figure:
    """Return coverage by cost, dense and top-k."""
    graph, _ = plotly_modules()
    figure = graph.Figure()
    for place, (kind, title) in enumerate(KINDS):
        figure.add_scatter(**_line(best_of_n_frontier(kind), title, place, width=2), mode="lines+markers")
    styled(figure, height=440)
    figure.update_xaxes(type="log", title_text=COST_AXIS)
    figure.update_yaxes(title_text="coverage", rangemode="tozero")
    return figure


def best_model(sources: Sources) -> Figure:
    """Return bands of cost in which each model is best, dense and top-k."""
    graph, _ = plotly_modules()
    figure = graph.Figure()
    shown: set[str] = set()
    for kind, title in reversed(KINDS):
        for model, low, high in bands(sources.curves[kind]):
            figure.add_scatter(
                x=[low, high],
                y=[title, title],
                name=model,
                legendgroup=model,
                legendrank=MODELS.index(model),
                showlegend=model not in shown,
                mode="lines",
                line={"color": colour_of(MODELS.index(model)), "width": 34},
                hovertemplate=f"{model}: {low:.3g} to {high:.3g} s<extra></extra>",
            )
            shown.add(model)
    styled(figure, height=280)
    figure.update_xaxes(type="log", title_text=COST_AXIS)
    figure.update_yaxes(type="category", showgrid=False)
    return figure


def cot_length(sources: Sources) -> Figure:
    """Return the output length that each cost buys, thick where the model is the best."""
    graph, _ = plotly_modules()
    figure = graph.Figure()
    curves = sources.curves["dense"]
    for place, model in enumerate(MODELS):
        x = [cost for cost, solved in zip(curves[model].x, curves[model].accuracy, strict=True) if solved]
        y = [_length(model, cost) for cost in x]
        line = {"color": colour_of(place), "width": 1}
        figure.add_scatter(x=x, y=y, name=model, legendgroup=model, mode="lines", line=line)
    for model, low, high in bands(curves):
        line = {"color": colour_of(MODELS.index(model)), "width": 6}
        ends = [low, high]
        figure.add_scatter(
            x=ends,
            y=[_length(model, cost) for cost in ends],
            name=model,
            legendgroup=model,
            showlegend=False,
            mode="lines",
            line=line,
        )
    styled(figure, height=480)
    figure.update_xaxes(type="log", title_text=COST_AXIS)
    figure.update_yaxes(type="log", title_text="output, tokens")
    return figure


def throughput() -> Figure:
    """Return tokens per second over dense attention by KV budget, one panel per batch and context."""
    _, subplots = plotly_modules()
    titles = [f"{sequences:,} sequences x {context:,} tokens" for sequences, context in CELLS]
    figure = subplots.make_subplots(
        rows=1, cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.04
    )
    for column, (sequences, context) in enumerate(CELLS, start=1):
        cell = {"sequences": sequences, "context_tokens": context}
        for place, model in enumerate(MODELS):
            dense = tokens_per_s(model, GPU, DenseAttention(), **cell)
            figure.add_scatter(
                x=list(BUDGETS),
                y=[tokens_per_s(model, GPU, block_topk(budget), **cell) / dense for budget in BUDGETS],
                name=model,
                legendgroup=model,
                showlegend=column == 1,
                mode="lines+markers",
                line=line_of(place),
                row=1,
                col=column,
            )
    styled(figure, height=480)
    figure.update_layout(legend={"y": 1.09})
    figure.update_xaxes(type="log", tickvals=list(BUDGETS), title_text="KV budget, tokens")
    figure.update_yaxes(type="log", title_text="tokens per second over dense", col=1)
    return figure


def _length(model: str, b200_s: float) -> float | None:
    """Return the output that a cost buys; None, a gap, beyond the model's context."""
    try:
        return length_at(model, b200_s)
    except SimulatorError:
        return None


def _line(curve: Curve, name: str, place: int, *, width: float) -> dict[str, Any]:
    """Return a curve as a trace."""
    return {
        "x": list(curve.x),
        "y": list(curve.accuracy),
        "name": name,
        "legendgroup": name,
        "line": {"color": colour_of(place), "width": width},
        "marker": {"size": 4},
    }
