"""Block top-k throughput by the paper's per-layer protocol, and what its published numbers need.

The authors time one layer of the whole batch on one GPU of an eight-way node and multiply (section 5.2,
Fig. 10).  A roofline of the same layers gives more; so does a calibrated node, until selecting and
gathering blocks takes a constant time per layer beyond what kernel timings of other engines show.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulator.attention.work import FloatVector
from simulator.kinetics.palette import place_of
from simulator.kinetics.throughput import BUDGETS, CELLS
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import short
from simulator.studies.points import Point, of_preset, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.wording import rows_of

FloatMatrix = NDArray[np.float64]

SCENARIO: Final = "kinetics/per-layer-h200"
H200: Final = "h200-sxm"
SCENARIOS: Final = {H200: SCENARIO, "b200-sxm": "kinetics/per-layer-b200"}
LAYERS: Final = {
    "qwen3-0.6b": 28,
    "qwen3-1.7b": 28,
    "qwen3-4b": 36,
    "qwen3-8b": 36,
    "qwen3-14b": 40,
    "qwen3-32b": 64,
}
"""Models and their decoder layers."""
TIMED_STEPS: Final = 256
PARTS: Final = ("qkv", "o", "gate_up", "down", "norms", "attention", "selection")
"""Parts of a step that lie in a layer."""

LABELS: Final = {16_384: (25.86, 19.71, 16.33, 11.98, 9.26), 32_768: (26.22, 23.17, 21.02, 16.83, 13.20)}
"""Labels of Fig. 10 (H200, budget 128) by context, the largest first, one model of each panel lost.  Which
label belongs to which panel is inferred: by size, and by least squares over all splits."""
ARTICLE: Final = {16_384: 23.6, 32_768: 33.3}
"""Speed-ups of Qwen3-0.6B on eight B200 in the press article of June 2025; which belongs to which cell is
assumed."""
_MAY_BE_LOST: Final = range(1, len(LAYERS))
"""Positions of the models whose label may be the lost one: the smallest has the largest."""

ROOFLINE, KERNELS, NODE = "layers, roofline", "layers, calibrated", "node, calibrated"
MORE: Final = "layers, calibrated, {microseconds:.0f} us more in each"


def run(budget: Budget) -> pd.DataFrame:
    """Return the seconds of a decode step by GPU, cell, model, KV budget and way to count; one seed.

    Returns
    -------
    pandas.DataFrame
        Columns ``gpu``, ``context``, ``model``, ``variant``, ``counted`` and ``step_s``; lengths are
        constant, so that all seeds are alike.
    """
    models = list(LAYERS)[:1] if budget.quick else list(LAYERS)
    gpus = list(SCENARIOS)[:1] if budget.quick else list(SCENARIOS)
    points: list[Point] = []
    for gpu, (sequences, context), model in product(gpus, CELLS, models):
        cell = {
            "engine.max_sequences": sequences,
            "workload.tasks.count": sequences,
            "workload.tasks.prompt_tokens": context,
        }
        for counted, latency in ((ROOFLINE, {}), (NODE, {"engine.latency": {"kind": "calibrated"}})):
            scenario = load_scenario(SCENARIOS[gpu], overrides=of_preset(model) | cell | latency)
            points += variants_of(scenario, gpu=gpu, context=context, model=model, counted=counted)
    measures = {"step_s": "latency.tpot_s.mean"} | {part: f"hardware.parts.{part}.seconds" for part in PARTS}
    frame = run_points(points, measures, budget.of_one_seed)
    return _with_kernels(frame)


def _with_kernels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with those of the layers alone of the calibrated node beside them."""
    node = frame[frame["counted"] == NODE]
    linear = node[[part for part in PARTS if part not in {"attention", "selection"}]].fillna(0.0).sum(axis=1)
    attention = node[["attention", "selection"]].fillna(0.0).sum(axis=1)
    # The first token of a sequence comes from its prompt: one more step for all but decode attention.
    kernels = node.assign(counted=KERNELS, step_s=linear / (TIMED_STEPS + 1) + attention / TIMED_STEPS)
    columns = ["gpu", "context", "model", "variant", "counted", "step_s"]
    return pd.concat([frame, kernels])[columns].reset_index(drop=True)


