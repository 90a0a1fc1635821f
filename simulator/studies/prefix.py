"""What it changes that trials of a task hold their shared prompt once, and read it once per step.

The paper counts the prompt's keys and values once for all trials of a dense task and once per trial for
sparse attention, where each trial chooses its own.  On a server three things differ: the memory held, the
prompts computed, and the bytes that dense decode reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pandas as pd

from simulator.report.chart import Axis, Chart, Panel
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import Scenario
from simulator.studies.drawing import attention_name, series_of
from simulator.studies.points import Point, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds, ratio_over_seeds
from simulator.studies.wording import said_of

SCENARIO: Final = "kinetics/open/prefix"
MEASURES: Final = {
    "solved_per_s": "throughput.solved_tasks_per_s",
    "batch": "load.batch_sequences.mean",
    "kv_share": "load.kv_occupancy_mean_ratio",
    "prompt_tokens_per_s": "throughput.prompt_tokens_per_s",
    "prefill_share": "hardware.parts.prefill_attention.share_ratio",
}
PROMPTS: Final = (200, 8_192, 32_768)
"""Prompt tokens: a question, a few files or documents, many."""

TRIALS: Final = (8, 32)
IN_PROGRESS: Final = 384
"""Trials of the tasks in progress on a GPU: more than memory holds where long prompts are kept per trial."""

ROUNDS: Final = 8
"""Tasks of a run over those in progress."""

OWN: Final = "per trial"
HELD: Final = "held once"
READ: Final = "read once"
VARIANTS: Final = {
    "dense_own": ("dense", OWN),
    "dense_held_once": ("dense", HELD),
    "dense_read_once": ("dense", READ),
    "block_topk_own": ("block_topk", OWN),
    "block_topk_held_once": ("block_topk", HELD),
}
ROUTED_GPUS: Final = 4
ROUTED_PROMPT: Final = 8_192
KEYS: Final = ["gpus", "router", "prompt_tokens", "trials", "attention", "sharing"]


def run(budget: Budget) -> pd.DataFrame:
    """Return throughput and batch by prompt, trials, attention and sharing; and by router on several GPUs."""
    points = list(_points(budget))
    return run_points(points, MEASURES, budget)


def _points(budget: Budget) -> Iterator[Point]:
    for prompt in PROMPTS[1:] if budget.quick else PROMPTS:
        for trials in TRIALS[:1] if budget.quick else TRIALS:
            yield from _variants(budget, prompt, trials)
    for router in ("prefix_affine", "least_loaded"):
        yield from _variants(budget, ROUTED_PROMPT, TRIALS[0], gpus=ROUTED_GPUS, router=router)


def _variants(
    budget: Budget, prompt: int, trials: int, *, gpus: int = 1, router: str = "prefix_affine"
) -> Iterator[Point]:
    tasks = gpus * IN_PROGRESS // trials // (4 if budget.quick else 1)
    scenario = load_scenario(
        SCENARIO,
        overrides={
            "hardware": "b200-sxm-8",
            "parallelism": {"tp": 1, "dp": gpus},
            "engine.router": router,
            "workload.tasks.prompt_tokens": prompt,
            "workload.tasks.count": ROUNDS * tasks,
            "workload.arrivals.concurrency": tasks,
            "workload.strategy.trials": trials,
        },
    )
    for name, variant in _of_interest(scenario, alone=gpus == 1).items():
        labels = (gpus, router, prompt, trials, *VARIANTS[name])
        yield Point(dict(zip(KEYS, labels, strict=True)), variant)


def _of_interest(scenario: Scenario, *, alone: bool) -> Mapping[str, Scenario]:
    """Return the variants; on several GPUs those that share, for the others do not care who is where."""
    return {name: made for name, made in scenario.variants.items() if alone or not name.endswith("own")}


def over_own(frame: pd.DataFrame) -> pd.DataFrame:
    """Return solved tasks per second over those of the same attention with a prompt per trial."""
    ratios = ratio_over_seeds(frame, KEYS, "solved_per_s", to={"sharing": OWN})
    return ratios[ratios["sharing"] != OWN]


def sparse_gain(frame: pd.DataFrame, dense: str) -> pd.DataFrame:
    """Return solved tasks per second of block top-k over dense, by prompt and trials.

    Parameters
    ----------
    frame : the table.
    dense : how dense attention shares; block top-k holds the prompt as often as that.
    """
    sparse = OWN if dense == OWN else HELD
    ratios = ratio_over_seeds(frame, KEYS, "solved_per_s", to={"attention": "dense", "sharing": dense})
    return ratios[(ratios["attention"] == "block_topk") & (ratios["sharing"] == sparse)]


def router_loss(frame: pd.DataFrame) -> pd.DataFrame:
    """Return solved tasks per second where trials go anywhere over those where they stay together."""
    ratios = ratio_over_seeds(frame, KEYS, "solved_per_s", to={"router": "prefix_affine"})
    return ratios[ratios["router"] == "least_loaded"]


def _prompt_names(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(prompt=[f"{tokens:,}" for tokens in rows["prompt_tokens"]])


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return what sharing brings, and what it does to the gain of block top-k."""
    alone = frame[frame["gpus"] == 1]
    shared = over_own(alone)
    brought = {
        f"{attention_name(attention)}, {sharing}": shared[
            (shared["attention"] == attention) & (shared["sharing"] == sharing)
        ]
        for attention, sharing in VARIANTS.values()
        if sharing != OWN
    }
    told = {OWN: "prompt per trial", HELD: "held once", READ: "held once, dense reads it once"}
    gains = {text: sparse_gain(alone, sharing) for sharing, text in told.items()}
    return [
        _chart("prefix", "What sharing the prompt brings", "solved tasks/s over a prompt per trial", brought),
        _chart("prefix_gain", "Sparse over dense", "solved tasks/s, block top-k over dense", gains),
    ]


