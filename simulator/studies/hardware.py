"""Which improvement of the hardware buys how many solved tasks, with dense and with sparse attention.

FLOPs, HBM bandwidth, HBM capacity and links are doubled one at a time.  Under the calibration kernels keep
the part of the peak that they reach; its all-reduces are measured times, which no doubling of links moves,
so that links are told under the roofline, against the roofline.  Eight times as many tasks arrive as are
in progress: with fewer the first ones, all started at once, decide what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import pandas as pd

from simulator.report.chart import Axis, Chart, Panel
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import attention_name, series_of, short
from simulator.studies.points import Point, of_model, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import ratio_over_seeds
from simulator.studies.wording import said

SCENARIO: Final = "kinetics/open/hardware"
MODELS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "qwen3-8b": {
            "parallelism.tp": 1,
            "parallelism.dp": 8,
            "workload.arrivals.concurrency": 160,
            "workload.tasks.repeats": 40,
        },
        "qwen3-32b": {},
    }
)
"""What changes in the scenario for each model: more of the small one fit, so more are in progress."""
IMPROVEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {"flops": "FLOPs", "bandwidth": "HBM bandwidth", "memory": "HBM capacity", "links": "links"}
)
SOLVED: Final = {"solved_per_s": "throughput.solved_tasks_per_s"}
BY: Final = ["model", "latency", "attention", "doubled"]


def run(budget: Budget) -> pd.DataFrame:
    """Return solved tasks per second by model, latency, attention and what is doubled (empty: nothing)."""
    frame = run_points(list(_points(quick=budget.quick)), SOLVED, budget)
    parts = frame["variant"].str.extract(r"^(dense|block_topk)(?:_2x_(.*))?$").fillna("")
    frame.insert(2, "attention", parts[0])
    frame.insert(3, "doubled", parts[1])
    return frame.drop(columns="variant")


def _points(*, quick: bool) -> Iterator[Point]:
    """Yield the doublings under the calibration but for links, and these under the roofline."""
    shorter = {"workload.tasks.repeats": 2, "workload.arrivals.concurrency": 30} if quick else {}
    for model, changes in list(MODELS.items())[: 1 if quick else None]:
        common = {**of_model(model), **changes, **shorter}
        for latency in ("calibrated", "roofline"):
            scenario = load_scenario(SCENARIO, overrides={**common, "engine.latency": {"kind": latency}})
            alone = scenario.parallelism.tp == 1
            for point in variants_of(scenario, model=model, latency=latency):
                links = str(point.labels["variant"]).endswith("links")
                base = "_2x_" not in str(point.labels["variant"])
                if (not links) if latency == "calibrated" else (base or links) and not alone:
                    yield point


def gains(frame: pd.DataFrame) -> pd.DataFrame:
    """Return solved tasks per second of each improved node over those of the node as it is, by `BY`."""
    ratios = ratio_over_seeds(frame, BY, "solved_per_s", to={"doubled": ""})
    return ratios[ratios["doubled"] != ""].assign(doubled=lambda rows: rows["doubled"].map(IMPROVEMENTS))


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the gain of each doubling, a panel per model."""
    found = gains(frame)
    doubled = Axis(categories=tuple(IMPROVEMENTS.values()))
    y_axis = Axis("solved tasks/s over the node as it is", from_zero=True)
    panels = []
    for model in dict.fromkeys(found["model"]):
        rows = found[found["model"] == model]
        bars = tuple(
            series_of(rows[rows["attention"] == kind], "doubled", attention_name(kind), place, "bars")
            for place, kind in enumerate(("dense", "block_topk"))
        )
        panels.append(Panel(bars, doubled, y_axis, short(str(model)), levels=(("", 1.0),)))
    return [
        Chart(
            "hardware",
            "What doubling a part of the hardware buys",
            "AIME24-like tasks, best of 8, eight B200 full of them (8B at TP1, 32B at TP4), vLLM step times; "
            "links, of which TP1 has none: roofline. Block top-k of 1,024 tokens in blocks of 16. Means over "
            "seeds with 95 % intervals, paired.",
            tuple(panels),
        )
    ]


def answer(frame: pd.DataFrame) -> str:
    """Return what each doubling buys by model and attention, with its interval, the best one first."""
    sentences = []
    for labels, rows in gains(frame).groupby(["model", "attention"], sort=False):
        model, attention = (str(label) for label in labels)
        ordered = rows.sort_values("estimate", ascending=False)
        texts = [f"{row['doubled']} {said(row)}" for _, row in ordered.iterrows()]
        sentences.append(f"{short(model)}, {attention_name(attention)}: twice the {', '.join(texts)}.")
    return "\n".join(sentences)


STUDY: Final = Study(
    name="hardware",
    question="Which improvement of the hardware buys how many solved tasks?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
