"""From which model size on a longer chain of thought pays, on the paper's terms and on those of a server.

A model's longest useful output is the longest at which no other model is better for the same cost.  The
threshold is the smallest model for which that is more than 10,000 tokens: the paper says that longer chains
of thought pay for 14B and 32B only.  Costs are closed forms or simulated; accuracy is that of the paper's
curves by output length, one length for all questions.  It is known from 2,000 tokens on: below the cost of
these a model is not offered, though it might be right sometimes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from math import sqrt
from statistics import fmean
from typing import Final, Literal

import numpy as np
import pandas as pd

from simulator.attention import DenseAttention
from simulator.kinetics import BF16_RIDGE, PAPER_RIDGE, cost, kinetics_model
from simulator.kinetics.accuracy import PROMPT_TOKENS, accuracy_at_length, long_cot_curves, published
from simulator.kinetics.cost import Combine
from simulator.kinetics.derived import length_at
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S, KineticsModel, Parameters
from simulator.kinetics.palette import ORDER, place_of
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.rng import Streams
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import Scenario
from simulator.studies.drawing import short
from simulator.studies.frontiers import Offer, longest_useful, offer, stretches
from simulator.studies.points import Point, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import CONFIDENCE

SCENARIO: Final = "kinetics/open/threshold"
MODELS: Final = ORDER
LONG_TOKENS: Final = 10_000
"""Output beyond which a chain of thought is long (Kinetics, arXiv 2506.05333, section 3.1), tokens."""

CUTS: Final = (5_000, 7_000, 8_000, LONG_TOKENS, 12_000, 15_000)
"""Other outputs from which on one may call a chain of thought long, tokens."""

BF16_PEAK_FLOPS_PER_S: Final = PAPER_PEAK_FLOPS_PER_S / 2
"""FLOP/s of B200 in BF16, half of the FP8 peak behind the paper's ridge (data sheet, dense)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a closed form is worked out.

    Parameters
    ----------
    ridge_flops_per_byte, peak_flops_per_s : of the GPU.
    parameters : whose parameter counts.
    combine : how FLOPs and bytes combine.
    """

    ridge_flops_per_byte: float
    peak_flops_per_s: float
    parameters: Parameters
    combine: Combine


FORMS: Final[Mapping[str, Terms]] = {
    "paper": Terms(PAPER_RIDGE, PAPER_PEAK_FLOPS_PER_S, "paper", "additive"),
    "BF16 ridge": Terms(BF16_RIDGE, BF16_PEAK_FLOPS_PER_S, "exact", "additive"),
    "larger of both": Terms(BF16_RIDGE, BF16_PEAK_FLOPS_PER_S, "exact", "max"),
}
"""Conditions that are closed forms, weights amortised."""

SIMULATED: Final = {
    "roofline_unlimited": "any memory",
    "roofline": "KV bounded",
    "measured": "measured",
    "measured_64": "64 per GPU",
    "measured_8": "8 per GPU",
    "measured_1": "1 per GPU",
}
"""Conditions by the variant of the scenario that they run."""

CONDITIONS: Final = (*FORMS, *SIMULATED.values())
LAYOUTS: Final = {"qwen3-14b": (1, 2), "qwen3-32b": (1, 2, 4)}
"""GPUs per replica that are tried where the KV cache binds; others have one, which is faster for them."""

DRAWS: Final = 500
"""Draws of errors of the curves."""

PIVOT: Final = "qwen3-4b"
"""The model below 14B that is the best for a stretch on all terms: up to which length is the question."""

BOUND_BY_KV: Final = ("roofline", "measured")
Accuracy = Literal["fit", "points"]
SOURCES: Final[tuple[Accuracy, Accuracy]] = ("fit", "points")


def run(budget: Budget) -> pd.DataFrame:
    """Return GPU seconds per question by condition, model, output length and GPUs per replica.

    Nothing is drawn at random: lengths are constant and prompts those of the benchmark, so one run says all.
    """
    lengths = {model: lengths_of(model, 3 if budget.quick else 6) for model in MODELS}
    points = [
        Point({"condition": SIMULATED[name], "model": model, "tokens": tokens, "gpus": gpus}, scenario)
        for model in MODELS
        for tokens in lengths[model]
        for name, gpus, scenario in _scenarios(model, tokens, quick=budget.quick)
    ]
    measures = {"per_s": "throughput.tasks_per_s", "batch": "load.batch_sequences.mean"}
    frame = run_points(points, measures, budget.of_one_seed)
    frame.insert(5, "gpu_s", frame["gpus"] / frame.pop("per_s"))
    return pd.concat([closed_forms(lengths), frame], ignore_index=True)[list(frame.columns)]


def closed_forms(lengths: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """Return the rows of the closed forms for the output lengths of each model."""
    rows = [
        {"condition": form, "model": model, "tokens": tokens, "gpus": 1, "seed": 0, "infeasible": ""}
        | {"gpu_s": closed_gpu_s(model, tokens, terms)}
        for form, terms in FORMS.items()
        for model in lengths
        for tokens in lengths[model]
    ]
    return pd.DataFrame(rows)


def closed_gpu_s(model: str, tokens: int, terms: Terms) -> float:
    """Return the closed form of a question's cost, s of one GPU; weights amortised."""
    dense = cost(
        _model(model, terms.parameters),
        DenseAttention(),
        trials=1,
        prompt_tokens=PROMPT_TOKENS,
        output_tokens=tokens,
        ridge_flops_per_byte=terms.ridge_flops_per_byte,
        combine=terms.combine,
    )
    return dense.eflops / terms.peak_flops_per_s


