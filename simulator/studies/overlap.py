"""Whether compute and memory traffic of a step add up, overlap per operation, or overlap in all.

The paper adds them (its appendix takes the larger); a GPU does something between.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from simulator.kinetics.palette import ORDER
from simulator.report.chart import Axis, Chart, Panel
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import series_of, short, sized, sizes
from simulator.studies.points import of_model, run_points, variants_of
from simulator.studies.study import Budget, Study
from simulator.studies.tables import ratio_over_seeds
from simulator.studies.wording import said

SCENARIO: Final = "kinetics/open/overlap"
MODELS: Final = ORDER
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


def against_larger(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the other ways give over the larger of each operation, paired by seed.

    Returns
    -------
    pandas.DataFrame
        As of `ratio_over_seeds` by ``model``, ``of`` and ``combined``: solved tasks per second of ``dense``
        and ``block_topk`` attention, and the ``gain`` of the latter.
    """
    wide = frame.pivot_table(
        index=["model", "combined", "seed"], columns="attention", values="solved_per_s", sort=False
    )
    wide["gain"] = wide["block_topk"] / wide["dense"]
    long = wide.reset_index().melt(["model", "combined", "seed"], var_name="of", value_name="found")
    ratios = ratio_over_seeds(long, ["model", "of", "combined"], "found", to={"combined": COMBINED[""]})
    return ratios[ratios["combined"] != COMBINED[""]]


def answer(frame: pd.DataFrame) -> str:
    """Return how far the three ways lie apart: of each figure the model for which it moves least and most."""
    ratios = against_larger(frame)
    names = {"dense": "dense", "block_topk": "block top-k", "gain": "the gain of block top-k over dense"}
    lines = []
    for combined in dict.fromkeys(ratios["combined"]):
        parts = []
        for of, name in names.items():
            rows = ratios[(ratios["combined"] == combined) & (ratios["of"] == of)].sort_values("estimate")
            ends = [f"{said(row)} for {short(row['model'])}" for _, row in rows.iloc[[0, -1]].iterrows()]
            parts.append(f"{name} {ends[0] if len(rows) == 1 else ' to '.join(ends)}")
        lines.append(f"{combined}, solved tasks/s over the larger of each operation: {'; '.join(parts)}.")
    return "\n".join(lines)


STUDY: Final = Study(
    name="overlap",
    question="Sum, maximum or overlap of compute and memory traffic?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