def _chart(name: str, title: str, y_title: str, by_name: Mapping[str, pd.DataFrame]) -> Chart:
    """Return bars by prompt, a panel for each number of trials."""
    trials = dict.fromkeys(n for rows in by_name.values() for n in rows["trials"])
    panels = []
    for count in trials:
        bars = []
        for place, (text, rows) in enumerate(by_name.items()):
            chosen = _prompt_names(rows[rows["trials"] == count])
            bars.append(series_of(chosen, "prompt", text, place, "bars"))
        names = dict.fromkeys(str(prompt) for one in bars for prompt in one.x)
        axis = Axis("prompt, tokens", categories=tuple(names))
        panels.append(Panel(tuple(bars), axis, Axis(y_title, from_zero=True), f"{count} trials of a task"))
    caption = (
        f"Qwen3-8B, one B200, vLLM step times, {IN_PROGRESS} trials in progress, outputs of about 3,850 "
        "tokens. Block top-k of 1,024 tokens in blocks of 16. Means over seeds with 95 % intervals, paired."
    )
    return Chart(name, title, caption, tuple(panels))


def answer(frame: pd.DataFrame) -> str:
    """Return what holding and reading once bring at each prompt, and what a router takes away."""
    alone = frame[frame["gpus"] == 1]
    lines = [
        _at(alone, int(prompt), int(trials))
        for prompt, trials in alone[["prompt_tokens", "trials"]].drop_duplicates().itertuples(index=False)
    ]
    loss = router_loss(frame)
    parts = [
        f"{attention_name(attention)} {sharing} {said_of(loss, {'attention': attention, 'sharing': sharing})}"
        for attention, sharing in VARIANTS.values()
        if sharing != OWN
    ]
    lines.append(
        f"On {ROUTED_GPUS} GPUs, {ROUTED_PROMPT:,} tokens, {TRIALS[0]} trials, a router that spreads a "
        f"task's trials solves these times the tasks of one that keeps them together: {', '.join(parts)}."
    )
    return "\n".join(lines)


def _at(frame: pd.DataFrame, prompt: int, trials: int) -> str:
    at: dict[str, object] = {"prompt_tokens": prompt, "trials": trials}
    shared, batch = over_own(frame), mean_over_seeds(frame, KEYS, "batch")
    gains = [said_of(sparse_gain(frame, dense), at) for dense in (OWN, HELD, READ)]
    held = [
        said_of(shared, at | {"attention": attention, "sharing": sharing})
        for attention, sharing in (("dense", HELD), ("dense", READ), ("block_topk", HELD))
    ]
    sizes = [
        said_of(batch, at | {"attention": "dense", "sharing": sharing}, ".0f") for sharing in (OWN, HELD)
    ]
    return (
        f"{prompt:,} tokens, {trials} trials: held once, dense solves {held[0]} times the tasks per second, "
        f"read once as well {held[1]}; block top-k held once {held[2]}. Dense batch {sizes[0]} -> "
        f"{sizes[1]}. Block top-k over dense: {gains[0]} with a prompt per trial, {gains[1]} held once, "
        f"{gains[2]} where dense reads it once."
    )


STUDY: Final = Study(
    name="prefix",
    question="Does sharing the prompt of a task's trials change the comparison of dense and sparse?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