def speed_ups(frame: pd.DataFrame, *, layer_s: float = 0.0) -> pd.DataFrame:
    """Return tokens per second over dense attention, ``speed_up``, of every sparse row.

    Parameters
    ----------
    frame : of `run`.
    layer_s : time that selecting and gathering blocks takes in each layer beyond what was counted, s.
    """
    keys = ["gpu", "context", "model", "counted"]
    dense = frame[frame["variant"] == "dense"].set_index(keys)["step_s"]
    sparse = frame[frame["variant"] != "dense"].copy()
    reference = dense.loc[pd.MultiIndex.from_frame(sparse[keys])].to_numpy()
    added = layer_s * sparse["model"].map(LAYERS).astype(float)
    sparse["budget"] = sparse["variant"].str.rsplit("_", n=1).str[-1].astype(int)
    sparse["speed_up"] = reference / (sparse["step_s"] + added)
    return sparse


def label_errors(frame: pd.DataFrame, counted: str, layer_s: FloatVector) -> FloatVector:
    """Return the root mean square relative error of the ten labels, with the best choice of the lost model.

    Parameters
    ----------
    frame : of `run`, with all models.
    counted : what a step takes: `ROOFLINE`, `KERNELS` or `NODE`.
    layer_s : as in `speed_ups`, s, shape (n,); the result has that shape.
    """
    errors: FloatVector = _errors_by_lost(frame, counted, layer_s).min(axis=0)
    return errors


def _errors_by_lost(frame: pd.DataFrame, counted: str, layer_s: FloatVector) -> FloatMatrix:
    """Return the error of the ten labels by which model is lost, shape (models that may be, n)."""
    found = frame[(frame["gpu"] == "h200-sxm") & (frame["counted"] == counted)]
    dense, sparse = (
        found[found["variant"] == variant].pivot_table(index="context", columns="model", values="step_s")
        for variant in ("dense", "block_topk_128")
    )
    models = list(LAYERS)
    layers = np.array(list(LAYERS.values()))
    logs = np.array(
        [
            np.log(dense.loc[context, models].to_numpy(dtype=float))
            - np.log(sparse.loc[context, models].to_numpy(dtype=float) + np.multiply.outer(layer_s, layers))
            for context in LABELS
        ]
    )
    labels = np.log(np.array(list(LABELS.values())))[:, None, :]
    squares = [np.mean((np.delete(logs, lost, axis=2) - labels) ** 2, axis=(0, 2)) for lost in _MAY_BE_LOST]
    errors: FloatMatrix = np.exp(np.sqrt(np.array(squares))) - 1.0
    return errors


def lost_model(frame: pd.DataFrame, counted: str, layer_s: float) -> str:
    """Return the model whose label is lost, by least squares; all of `frame` has to be there."""
    errors = _errors_by_lost(frame, counted, np.array([layer_s]))[:, 0]
    return list(LAYERS)[_MAY_BE_LOST[int(np.argmin(errors))]]


def label_error(frame: pd.DataFrame, counted: str, layer_s: float) -> float:
    """Return `label_errors` of one time."""
    return float(label_errors(frame, counted, np.array([layer_s]))[0])


def fitted_layer_s(frame: pd.DataFrame, counted: str) -> float:
    """Return the time per layer that explains the ten labels best, s, to a microsecond."""
    microseconds = np.arange(600)
    return float(microseconds[np.argmin(label_errors(frame, counted, microseconds * 1e-6))]) * 1e-6


