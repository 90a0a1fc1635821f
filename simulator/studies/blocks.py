"""What choosing blocks costs by their size, beside the paper's pairing block x budget = 16,384.

Each step scores one mean key per block of the context (the paper's Eq. 9) and reads the blocks chosen
(Eq. 8).  Larger blocks cost less to score and the same to read, so a simulator of time alone always likes
them better; what coarser blocks cost in accuracy is not modelled.  Calibrated times take scan, gather and
launch of a module measured with blocks of 128 tokens; other sizes scan in proportion to their mean keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from simulator.kinetics.palette import place_of
from simulator.metrics.intervals import t_interval
from simulator.report.chart import Axis, Chart, Panel
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import series_of, short
from simulator.studies.points import Point, of_model, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import CONFIDENCE, mean_over_seeds, ratio_over_seeds
from simulator.studies.wording import row_of, rows_of, said, said_of

SCENARIO: Final = "kinetics/open/blocks"
MEASURES: Final = {
    "solved_per_s": "throughput.solved_tasks_per_s",
    "selection_share": "hardware.parts.selection.share_ratio",
    "attention_share": "hardware.parts.attention.share_ratio",
    "kv_tokens": "load.kv_tokens_mean",
    "batch": "load.batch_sequences.mean",
}
PAIRING: Final = 16_384
"""Block x budget, tokens squared, in the paper's accuracy runs: (128, 128), (256, 64), ... (2,048, 8)."""

BUDGETS: Final = (256, 1_024)
BLOCKS: Final = (8, 16, 32, 64, 128, 256)
MODELS: Final = {"qwen3-0.6b": 12, "qwen3-8b": 12, "qwen3-32b": 6}
"""Tasks in progress on the GPU by model: the KV of their trials fits."""

LATENCIES: Final = ("roofline", "calibrated")
TOLD: Final = {"roofline": "roofline", "calibrated": "vLLM"}
KEYS: Final = ["latency", "model", "kv_budget", "block"]
NEAR: Final = 0.98
"""A block size counts as good as the fastest from this part of its solved tasks per second on."""


def run(budget: Budget) -> pd.DataFrame:
    """Return throughput and shares of the step time by latency, model, budget and block size."""
    points = list(_points(budget))
    return run_points(points, MEASURES, budget)


def _points(budget: Budget) -> Iterator[Point]:
    models = {"qwen3-8b": 6} if budget.quick else MODELS
    for latency in LATENCIES:
        for model, tasks in models.items():
            for tokens in BUDGETS:
                for block in BLOCKS[1::2] if budget.quick else BLOCKS:
                    changes = of_model(model) | {
                        "variants": None,
                        "engine.latency": latency,
                        "model.attention": {
                            "kind": "block_topk",
                            "kv_budget_tokens": tokens,
                            "block_tokens": block,
                        },
                        "workload.arrivals.concurrency": tasks,
                        "workload.tasks.repeats": 1 if budget.quick else 4,
                    }
                    labels = dict(zip(KEYS, (latency, model, tokens, block), strict=True))
                    yield Point(labels, load_scenario(SCENARIO, overrides=changes))