def lengths_of(model: str, count: int) -> list[int]:
    """Return output lengths at equal ratios over the range in which the model's accuracy is known."""
    fits = published().length_fits
    return [round(x) for x in np.geomspace(fits.shortest_tokens, fits.models[model].longest_tokens, count)]


def _scenarios(model: str, tokens: int, *, quick: bool) -> list[tuple[str, int, Scenario]]:
    """Return (variant, GPUs per replica, scenario) for one model and output length."""
    found = []
    for gpus in (1,) if quick else LAYOUTS.get(model, (1,)):
        repeats = (2 if quick else 17) * gpus
        changed: dict[str, object] = {
            "model.preset": model,
            "workload.lengths.tokens": tokens,
            "workload.max_tokens": tokens,
            "workload.tasks.repeats": repeats,
            "workload.arrivals.concurrency": 30 * repeats,
            "parallelism.tp": gpus,
        }
        variants = load_scenario(SCENARIO, overrides=changed).variants
        wanted = SIMULATED if gpus == 1 else BOUND_BY_KV
        found += [(name, gpus, variants[name]) for name in wanted]
    return found


def offers_of(frame: pd.DataFrame, condition: str, source: Accuracy = "fit") -> dict[str, Offer]:
    """Return what each model offers under a condition, in its best layout at each length.

    Parameters
    ----------
    frame : of `run`.
    condition : one of `CONDITIONS`.
    source : accuracy from the logistic fits or from the published points, both of oracle curves.
    """
    rows = frame[frame["condition"] == condition]
    costs = rows.groupby(["model", "tokens"])["gpu_s"].min()
    return {
        model: offer(list(costs[model].index), list(costs[model]), accuracy_of(model, source))
        for model in MODELS
    }


def accuracy_of(model: str, source: Accuracy) -> Callable[[float], float]:
    """Return accuracy by output length: the fit, or the published curve at what the paper lets it cost."""
    if source == "fit":
        return partial(accuracy_at_length, model)
    tokens, accuracy = _published_points(model)
    return lambda length: float(np.interp(np.log(length), np.log(tokens), accuracy))


@cache
def _published_points(model: str) -> tuple[list[float], list[float]]:
    """Return the output lengths of the points of the paper's curve, and the best accuracy up to each."""
    curve = long_cot_curves()["dense"][model]
    return [length_at(model, b200_s) for b200_s in curve.x], list(accumulate(curve.accuracy, max))


