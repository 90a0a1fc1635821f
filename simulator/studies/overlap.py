"""Whether compute and memory traffic of a step add up, overlap per operation, or overlap in all.

The paper adds them (its appendix takes the larger); a GPU does something between.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from simulator.report.chart import Axis, Chart, Panel
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import series_of, sized, sizes
from simulator.studies.points import of_model, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import ratio_over_seeds

SCENARIO: Final = "kinetics/open/overlap"
MODELS: Final = ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b")
SOLVED: Final = {"solved_per_s": "throughput.solved_tasks_per_s"}
COMBINED: Final = {"": "larger of each operation", "_additive": "sum", "_overlapped": "larger of all"}


def run(budget: Budget) -> pd.DataFrame:
    """Return solved tasks per second by model, attention and way to combine."""
    models = MODELS[3:4] if budget.quick else MODELS
    shorter = {"workload.tasks.repeats": 2, "workload.arrivals.concurrency": 20} if budget.quick else {}
    points = [
        point
        for model in models
        for point in variants_of(load_scenario(SCENARIO, overrides=of_model(model) | shorter), model=model)
    ]
    frame = run_points(points, SOLVED, budget)
    parts = frame["variant"].str.extract(r"^(dense|block_topk)(.*)$")
    frame.insert(1, "attention", parts[0])
    frame.insert(2, "combined", parts[1].map(COMBINED))
    return frame.drop(columns="variant")


def sparse_gain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return solved tasks per second of block top-k over dense, by model and way to combine."""
    by = ["model", "attention", "combined"]
    ratios = ratio_over_seeds(frame, by, "solved_per_s", to={"attention": "dense"})
    return ratios[ratios["attention"] == "block_topk"]


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the gain of sparse attention by model, one bar per way to combine."""
    gain = sized(sparse_gain(frame))
    bars = []
    for place, combined in enumerate(COMBINED.values()):
        rows = gain[gain["combined"] == combined]
        bars.append(series_of(rows, "size", combined, place, "bars"))
    y_axis = Axis("solved tasks/s, block top-k over dense", from_zero=True)
    return [
        Chart(
            "overlap",
            "Sum, maximum or overlap of compute and memory time",
            "AIME24-like tasks, best of 8, eight B200 at TP1, 120 tasks in progress, roofline. Block top-k "
            "of 1,024 tokens in blocks of 16. Means over seeds with 95 % intervals, paired.",
            (Panel(tuple(bars), sizes(frame), y_axis),),
        )
    ]


def answer(frame: pd.DataFrame) -> str:
    """Return how far the three ways lie apart."""
    gain = sparse_gain(frame)
    dense = frame[frame["attention"] == "dense"]
    speed = ratio_over_seeds(dense, ["model", "combined"], "solved_per_s", to={"combined": COMBINED[""]})
    spread = gain.groupby("model", sort=False)["estimate"].agg(lambda found: max(found) / min(found))
    least, most = speed["estimate"].min(), speed["estimate"].max()
    return (
        f"Dense solves {least:.2f} to {most:.2f} times as many tasks per second as with the larger of each "
        f"operation; the gain of block top-k moves by a factor of {spread.min():.2f} to {spread.max():.2f}."
    )


STUDY: Final = Study(
    name="overlap",
    question="Sum, maximum or overlap of compute and memory traffic?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
