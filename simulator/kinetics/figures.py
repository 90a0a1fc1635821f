"""Charts of the reproduction: frontiers, best models, lengths, throughput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from simulator.attention import Attention, DenseAttention, TopKAttention
from simulator.errors import SimulatorError
from simulator.kinetics.accuracy import MODELS, AttentionName, best_of_n_frontier
from simulator.kinetics.best_of_n import Modelled, curves
from simulator.kinetics.borders import Band
from simulator.kinetics.claims import Sources
from simulator.kinetics.claims_of_bands import (
    BEST_OF_N_TOPK,
    LAST_TERA,
    LONG_COT_DENSE,
    LONG_COT_TOPK,
    published_bands,
)
from simulator.kinetics.curves import Curve, bands
from simulator.kinetics.derived import frontier, length_at
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S
from simulator.kinetics.palette import place_of
from simulator.kinetics.throughput import BUDGETS, CELLS, speed_up
from simulator.report.chart import Axis, Chart, Panel, Series, Style

COST: Final = Axis("cost cap per question, B200 seconds (eFLOPs / 4.5e15)", log=True)
OF_TRIALS: Final = Axis(
    "cost per question, B200 seconds (eFLOPs / 4.5e15)", log=True, ticks=(0.01, 0.1, 1, 10, 100, 1000)
)
KINDS: Final[tuple[tuple[AttentionName, str], ...]] = (("dense", "dense"), ("topk", "oracle top-k"))
GPU: Final = "h200-sxm"
"""GPU of the throughput figure: that of the paper's Fig. 10."""


def charts(sources: Sources) -> list[Chart]:
    """Return all charts, in the order of the page."""
    return [
        long_cot(sources),
        best_of_n(),
        best_model(sources),
        best_model_of_n(),
        cot_length(sources),
        throughput(),
    ]


def long_cot(sources: Sources) -> Chart:
    """Return accuracy by cost of each model and the frontier, dense and top-k side by side."""
    panels = []
    for kind, title in KINDS:
        curves = sources.curves[kind]
        models = [_line(curves[model], model, place_of(model), width=1.5) for model in MODELS]
        best = _line(frontier(curves, kind), "best model", len(MODELS), style="line", width=4.0, opacity=0.45)
        panels.append(Panel((*models, best), COST, Axis("accuracy (pass@1)", from_zero=True), title))
    return Chart(
        "long-cot",
        "Accuracy by cost: Long-CoT",
        "AIME24, one trial, length (and KV budget) of each question chosen by an oracle. Thick: the best "
        "model at each cost. Points are published (Fig. 8d), lines between them are interpolated.",
        tuple(panels),
        height=520,
    )


def best_of_n() -> Chart:
    """Return coverage by cost, dense and top-k."""
    lines = [_line(best_of_n_frontier(kind), title, place) for place, (kind, title) in enumerate(KINDS)]
    return Chart(
        "best-of-n",
        "Accuracy by cost: Best-of-N",
        "AIME24, coverage of up to 32 trials, the best model at each cost. Published (Fig. 8a), digitised to "
        "0.005 to 0.01.",
        (Panel(tuple(lines), COST, Axis("coverage", from_zero=True)),),
        height=440,
    )


def best_model(sources: Sources) -> Chart:
    """Return bands of cost in which each model is best, dense and top-k, ours and published."""
    published = {"dense": LONG_COT_DENSE, "topk": LONG_COT_TOPK}
    rows: dict[str, Sequence[Band]] = {}
    for kind, title in KINDS:
        rows[f"{title}, published"] = published_bands(published[kind], LAST_TERA)
        rows[f"{title}, from Fig. 8d"] = bands(sources.curves[kind])
    return Chart(
        "best-model",
        "Which model is best at which cost: Long-CoT",
        "AIME24. Published: read by eye from Fig. 7c, gaps where two models alternate. From Fig. 8d: the "
        "best of its curves; where two cross at a flat angle, the border is uncertain.",
        (_spans(rows),),
        height=380,
    )