def needed_layer_s(frame: pd.DataFrame, counted: str) -> dict[int, float]:
    """Return, by context, the time per layer that gives the article's speed-ups of 0.6B on B200, s."""
    found = frame[
        (frame["gpu"] == "b200-sxm") & (frame["model"] == "qwen3-0.6b") & (frame["counted"] == counted)
    ]
    step_s = found.set_index(["context", "variant"])["step_s"]
    return {
        context: (step_s[context, "dense"] / speed_up - step_s[context, "block_topk_128"])
        / LAYERS["qwen3-0.6b"]
        for context, speed_up in ARTICLE.items()
    }


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return speed-ups by KV budget, a chart per GPU and cell, as counted and as published."""
    ways = {ROOFLINE: 0.0, KERNELS: 0.0}
    models = list(LAYERS)
    # The largest label is that of the smallest model, whichever is lost.
    of = models[:1]
    if not set(LAYERS) - set(frame["model"]):
        layer_s = fitted_layer_s(frame, KERNELS)
        of = [model for model in models if model != lost_model(frame, KERNELS, layer_s)]
        ways |= {MORE: layer_s}
    pairs = product([gpu for gpu in SCENARIOS if gpu in set(frame["gpu"])], LABELS)
    return [
        _chart(frame[(frame["gpu"] == gpu) & (frame["context"] == context)], gpu, context, ways, of)
        for gpu, context in pairs
    ]


def _published(gpu: str, context: int, of: Sequence[str]) -> list[Series]:
    """Return what was published for a GPU and cell; `of` names the models of the labels, largest first."""
    labels = LABELS[context] if gpu == H200 else (ARTICLE[context],)
    return [
        Series(f"{short(model)}, published", [128], [label], place_of(model), "crosses")
        for model, label in zip(of, labels, strict=False)
    ]


def _chart(frame: pd.DataFrame, gpu: str, context: int, ways: dict[str, float], of: Sequence[str]) -> Chart:
    """Return the chart of the rows of one GPU and cell."""
    x = Axis("KV budget, tokens", log=True, ticks=BUDGETS)
    y = Axis("tokens/s over dense", log=True, ticks=(2, 5, 10, 20, 50, 100))
    published = _published(gpu, context, of)
    panels = []
    for way, layer_s in ways.items():
        found = speed_ups(frame, layer_s=layer_s)
        counted = KERNELS if way == MORE else way
        lines = [
            Series(short(model), list(same["budget"]), list(same["speed_up"]), place_of(model))
            for model in LAYERS
            for same in [found[(found["counted"] == counted) & (found["model"] == model)]]
            if len(same)
        ]
        panels.append(Panel((*lines, *published), x, y, way.format(microseconds=layer_s * 1e6)))
    maker = gpu.partition("-")[0]
    crosses = (
        "labels of Fig. 10, whose models are inferred: labels fall with size, and one model's are lost."
        if gpu == H200
        else "the press article; which of its numbers belongs to which cell is assumed."
    )
    return Chart(
        f"per-layer-{context}" if gpu == H200 else f"per-layer-{maker}-{context}",
        f"Block top-k over dense at {context:,} tokens by the paper's per-layer protocol, {maker.upper()}",
        "One decode step at full context, eight-way tensor parallel, memory ignored, the layers alone: at "
        "data-sheet peaks, under vLLM's calibration, and with what the labels of Fig. 10 need. Crosses: "
        f"{crosses}",
        tuple(panels),
    )


def answer(frame: pd.DataFrame) -> str:
    """Return how far roofline and kernels lie from the labels, and what makes them meet.

    The labels need all six models; with fewer the speed-ups of those that ran are told instead.
    """
    if set(LAYERS) - set(frame["model"]):
        return _of_some(frame)
    sentences = []
    for counted in (ROOFLINE, KERNELS):
        layer_s = fitted_layer_s(frame, counted)
        article = " and ".join(f"{needed * 1e6:.0f}" for needed in needed_layer_s(frame, counted).values())
        sentences.append(
            f"{counted[0].upper()}{counted[1:]}: the ten labels of Fig. 10 (H200) are off by "
            f"{label_error(frame, counted, 0.0):.0%} (root mean square), by "
            f"{label_error(frame, counted, layer_s):.1%} once sparse attention takes {layer_s * 1e6:.0f} us "
            f"more in each layer; the article's 23.6 and 33.3 times (B200) need {article} us."
        )
    node = speed_ups(frame)
    node = node[(node["counted"] == NODE) & (node["budget"] == min(BUDGETS))]
    for gpu in SCENARIOS:
        found = node[node["gpu"] == gpu]["speed_up"]
        sentences.append(
            f"With all-reduces, output head and host, a node of {gpu.partition('-')[0].upper()} gains "
            f"{found.min():.1f} to {found.max():.1f} times."
        )
    return "\n".join(sentences)


def _of_some(frame: pd.DataFrame) -> str:
    """Return the speed-ups at the smallest budget beside those published labels that are a model's for sure.

    That is the smallest model's: the largest label.
    """
    found = speed_ups(frame)
    found = found[found["budget"] == min(BUDGETS)]
    sentences = []
    for gpu, context, model in product(SCENARIOS, LABELS, LAYERS):
        rows = rows_of(found, {"gpu": gpu, "context": context, "model": model})
        if rows.empty:
            continue
        told = ", ".join(f"{one.counted} {one.speed_up:.3g}" for one in rows.itertuples())
        label = f"; Fig. 10 has {LABELS[context][0]:g}" if (gpu, model) == (H200, next(iter(LAYERS))) else ""
        name = f"{gpu.partition('-')[0].upper()}, {short(model)}, {context:,} tokens"
        sentences.append(f"{name}, budget {min(BUDGETS)}, times dense: {told}{label}.")
    return "\n".join([*sentences, "What all labels need is told of all six models: run it without --quick."])


STUDY: Final = Study(
    name="per-layer",
    question="Which assumptions do the published speed-ups of block top-k need?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