@cache
def curve_error(model: str) -> float:
    """Return the root mean square distance of the published points from their fit, where the fit holds."""
    fits = published().length_fits
    longest = fits.models[model].longest_tokens
    inside = [
        (tokens, accuracy)
        for tokens, accuracy in zip(*_published_points(model), strict=True)
        if fits.shortest_tokens <= tokens <= longest
    ]
    return sqrt(fmean((accuracy_at_length(model, tokens) - accuracy) ** 2 for tokens, accuracy in inside))


@cache
def _model(name: str, whose: Parameters) -> KineticsModel:
    return kinetics_model(name, parameters=whose)


def useful(frame: pd.DataFrame, source: Accuracy = "fit", draws: int = 0) -> pd.DataFrame:
    """Return the longest useful output by condition, draw and model, tokens.

    Parameters
    ----------
    frame : of `run`.
    source : of accuracies.
    draws : 0 takes accuracies as they are; else that many times all of a model's are off by one error, normal
        with the deviation `curve_error`.
    """
    errors = None
    if draws:
        deviations = [curve_error(model) for model in MODELS]
        errors = Streams(0).generator("curve error").normal(0.0, deviations, (draws, len(MODELS)))
    found = {
        condition: pd.DataFrame(
            longest_useful(offers_of(frame, condition, source), errors), columns=list(MODELS)
        )
        for condition in CONDITIONS
        if condition in set(frame["condition"])
    }
    return pd.concat(found, names=["condition", "draw"])


def thresholds(longest: pd.DataFrame, cut_tokens: int = LONG_TOKENS) -> pd.Series[str]:
    """Return the smallest model with a long useful output for each row of `useful`; a dash for none."""
    is_long = longest > cut_tokens
    sizes = is_long.idxmax(axis=1).map(short)
    return sizes.where(is_long.any(axis=1), "-")


