"""Energy and carbon of a solved task, dense against sparse, and whether they follow eFLOPs.

The paper leaves energy open; its eFLOPs count work with the weights' reads spread over endless batches.  A
GPU draws power while weights are read, kernels are launched and nothing runs, which sparse attention does
not make less.  Power is what was fitted to kernels measured on B200, with idle power and limit of each GPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pandas as pd

from simulator.kinetics.palette import place_of
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.scenario.loader import load_scenario
from simulator.studies.drawing import series_of, short, sized, sizes
from simulator.studies.points import Point, of_model, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds, ratio_over_seeds
from simulator.studies.wording import said_of

SCENARIO: Final = "kinetics/open/energy"
MEASURES: Final = {
    "joules": "energy.joules_per_solved_task",
    "kg_co2e": "energy.kg_co2e_per_solved_task",
    "watts": "energy.mean_watts_per_gpu",
    "solved_per_s": "throughput.solved_tasks_per_s",
    "eflops": "kinetics.decode_eflops_per_task",
    "executed_eflops": "kinetics.executed_eflops_per_task",
    "batch": "load.batch_sequences.mean",
}
MODELS: Final = ("qwen3-0.6b", "qwen3-8b", "qwen3-32b")
GPUS: Final = {"B200": "b200-sxm-8", "H100": "h100-sxm-8"}
BUDGETS: Final = {128: 128, 512: 32, 1_024: 16, 2_048: 8}
"""Block size by KV budget, tokens: the paper's pairing."""

MAIN: Final = "block top-k 1024"
LOADS: Final = (1, 4, 16)
"""Tasks in progress, of eight trials each."""

KEYS: Final = ["gpu", "model", "attention", "in_progress"]


def run(budget: Budget) -> pd.DataFrame:
    """Return energy, carbon, power and eFLOPs by GPU, model, attention and tasks in progress.

    ``idle_share`` is idle power over mean power.
    """
    points = list(_points(budget))
    frame = run_points(points, MEASURES, budget)
    frame["idle_share"] = frame.pop("idle_watts") / frame["watts"]
    return frame


def _points(budget: Budget) -> Iterator[Point]:
    for gpu, node in GPUS.items():
        for model in MODELS[1:2] if budget.quick else MODELS:
            for load in LOADS[1:] if budget.quick else LOADS:
                yield from _attentions(gpu, node, model, load, budget)


def _attentions(gpu: str, node: str, model: str, load: int, budget: Budget) -> Iterator[Point]:
    """Yield dense and sparse at one load, with every budget at the largest."""
    changes = of_model(model) | {
        "variants": None,
        "hardware": node,
        # 65 GB of weights leave an H100 next to no room.
        "parallelism.tp": 2 if (gpu, model) == ("H100", "qwen3-32b") else 1,
        "workload.arrivals.concurrency": load,
        "workload.tasks.repeats": 2 if budget.quick else 4,
    }
    for attention, kind in _kinds().items():
        if attention not in {"dense", MAIN} and load != LOADS[-1]:
            continue
        scenario = load_scenario(SCENARIO, overrides=changes | {"model.attention": kind})
        idle_watts = scenario.hardware.gpu.idle_watts.value
        labels = (gpu, model, attention, load, idle_watts)
        yield Point(dict(zip([*KEYS, "idle_watts"], labels, strict=True)), scenario)


def _kinds() -> dict[str, object]:
    sparse = {
        f"block top-k {tokens}": {"kind": "block_topk", "kv_budget_tokens": tokens, "block_tokens": block}
        for tokens, block in BUDGETS.items()
    }
    return {"dense": "dense", **sparse}