def best_model_of_n() -> Chart:
    """Return bands of cost in which each model is best with Best-of-N, published and modelled."""
    rows: dict[str, Sequence[Band]] = {
        "AIME24, oracle top-k, published": published_bands(
            BEST_OF_N_TOPK, best_of_n_frontier("topk").last * PAPER_PEAK_FLOPS_PER_S / 1e12
        )
    }
    kinds: dict[str, Attention] = {
        "top-k 1,024": TopKAttention(kv_budget_tokens=1024),
        "dense": DenseAttention(prefix_reads="once_per_family"),
    }
    benchmarks: tuple[tuple[Modelled, str], ...] = (("aime24", "AIME24"), ("livecodebench", "LiveCodeBench"))
    for benchmark, name in benchmarks:
        for kind, attention in kinds.items():
            rows[f"{name}, {kind}, modelled"] = bands(curves(benchmark, attention))
    return Chart(
        "best-model-best-of-n",
        "Which model is best at which cost: Best-of-N",
        "Published: read by eye from Fig. 7c, gaps where two models alternate. Modelled: coverage by trials "
        "(LiveCodeBench: published points, AIME24: fitted) at the closed form's cost of the trials, 15,000 "
        "tokens each on average for every model, as many trials for every question, accuracy kept by top-k; "
        "from one trial of the cheapest model to where the first model has used all trials that are known.",
        (_spans(rows, OF_TRIALS),),
        height=430,
    )


def _spans(rows: Mapping[str, Sequence[Band]], cost: Axis = COST) -> Panel:
    """Return bands of the best model, one row for each name, the first at the top."""
    spans = [
        Series(model, (low, high), (title, title), place_of(model), "span", width=26.0)
        for title, found in rows.items()
        for model, low, high in found
    ]
    spans.sort(key=lambda span: span.place)
    return Panel(tuple(spans), cost, Axis(categories=tuple(reversed(list(rows)))))


def cot_length(sources: Sources) -> Chart:
    """Return the output length that each cost buys, thick where the model is the best."""
    curves = sources.curves["dense"]
    lines = []
    for model in MODELS:
        x = [cost for cost, solved in zip(curves[model].x, curves[model].accuracy, strict=True) if solved]
        lengths = [_length(model, cost) for cost in x]
        lines.append(Series(model, x, lengths, place_of(model), "line", width=1.0))
    for model, low, high in bands(curves):
        ends, place = [low, high], place_of(model)
        lines.append(Series(model, ends, [_length(model, cost) for cost in ends], place, "line", width=6.0))
    return Chart(
        "cot-length",
        "Length of the best output by cost",
        "Dense attention: the output that one trial makes for the whole cost, after 200 tokens of prompt. "
        "Thick: where the model is the best.",
        (Panel(tuple(lines), COST, Axis("output, tokens", log=True)),),
    )


def throughput() -> Chart:
    """Return tokens per second over dense attention by KV budget, one panel per batch and context."""
    panels = []
    for sequences, context in CELLS:
        lines = []
        for model in MODELS:
            ratios = [
                speed_up(model, GPU, budget, sequences=sequences, context_tokens=context)
                for budget in BUDGETS
            ]
            lines.append(Series(model, BUDGETS, ratios, place_of(model)))
        budgets = Axis("KV budget, tokens", log=True, ticks=BUDGETS)
        y = Axis("tokens per second over dense", log=True, ticks=(1, 2, 5, 10, 20, 50, 100))
        panels.append(Panel(tuple(lines), budgets, y, f"{sequences:,} sequences x {context:,} tokens"))
    return Chart(
        "throughput",
        "Block top-k against dense attention by KV budget, eight H200",
        "Roofline of one decode step at full context, its layers alone, tensor parallel, bf16, KV capacity "
        "not enforced: no node holds these batches. Block size times budget is 16,384.",
        tuple(panels),
    )


def _length(model: str, b200_s: float) -> float | None:
    """Return the output that a cost buys; None, a gap, beyond the model's context."""
    try:
        return length_at(model, b200_s)
    except SimulatorError:
        return None


def _line(
    curve: Curve,
    name: str,
    place: int,
    *,
    style: Style = "dotted_line",
    width: float = 2.0,
    opacity: float = 1.0,
) -> Series:
    """Return a curve as a series."""
    accuracy: Sequence[float] = curve.accuracy
    return Series(name, curve.x, accuracy, place, style, width=width, opacity=opacity)