def balanced_block(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the block size at which scoring takes as long as reading, by latency, model and budget.

    Their ratio is taken as a power of the block size between the two sizes around the crossing, or between
    the two nearest where it lies beyond all sizes.  Over the seeds as in `mean_over_seeds`.
    """
    frame = frame.assign(ratio=frame["selection_share"] / frame["attention_share"])
    rows = []
    for labels, group in frame.groupby(KEYS[:-1], sort=False):
        found = [_crossing(seed["block"], seed["ratio"]) for _, seed in group.groupby("seed")]
        interval = t_interval(found, CONFIDENCE)
        bounds = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
        rows.append(dict(zip(KEYS[:-1], labels, strict=True)) | bounds)
    return pd.DataFrame(rows).astype(dict.fromkeys(("estimate", "low", "high"), float))


def _crossing(blocks: pd.Series[int], ratios: pd.Series[float]) -> float:
    x, y = np.log(blocks.to_numpy(dtype=float)), np.log(ratios.to_numpy(dtype=float))
    right = int(np.clip(np.searchsorted(-y, 0.0), 1, len(y) - 1))
    slope = (y[right] - y[right - 1]) / (x[right] - x[right - 1])
    return float(np.exp(x[right] - y[right] / slope))


def over_pairing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return solved tasks per second over those with the paper's block size of the same budget."""
    parts = [
        ratio_over_seeds(
            frame[frame["kv_budget"] == tokens], KEYS, "solved_per_s", to={"block": PAIRING // tokens}
        )
        for tokens in dict.fromkeys(frame["kv_budget"])
    ]
    return pd.concat(parts, ignore_index=True)


def smallest_near_best(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the smallest block that is as good as the fastest (`NEAR`), by the mean over seeds."""
    ratios = over_pairing(frame)
    best = ratios.groupby(KEYS[:-1])["estimate"].transform("max")
    good = ratios[ratios["estimate"] >= NEAR * best]
    return good.sort_values("block").drop_duplicates(KEYS[:-1])


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return the share of selection and the throughput by block size."""
    share = mean_over_seeds(frame, KEYS, "selection_share")
    caption = (
        "AIME24-like tasks, best of 8, Qwen3 on one B200; vLLM step times, roofline dashed. The paper pairs "
        "256 with blocks of 64 and 1,024 with blocks of 16. Means over seeds with 95 % intervals."
    )
    shares, speeds = "share of step time in selection", "solved tasks/s over those of the pairing"
    return [
        _chart("blocks", "What choosing blocks takes", caption, share, shares, from_zero=True),
        _chart("blocks_speed", "Speed by block size", caption, over_pairing(frame), speeds),
    ]


def _chart(
    name: str, title: str, caption: str, rows: pd.DataFrame, y_title: str, *, from_zero: bool = False
) -> Chart:
    models = list(dict.fromkeys(rows["model"]))
    panels = []
    for tokens in dict.fromkeys(rows["kv_budget"]):
        lines = []
        for latency in reversed(LATENCIES):
            for model in models:
                chosen = rows[
                    (rows["kv_budget"] == tokens) & (rows["latency"] == latency) & (rows["model"] == model)
                ]
                legend = f"{short(model)}, {TOLD[latency]}"
                line = series_of(chosen, "block", legend, place_of(model))
                lines.append(replace(line, dashed=latency == "roofline"))
        axis = Axis("block, tokens", log=True, ticks=tuple(map(float, BLOCKS)))
        y_axis = Axis(y_title, from_zero=from_zero)
        panels.append(Panel(tuple(lines), axis, y_axis, f"KV budget {tokens:,} tokens"))
    return Chart(name, title, caption, tuple(panels))


def answer(frame: pd.DataFrame) -> str:
    """Return what selection takes at the paper's pairing, where it balances, what larger blocks bring."""
    share = mean_over_seeds(frame, KEYS, "selection_share")
    balance, speed, near = balanced_block(frame), over_pairing(frame), smallest_near_best(frame)
    lines = []
    for labels in balance[KEYS[:-1]].itertuples(index=False):
        point = dict(zip(KEYS[:-1], labels, strict=True))
        chosen = rows_of(speed, point)
        best = chosen.iloc[int(chosen["estimate"].to_numpy().argmax())]
        paired = PAIRING // int(point["kv_budget"])
        taken = said_of(share, point | {"block": paired}, ".1f", scale=100, unit=" %")
        lines.append(
            f"{TOLD[str(point['latency'])]}, {short(str(point['model']))}, budget {point['kv_budget']:,}: "
            f"selection takes {taken} of the step at the paper's block of {paired}; as long as reading at a "
            f"block of {_balance_said(row_of(balance, point))}; fastest block {best['block']:.0f}, "
            f"{said(best, '.3f')} times the paper's; {row_of(near, point)['block']:.0f} is within "
            f"{1 - NEAR:.0%} of it."
        )
    return "\n".join(lines)


def _balance_said(row: pd.Series[float]) -> str:
    smallest = min(BLOCKS)
    return f"less than {smallest}" if row["estimate"] < smallest else said(row, ".1f")


STUDY: Final = Study(
    name="blocks",
    question="What does choosing blocks cost by block size?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
