"""A comparison as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.measured import BenchRun
from simulator.validate.comparison import LABELS, Quantity, Regime
from simulator.validate.measured_run import Judgement
from simulator.validate.verdict import DEFAULTS, Verdict

HEADS: Final = (
    *("", "measured", "simulated", "bias", "p50", "p90", "p99"),
    *("median error", "p90 error", "distance"),
)
SERIES_HEADS: Final = ("over time", "measured", "simulated", "bias", "p50", "p90", "max", "mean error")
REGIME_HEADS: Final = ("by regime", "requests", "ttft: bias, median, p90", "tpot", "e2e")
VERDICT_HEADS: Final = ("verdict", "error", "allowed", "")

SERIES: Final = ("running", "waiting", "kv")
MS: Final = 1e3
NONE: Final = "-"


def percent(value: float | None, *, signed: bool = True) -> str:
    """Return an error as text.

    Examples
    --------
    >>> percent(0.0312), percent(0.0312, signed=False), percent(None), percent(-1e-12)
    ('+3.1%', '3.1%', '-', '+0.0%')
    """
    if value is None:
        return NONE
    rounded = round(100.0 * value, 1) + 0.0  # no -0.0
    return f"{rounded:+,.1f}%" if signed else f"{abs(rounded):,.1f}%"


def size(name: str, value: float) -> str:
    """Return a value with its unit.

    Examples
    --------
    >>> size("ttft", 0.0512), size("e2e", 12.0), size("kv", 0.5), size("running", 3.25)
    ('51.2 ms', '12 s', '50.0%', '3.25')
    """
    if name in ("ttft", "tpot", "itl", "e2e"):
        return f"{value:.4g} s" if value >= 1.0 else f"{MS * value:.4g} ms"
    return f"{value:.1%}" if name == "kv" else f"{value:.4g}"


def about(one: Judgement) -> list[tuple[str, str]]:
    """Return what was compared with what."""
    scenario, run = one.replay.scenario, one.run
    parallel, model = scenario.parallelism, scenario.model
    gpus = parallel.tp * parallel.dp
    server = (
        f"{model.architecture.name} in {model.weight_dtype} on {gpus} x {scenario.hardware.gpu.name} "
        f"(tp {parallel.tp}, dp {parallel.dp}), {one.result.latency.kind} step times"
    )
    return [
        ("measured", f"{run.where}: {run.tool}, {_requests(run)}"),
        ("replayed", f"{one.replay.load}, in place of the scenario's workload"),
        ("scenario", f"{scenario.name}: {server}"),
    ]


def _requests(run: BenchRun) -> str:
    told = "a summary" if run.requests is None else "each request"
    count = "" if run.completed is None else f" of {run.completed} requests"
    return told + (count if run.requests is None or not count else f" of {run.completed}")


def quantity_rows(quantities: Sequence[Quantity]) -> list[tuple[str, ...]]:
    """Return a row of `HEADS` for each quantity that is no series."""
    return [
        (
            LABELS[one.name],
            *_means(one),
            *(percent(one.error(figure)) for figure in ("mean", "p50", "p90", "p99")),
            *(
                percent(one.error(figure), signed=False)
                for figure in ("median_error", "p90_error", "distance")
            ),
        )
        for one in quantities
        if one.name not in SERIES
    ]


def series_rows(quantities: Sequence[Quantity]) -> list[tuple[str, ...]]:
    """Return a row of `SERIES_HEADS` for each series."""
    return [
        (
            LABELS[one.name],
            *_means(one),
            *(percent(one.error(figure)) for figure in ("mean", "p50", "p90", "max")),
            percent(one.error("mean_error"), signed=False),
        )
        for one in quantities
        if one.name in SERIES
    ]


def _means(one: Quantity) -> tuple[str, str]:
    if "mean" not in one.figures:
        return NONE, NONE
    measured, simulated = one.figures["mean"]
    return size(one.name, measured), size(one.name, simulated)


def regime_rows(regimes: Sequence[Regime]) -> list[tuple[str, ...]]:
    """Return a row of `REGIME_HEADS` for each regime."""
    rows = []
    for regime in regimes:
        found = {one.name: one for one in regime.quantities}
        cells = [_three(found.get(name)) for name in ("ttft", "tpot", "e2e")]
        rows.append((regime.name, str(regime.count), *cells))
    return rows


def _three(one: Quantity | None) -> str:
    if one is None:
        return NONE
    sizes = (percent(one.error(figure), signed=False) for figure in ("median_error", "p90_error"))
    return ", ".join((percent(one.error("mean")), *sizes))


def verdict_rows(verdict: Verdict) -> list[tuple[str, ...]]:
    """Return a row of `VERDICT_HEADS` for each figure that is judged."""
    words = {True: "inside", False: "OUTSIDE", None: "not judged: not in the file"}
    return [
        (
            one.name,
            percent(one.error, signed=not one.name.endswith(("error", "distance"))),
            percent(one.allowed, signed=False),
            words[one.inside],
        )
        for one in verdict.judged
    ]


def sentence(one: Judgement, *, asked: bool) -> str:
    """Return the verdict in words."""
    outside = [judged for judged in one.verdict.judged if judged.inside is False]
    judged = sum(each.inside is not None for each in one.verdict.judged)
    allowed = (
        "asked for"
        if asked
        else f"default: {', '.join(f'{name}={size_:.0%}' for name, size_ in DEFAULTS.items())}"
    )
    if not outside:
        return f"Inside: {judged} of {judged} figures are within what is allowed ({allowed})."
    names = ", ".join(each.name for each in outside)
    return f"Outside: {names}: {len(outside)} of {judged} figures are not within what is allowed ({allowed})."