def by_cut(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the threshold by what is called long.

    Returns
    -------
    pandas.DataFrame
        By ``condition`` and ``cut``, tokens: ``model``, by the fits, and ``share_ratio``, the share of draws
        in which it is that one.
    """
    fit, drawn = useful(frame).droplevel("draw"), useful(frame, draws=DRAWS)
    found = {}
    for cut in CUTS:
        model = thresholds(fit, cut)
        of_draws = thresholds(drawn, cut)
        share = [float((of_draws.loc[[str(at)]] == one).mean()) for at, one in model.items()]
        found[cut] = pd.DataFrame({"model": model, "share_ratio": share})
    return pd.concat(found, names=["cut"]).swaplevel()


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the best model by cost, and the longest useful output by model."""
    return [_best(frame), _longest(frame), _curves(frame)]


_COST: Final = Axis("cost cap per question, GPU seconds of a B200", log=True)


def _caption(more: str = "") -> str:
    return (
        "AIME24, Long-CoT, dense attention, one output length for all questions; accuracy from logistic fits "
        "of the paper's curves (oracle lengths, root mean square errors up to 0.027). Offers begin at "
        f"{published().length_fits.shortest_tokens:,.0f} tokens, from where on accuracy is known: for less "
        f"than these cost, a model is not offered.{more}"
    )


def _best(frame: pd.DataFrame) -> Chart:
    """Return which model is best at which cost, a row per condition."""
    spans = [
        Series(short(one.model), [one.first_gpu_s, one.last_gpu_s], [condition] * 2, place, "span", width=18)
        for condition in CONDITIONS
        for one in stretches(offers_of(frame, condition))
        for place in [place_of(one.model)]
    ]
    spans.sort(key=lambda span: span.place)
    rows = Axis(categories=tuple(reversed(CONDITIONS)))
    caption = _caption(" From the top: three closed forms, then simulated.")
    panel = Panel(tuple(spans), _COST, rows)
    return Chart("threshold", "Which model is best at which cost", caption, (panel,), height=440)


def _longest(frame: pd.DataFrame) -> Chart:
    """Return up to which output 4B pays, a row per condition, with what the curves leave open."""
    reach, colour = reach_of(frame, PIVOT), place_of(PIVOT)
    spans = [
        Series(
            "95 % interval", [row["low"], row["high"]], [str(at)] * 2, colour, "span", width=12.0, opacity=0.4
        )
        for at, row in reach.to_dict("index").items()
    ]
    rows = Axis(categories=tuple(reversed(CONDITIONS)))
    long = Series(f"{LONG_TOKENS:,} tokens", [LONG_TOKENS] * 2, [CONDITIONS[0], CONDITIONS[-1]], 6, "line")
    points = Series("by the published points", list(reach["points"]), list(reach.index), 7, "dots")
    fits = Series("by the fits", list(reach["fit"]), list(reach.index), colour, "dots")
    tokens = Axis(f"longest useful output of {short(PIVOT)}, tokens", from_zero=True)
    caption = _caption(
        " Beyond, a larger model is better for the same cost. The interval is that of the fits, each "
        "as a whole off by its error."
    )
    panel = Panel((*spans, long, points, fits), tokens, rows)
    return Chart("threshold-length", f"How long a chain of thought of {short(PIVOT)} pays", caption, (panel,))


def reach_of(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the longest useful output of a model by condition, tokens.

    Returns
    -------
    pandas.DataFrame
        By condition: ``fit``, ``points``, and ``low`` and ``high``, the 95 % interval of the fit.
    """
    drawn = useful(frame, draws=DRAWS)[model].groupby("condition", sort=False)
    tail = (1.0 - CONFIDENCE) / 2.0
    columns = {
        "fit": useful(frame)[model].droplevel("draw"),
        "points": useful(frame, "points")[model].droplevel("draw"),
        "low": drawn.quantile(tail),
        "high": drawn.quantile(1.0 - tail),
    }
    return pd.DataFrame(columns)


def _curves(frame: pd.DataFrame) -> Chart:
    """Return accuracy by cost on the paper's terms and with small batches."""
    panels = []
    for condition in ("paper", "8 per GPU"):
        lines = [
            Series(short(model), list(one.gpu_s), list(one.accuracy), place_of(model), "line")
            for model, one in offers_of(frame, condition).items()
        ]
        panels.append(Panel(tuple(lines), _COST, Axis("accuracy (pass@1)", from_zero=True), condition))
    return Chart("threshold-accuracy", "Accuracy by cost", _caption(), tuple(panels))


def answer(frame: pd.DataFrame) -> str:
    """Return the threshold under each condition and how sure it is."""
    reach = reach_of(frame, PIVOT).to_dict("index")
    fit, points = (thresholds(useful(frame, source)).droplevel("draw") for source in SOURCES)
    drawn = thresholds(useful(frame, draws=DRAWS))
    batches, cuts = frame.groupby("condition")["batch"].mean(), by_cut(frame)
    told = []
    for condition in fit.index:
        found, row = fit[condition], reach[condition]
        shares = drawn[drawn.index.get_level_values("condition") == condition].value_counts(normalize=True)
        parts = [f"{share:.0%} {model}" for model, share in shares.items()]
        parts.append(f"{short(PIVOT)} up to {row['fit']:,.0f}, {row['low']:,.0f} to {row['high']:,.0f}")
        if not pd.isna(batches[condition]):
            parts.append(f"batch {batches[condition]:,.0f}")
        if points[condition] != found:
            parts.append(f"by the published points {points[condition]}")
        cut = [f"{row['model']} {row['share_ratio']:.0%}" for _, row in cuts.loc[condition].iterrows()]
        parts.append(f"by cut {', '.join(cut)}")
        told.append(f"{condition}: {found} ({'; '.join(parts)})")
    return (
        f"Smallest model for which more than {LONG_TOKENS:,} tokens pay; how often, if each curve is off as "
        f"a whole by the error of its fit; and up to which output {short(PIVOT)} pays, with 95 % intervals "
        f"of the same. By cut: the model and how often where {', '.join(f'{cut:,}' for cut in CUTS)} tokens "
        "are called long.\n" + "\n".join(f"{one}." for one in told)
    )


STUDY: Final = Study(
    name="threshold",
    question="From which model size on does a longer chain of thought pay?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
