"""From which model size on a longer chain of thought pays, on the paper's terms and on those of a server.

A model's longest useful output is the longest at which no other model is better for the same cost.  The
threshold is the smallest model for which that is more than 10,000 tokens: the paper says that longer chains
of thought pay for 14B and 32B only.  Costs are closed forms or simulated; accuracy is that of the paper's
curves by output length, one length for all questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from typing import Final, Literal

import numpy as np
import pandas as pd

from simulator.attention import DenseAttention
from simulator.kinetics import BF16_RIDGE, PAPER_RIDGE, cost, kinetics_model
from simulator.kinetics.accuracy import PROMPT_TOKENS, accuracy_at_length, long_cot_curves, published
from simulator.kinetics.cost import Combine
from simulator.kinetics.derived import length_at
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S, KineticsModel, Parameters
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import Scenario
from simulator.studies.frontiers import Offer, Stretch, longest_useful, offer, stretches
from simulator.studies.points import Point, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds

SCENARIO: Final = "kinetics/open/threshold"
MODELS: Final = ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b")
LONG_TOKENS: Final = 10_000
"""Output beyond which a chain of thought is long (Kinetics, arXiv 2506.05333, section 3.1), tokens."""

CURVE_ERROR: Final = 0.026
"""Largest root mean square error of the fits of accuracy by length (simulator/kinetics/accuracy.toml)."""

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

PIVOT: Final = "qwen3-4b"
"""The model below 14B that is the best for a stretch on all terms: up to which length is the question."""

BOUND_BY_KV: Final = ("roofline", "measured")
Accuracy = Literal["fit", "points"]


def run(budget: Budget) -> pd.DataFrame:
    """Return GPU seconds per question by condition, model, output length and GPUs per replica."""
    lengths = {model: lengths_of(model, 3 if budget.quick else 6) for model in MODELS}
    points = [
        Point({"condition": SIMULATED[name], "model": model, "tokens": tokens, "gpus": gpus}, scenario)
        for model in MODELS
        for tokens in lengths[model]
        for name, gpus, scenario in _scenarios(model, tokens, quick=budget.quick)
    ]
    measures = {"per_s": "throughput.tasks_per_s", "batch": "load.batch_sequences.mean"}
    frame = run_points(points, measures, seeds=budget.seeds, workers=budget.workers, progress=budget.progress)
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


def offers_of(frame: pd.DataFrame, condition: str, seed: int | None, source: Accuracy) -> dict[str, Offer]:
    """Return what each model offers under a condition, in its best layout at each length.

    Parameters
    ----------
    frame : of `run`.
    condition : one of `CONDITIONS`.
    seed : which runs; None takes the mean over seeds.
    source : accuracy from the logistic fits or from the published points, both of oracle curves.
    """
    rows = frame[frame["condition"] == condition]
    rows = rows if seed is None else rows[rows["seed"] == seed]
    costs = rows.groupby(["model", "tokens", "gpus"])["gpu_s"].mean().groupby(["model", "tokens"]).min()
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
def _model(name: str, whose: Parameters) -> KineticsModel:
    return kinetics_model(name, parameters=whose)


def useful(frame: pd.DataFrame, source: Accuracy = "fit", lead: float = 0.0) -> pd.DataFrame:
    """Return the longest useful output by condition, model and seed, tokens."""
    rows = []
    for condition in [one for one in CONDITIONS if one in set(frame["condition"])]:
        for seed in frame[frame["condition"] == condition]["seed"].unique():
            found = longest_useful(offers_of(frame, condition, int(seed), source), lead=lead)
            rows += [
                {"condition": condition, "model": model, "seed": int(seed), "tokens": tokens}
                for model, tokens in found.items()
            ]
    return pd.DataFrame(rows)


def thresholds(frame: pd.DataFrame, source: Accuracy = "fit", lead: float = 0.0) -> dict[str, str]:
    """Return the smallest model with a long useful output by condition; a dash where no model has one."""
    means = mean_over_seeds(useful(frame, source, lead), ["condition", "model"], "tokens")
    found = dict.fromkeys(means["condition"], "-")
    for _, row in means[means["estimate"] > LONG_TOKENS].iloc[::-1].iterrows():
        found[str(row["condition"])] = short(str(row["model"]))
    return found


def short(model: str) -> str:
    """Return a model's size as figures write it.

    Examples
    --------
    >>> short("qwen3-0.6b")
    '0.6B'
    """
    return model.removeprefix("qwen3-").upper()


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the best model by cost, and the longest useful output by model."""
    return [_best(frame), _longest(frame), _curves(frame)]


_CAPTION: Final = (
    "AIME24, Long-CoT, dense attention, one output length for all questions; accuracy from logistic fits of "
    "the paper's curves (oracle lengths, root mean square errors up to 0.026). "
)
_COST: Final = Axis("cost cap per question, GPU seconds of a B200", log=True)


