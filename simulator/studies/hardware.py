"""Which improvement of the hardware buys how many solved tasks, with dense and with sparse attention.

FLOPs, HBM bandwidth, HBM capacity and links are doubled one at a time.  Under the calibration kernels keep
the part of the peak that they reach; its all-reduces are measured times, which no doubling of links moves,
so that links are told under the roofline alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import Final

import pandas as pd

from simulator.report.chart import Axis, Chart, Panel
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import series_of
from simulator.studies.points import Point, of_model, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import ratio_over_seeds

SCENARIO: Final = "kinetics/open/hardware"
LAYOUTS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "qwen3-8b": {"parallelism.tp": 1, "parallelism.dp": 8},
        "qwen3-32b": {"parallelism.tp": 4, "parallelism.dp": 2},
    }
)
LATENCIES: Final[Mapping[str, object]] = MappingProxyType(
    {"roofline": {"kind": "roofline"}, "calibrated": {"kind": "calibrated"}}
)
IMPROVEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {"flops": "FLOPs", "bandwidth": "HBM bandwidth", "memory": "HBM capacity", "links": "links"}
)
SOLVED: Final = {"solved_per_s": "throughput.solved_tasks_per_s"}
BY: Final = ["model", "latency", "attention", "doubled"]


def run(budget: Budget) -> pd.DataFrame:
    """Return solved tasks per second by model, latency, attention and what is doubled (empty: nothing)."""
    shorter = {"workload.tasks.repeats": 2, "workload.arrivals.concurrency": 30} if budget.quick else {}
    most = 1 if budget.quick else None
    points: list[Point] = []
    for (model, layout), (latency, kind) in list(product(LAYOUTS.items(), LATENCIES.items()))[:most]:
        changes = {**of_model(model), **layout, **shorter, "engine.latency": kind}
        found = variants_of(load_scenario(SCENARIO, overrides=changes), model=model, latency=latency)
        points += (
            p for p in found if latency == "roofline" or not str(p.labels["variant"]).endswith("links")
        )
    frame = run_points(points, SOLVED, seeds=budget.seeds, workers=budget.workers, progress=budget.progress)
    parts = frame["variant"].str.extract(r"^(dense|block_topk)(?:_2x_(.*))?$").fillna("")
    frame.insert(2, "attention", parts[0])
    frame.insert(3, "doubled", parts[1])
    return frame.drop(columns="variant")


def gains(frame: pd.DataFrame) -> pd.DataFrame:
    """Return solved tasks per second of each improved node over those of the node as it is, by `BY`."""
    ratios = ratio_over_seeds(frame, BY, "solved_per_s", to={"doubled": ""})
    return ratios[ratios["doubled"] != ""].assign(doubled=lambda rows: rows["doubled"].map(IMPROVEMENTS))


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the gain of each doubling, a panel per model and latency."""
    found = gains(frame)
    doubled = Axis(categories=tuple(IMPROVEMENTS.values()))
    y_axis = Axis("solved tasks/s over the node as it is", from_zero=True)
    panels = []
    for model, latency in dict.fromkeys(zip(found["model"], found["latency"], strict=True)):
        rows = found[(found["model"] == model) & (found["latency"] == latency)]
        bars = tuple(
            series_of(rows[rows["attention"] == kind], "doubled", name, place, "bars")
            for place, (kind, name) in enumerate((("dense", "dense"), ("block_topk", "block top-k")))
        )
        panels.append(Panel(bars, doubled, y_axis, f"{model}, {latency}", levels=(("", 1.0),)))
    return [
        Chart(
            "hardware",
            "What doubling a part of the hardware buys",
            "AIME24-like tasks, best of 8, eight B200 (8B at TP1, 32B at TP4), 120 tasks in progress. Block "
            "top-k of 1,024 tokens in blocks of 16. Means over seeds with 95 % intervals, paired.",
            tuple(panels),
        )
    ]


def answer(frame: pd.DataFrame) -> str:
    """Return the best doubling of each model, latency and attention, with its interval."""
    sentences = []
    for labels, rows in gains(frame).groupby(BY[:3], sort=False):
        model, latency, attention = (str(label) for label in labels)
        ordered = rows.sort_values("estimate", ascending=False)
        texts = [
            f"{row['doubled']} {row['estimate']:.2f}{_bounds(row['low'], row['high'])}"
            for _, row in ordered.iterrows()
        ]
        sentences.append(f"{model}, {latency}, {attention}: twice the {', '.join(texts)}.")
    return " ".join(sentences)


def _bounds(low: float, high: float) -> str:
    return "" if pd.isna(low) else f" ({low:.2f} to {high:.2f})"


STUDY: Final = Study(
    name="hardware",
    question="Which improvement of the hardware buys how many solved tasks?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