def dense_over(frame: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return a measure of dense attention over that of block top-k 1024, by GPU, model and load."""
    ratios = ratio_over_seeds(frame, KEYS, measure, to={"attention": MAIN})
    return ratios[ratios["attention"] == "dense"]


def savings(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return by how much block top-k 1024 takes less per task than dense: eFLOPs, time and energy."""
    timed = frame.assign(seconds=1.0 / frame["solved_per_s"])
    return {
        "eFLOPs, decode": dense_over(timed, "eflops"),
        "eFLOPs, executed": dense_over(timed, "executed_eflops"),
        "GPU time": dense_over(timed, "seconds"),
        "energy": dense_over(timed, "joules"),
    }


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return energy by load, energy by budget, and what is saved of eFLOPs, time and energy."""
    caption = (
        "AIME24-like tasks, best of 8, vLLM step times, one GPU (Qwen3-32B on two H100); energy of GPUs. "
        "Means over seeds with 95 % intervals."
    )
    most = frame[frame["in_progress"] == max(frame["in_progress"])]
    axis = Axis("tasks in progress", log=True, ticks=tuple(map(float, dict.fromkeys(frame["in_progress"]))))
    kilojoules = Axis("energy per solved task, kJ", log=True)
    by_load = tuple(
        Panel(tuple(_by_load(frame, model)), axis, kilojoules, short(model))
        for model in dict.fromkeys(frame["model"])
    )
    return [
        Chart("energy", "Energy of a solved task by load", caption, by_load),
        _by_budget(most, caption),
        _saved(most, caption),
    ]


def _kilojoules(frame: pd.DataFrame) -> pd.DataFrame:
    rows = mean_over_seeds(frame, KEYS, "joules")
    return rows.assign(**{name: rows[name] / 1e3 for name in ("estimate", "low", "high")})


def _by_load(frame: pd.DataFrame, model: str) -> Iterator[Series]:
    rows = _kilojoules(frame[frame["model"] == model])
    pairs = [(gpu, attention) for gpu in dict.fromkeys(rows["gpu"]) for attention in ("dense", MAIN)]
    for place, (gpu, attention) in enumerate(pairs):
        chosen = rows[(rows["gpu"] == gpu) & (rows["attention"] == attention)]
        yield series_of(chosen, "in_progress", f"{gpu}, {attention}", place)


def _by_budget(frame: pd.DataFrame, caption: str) -> Chart:
    rows = _kilojoules(frame)
    rows = rows.assign(budget=rows["attention"].str.removeprefix("block top-k "))
    axis = Axis("KV budget, tokens", categories=tuple(dict.fromkeys(rows["budget"])))
    models = list(dict.fromkeys(rows["model"]))
    panels = []
    for gpu in dict.fromkeys(rows["gpu"]):
        bars = [
            series_of(of_gpu[of_gpu["model"] == model], "budget", short(model), place_of(model), "bars")
            for of_gpu in [rows[rows["gpu"] == gpu]]
            for model in models
        ]
        panels.append(Panel(tuple(bars), axis, Axis("energy per solved task, kJ", from_zero=True), gpu))
    return Chart("energy_budget", "Energy of a solved task by KV budget", caption, tuple(panels))


def _saved(frame: pd.DataFrame, caption: str) -> Chart:
    found = savings(frame)
    panels = []
    for gpu in dict.fromkeys(frame["gpu"]):
        bars = [
            series_of(sized(rows[rows["gpu"] == gpu]), "size", name, place, "bars")
            for place, (name, rows) in enumerate(found.items())
        ]
        axis = sizes(frame)
        panels.append(Panel(tuple(bars), axis, Axis("dense over block top-k 1,024", from_zero=True), gpu))
    return Chart("energy_saved", "Does energy follow eFLOPs?", caption, tuple(panels))


def answer(frame: pd.DataFrame) -> str:
    """Return energy and carbon of a solved task, what sparse attention saves, and the idle share."""
    loads = (min(frame["in_progress"]), max(frame["in_progress"]))
    saved = savings(frame)
    pairs = frame[["gpu", "model"]].drop_duplicates().itertuples(index=False)
    return "\n".join(_of_pair(frame, saved, str(gpu), str(model), loads) for gpu, model in pairs)


def _of_pair(
    frame: pd.DataFrame, saved: Mapping[str, pd.DataFrame], gpu: str, model: str, loads: tuple[int, int]
) -> str:
    joules, carbon, idle = (
        mean_over_seeds(frame, KEYS, name) for name in ("joules", "kg_co2e", "idle_share")
    )
    at: dict[str, object] = {"gpu": gpu, "model": model, "in_progress": loads[1]}
    light = at | {"in_progress": loads[0]}
    kilojoules, grams, percent = [], [], []
    for attention in ("dense", MAIN):
        point = at | {"attention": attention}
        kilojoules.append(said_of(joules, point, ".1f", scale=1e-3, unit=" kJ"))
        grams.append(said_of(carbon, point, ".2f", scale=1e3, unit=" g CO2e"))
        percent.append(said_of(idle, point, ".0f", scale=100, unit=" %"))
    less = [f"{name} {said_of(rows, at)}" for name, rows in saved.items()]
    alone = said_of(joules, light | {"attention": MAIN}, ".1f", scale=1e-3, unit=" kJ")
    return (
        f"{gpu}, {short(model)}, {loads[1]} tasks in progress: dense {kilojoules[0]} and {grams[0]} per "
        f"solved task, block top-k 1024 {kilojoules[1]} and {grams[1]}; dense takes more by "
        f"{', '.join(less)}. Idle power is {percent[0]} and {percent[1]} of the draw. With {loads[0]} in "
        f"progress block top-k takes {alone} and saves {said_of(saved['energy'], light)} times the energy."
    )


STUDY: Final = Study(
    name="energy",
    question="What energy and carbon does a solved task take, and do they follow eFLOPs?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