def _best(frame: pd.DataFrame) -> Chart:
    """Return which model is best at which cost, a row per condition."""
    spans = [
        Series(short(one.model), [one.first_gpu_s, one.last_gpu_s], [condition] * 2, place, "span", width=18)
        for condition in CONDITIONS
        for one in _stretches(frame, condition)
        for place in [MODELS.index(one.model)]
    ]
    spans.sort(key=lambda span: span.place)
    rows = Axis(categories=tuple(reversed(CONDITIONS)))
    caption = _CAPTION + "From the top: three closed forms, then simulated."
    panel = Panel(tuple(spans), _COST, rows)
    return Chart("threshold", "Which model is best at which cost", caption, (panel,), height=440)


def _stretches(frame: pd.DataFrame, condition: str) -> list[Stretch]:
    return stretches(offers_of(frame, condition, None, "fit"))


def _longest(frame: pd.DataFrame) -> Chart:
    """Return up to which output 4B pays, a row per condition, with what the curves leave open."""
    reach = reach_of(frame, PIVOT)
    name = f"{short(PIVOT)} pays up to"
    spans = [
        Series(
            "if accuracies are off by 0.026", [row["low"], row["high"]], [str(at)] * 2, 5, "span", width=12.0
        )
        for at, row in reach.to_dict("index").items()
    ]
    rows = Axis(categories=tuple(reversed(CONDITIONS)))
    long = Series(f"{LONG_TOKENS:,} tokens", [LONG_TOKENS] * 2, [CONDITIONS[0], CONDITIONS[-1]], 7, "line")
    points = Series("published points", list(reach["points"]), list(reach.index), 1, "dots")
    fits = Series(name, list(reach["fit"]), list(reach.index), 0, "dots")
    tokens = Axis("longest useful output, tokens", from_zero=True)
    caption = (
        _CAPTION
        + f"Beyond, a larger model is better for the same cost. Below {LONG_TOKENS:,}: 14B is the threshold."
    )
    panel = Panel((*spans, long, points, fits), tokens, rows)
    return Chart("threshold-length", f"How long a chain of thought of {short(PIVOT)} pays", caption, (panel,))


def reach_of(frame: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return the longest useful output of a model by condition, tokens.

    Returns
    -------
    pandas.DataFrame
        By condition: ``fit``, ``points``, and ``low`` and ``high``, where the model has to be ahead by
        `CURVE_ERROR` and may be behind by it.
    """
    kinds: dict[str, tuple[Accuracy, float]] = {
        "fit": ("fit", 0.0),
        "points": ("points", 0.0),
        "low": ("fit", CURVE_ERROR),
        "high": ("fit", -CURVE_ERROR),
    }
    columns = {}
    for name, (source, lead) in kinds.items():
        found = useful(frame, source, lead)
        columns[name] = found[found["model"] == model].groupby("condition", sort=False)["tokens"].mean()
    return pd.DataFrame(columns)


def _curves(frame: pd.DataFrame) -> Chart:
    """Return accuracy by cost for the paper's terms and two of a server."""
    panels = []
    for condition in ("paper", "measured", "8 per GPU"):
        lines = [
            Series(short(model), list(one.gpu_s), list(one.accuracy), MODELS.index(model), "line")
            for model, one in offers_of(frame, condition, None, "fit").items()
        ]
        panels.append(Panel(tuple(lines), _COST, Axis("accuracy (pass@1)", from_zero=True), condition))
    return Chart("threshold-accuracy", "Accuracy by cost", _CAPTION, tuple(panels))


def answer(frame: pd.DataFrame) -> str:
    """Return the threshold under each condition and how sure it is."""
    fit, points, reach = thresholds(frame), thresholds(frame, "points"), reach_of(frame, PIVOT)
    batches = frame.groupby("condition")["batch"].mean()
    told = []
    for condition, found in fit.items():
        row = reach.loc[condition]
        parts = [f"{short(PIVOT)} up to {row.fit:,.0f}, {row.low:,.0f} to {row.high:,.0f}"]
        if not pd.isna(batches[condition]):
            parts.append(f"batch {batches[condition]:,.0f}")
        if points[condition] != found:
            parts.append(f"by the published points {points[condition]}")
        told.append(f"{condition}: {found} ({'; '.join(parts)})")
    return (
        f"Smallest model for which more than {LONG_TOKENS:,} tokens pay, and up to which output "
        f"{short(PIVOT)} pays, with the range if accuracies are off by {CURVE_ERROR}. {'. '.join(told)}. "
        f"Simulated costs are known to {cost_error_ratio(frame):.2%} (95 %)."
    )


def cost_error_ratio(frame: pd.DataFrame) -> float:
    """Return the widest half of any 95 % interval of simulated GPU seconds, relative; NaN for one seed."""
    means = mean_over_seeds(frame, ["condition", "model", "tokens", "gpus"], "gpu_s")
    return float(((means["high"] - means["low"]) / (2.0 * means["estimate"])).max())


STUDY: Final = Study(
    name="threshold",
    question="From which model size on does a longer chain of thought pay?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
