"""What unequal output lengths cost, and what stopping at the first verified success saves.

The paper takes trials of one length; its Eq. 10 replaces L^2 by E[L^2] for random ones.  That prices the
longer contexts, but neither the places that stay empty while a task waits for its longest trial nor an early
stop.

Each point is a steady stream of tasks or one batch.  Trials of one length in a closed loop would start and
end together for ever; the first tasks of that stream get shorter ones, so that it is in all phases at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from simulator.kinetics import BF16_RIDGE, KineticsModel, cost
from simulator.report.chart import Axis, Chart, Panel, Series
from simulator.rng import Streams
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import Scenario
from simulator.studies.drawing import attention_name, series_of
from simulator.studies.points import Point, run_points
from simulator.studies.study import Budget, Study
from simulator.studies.tables import mean_over_seeds, ratio_over_seeds
from simulator.studies.wording import said_of
from workloads import Workload
from workloads.task import Task

SCENARIO: Final = "kinetics/open/lengths"
MEASURES: Final = {
    "solved_per_s": "throughput.solved_tasks_per_s",
    "tasks_per_s": "throughput.tasks_per_s",
    "task_p95_s": "latency.task_s.p95",
    "running": "load.running_mean",
    "waiting": "load.waiting_mean",
    "tokens_per_task": "quality.output_tokens_per_task",
    "eflops_per_task": "kinetics.decode_eflops_per_task",
    "solving_rate": "quality.solving_rate.estimate",
}
TRIALS: Final = 8
MEAN_TOKENS: Final = 15_000
"""Mean length of the benchmark's trials under its cap, and the constant length."""

ATTENTION: Final = {
    "dense": "dense",
    "block_topk": {"kind": "block_topk", "kv_budget_tokens": 1024, "block_tokens": 16},
}
LENGTHS: Final = {
    "constant": {"kind": "constant", "tokens": MEAN_TOKENS},
    "aime24": {"kind": "benchmark", "name": "aime24", "model": "qwen3-8b"},
    # Under the cap of 32,768 tokens its mean is MEAN_TOKENS too.
    "wide": {"kind": "lognormal", "median_tokens": 11_432.0, "log_sigma": 1.2},
}
STRATEGIES: Final = {
    "all": {"kind": "best_of_n", "trials": TRIALS},
    "first success": {"kind": "best_of_n", "trials": TRIALS, "stop_at_first_success": True},
    "waves of 2": {"kind": "adaptive", "first_wave": 2, "wave": 2, "max_trials": TRIALS},
}
STEADY: Final = (
    ("one length", "constant", "all", 60),
    ("AIME24", "aime24", "all", 60),
    ("lognormal", "wide", "all", 60),
    ("refilled", "aime24", "all", 92),
    ("first success", "aime24", "first success", 64),
    ("waves of 2", "aime24", "waves of 2", 256),
)
"""Case, lengths, strategy, tasks in progress on the node.

In the last three about as many trials run as in the first: others fill the places of those that have ended.
"""

EQUAL_STOPPED: Final = "equal, stopped"
BATCH: Final = (
    *STEADY[:3],
    ("first success", "aime24", "first success", 60),
    (EQUAL_STOPPED, "constant", "first success", 60),
)
"""The same for one batch."""

STOPPED: Final = ("first success", "waves of 2")
"""Cases of a stream whose tasks are stopped."""

QUESTIONS: Final = 30
ROUNDS: Final = 8
"""Tasks of a stream over those in progress."""

KEYS: Final = ["setting", "attention", "case"]


def run(budget: Budget) -> pd.DataFrame:
    """Return throughput, task times and tokens by setting, attention and case.

    ``idle_share`` is the share of the places of all trials (tasks in progress x trials) that is empty because
    the trial has ended and its task has not; missing where trials are stopped or not all started.
    """
    points = list(_points(budget))
    frame = run_points(points, MEASURES, budget)
    present = frame.pop("running") + frame.pop("waiting")
    idle = 1.0 - present / (frame["in_progress"] * TRIALS)
    frame.insert(len(KEYS) + 2, "idle_share", idle.where(~frame["case"].isin((*STOPPED, EQUAL_STOPPED))))
    return frame


def _points(budget: Budget) -> Iterator[Point]:
    for attention, settings in ATTENTION.items():
        for case, lengths, strategy, node_tasks in STEADY:
            # A quick run is an eighth of the node.
            tasks = node_tasks // 8 if budget.quick else node_tasks
            labels = ("steady", attention, case, tasks)
            made = _stream(
                _changes(settings, lengths, strategy), lengths, tasks, gpus=1 if budget.quick else 8
            )
            yield Point(dict(zip([*KEYS, "in_progress"], labels, strict=True)), made)
        for case, lengths, strategy, tasks in BATCH:
            labels = ("batch", attention, case, tasks)
            made = load_scenario(SCENARIO, overrides=_changes(settings, lengths, strategy))
            yield Point(dict(zip([*KEYS, "in_progress"], labels, strict=True)), made)


def _changes(attention: object, lengths: str, strategy: str) -> dict[str, object]:
    return {
        "variants": None,
        "model.attention": attention,
        "workload.lengths": LENGTHS[lengths],
        "workload.strategy": STRATEGIES[strategy],
    }


def _stream(changes: dict[str, object], lengths: str, tasks: int, *, gpus: int) -> Scenario:
    """Return a closed loop of `tasks` tasks in progress."""
    repeats = -(-ROUNDS * tasks // QUESTIONS)
    arrivals: dict[str, object] = {"kind": "closed_loop", "concurrency": tasks}
    if lengths == "constant":
        arrivals["output_tokens"] = staggered(tasks, repeats * QUESTIONS)
    loop = {
        "workload.arrivals": arrivals,
        "workload.tasks.repeats": repeats,
        "parallelism.dp": gpus,
        "report.window": "steady",
    }
    return load_scenario(SCENARIO, overrides=changes | loop)


def staggered(first: int, tasks: int) -> list[int]:
    """Return the output of each task: the `first` ones in even steps up to the constant length, then that."""
    begun = [MEAN_TOKENS * (place + 1) // first for place in range(first)]
    return begun + [MEAN_TOKENS] * (tasks - first)


def sampled_lengths(workload: Workload, per_question: int = 200) -> list[int]:
    """Return lengths at even ranks for each question of the benchmark, under the cap, tokens."""
    chances = workload.outcomes.solve_probabilities(QUESTIONS, Streams(0))
    ranks = (np.arange(per_question) + 0.5) / per_question
    return [
        min(workload.max_tokens, workload.lengths.quantile(float(u), Task(0, 1, float(chance))))
        for chance in chances
        for u in ranks
    ]


def predicted_eflops(attention: str, lengths: str) -> float:
    """Return the closed form's eFLOPs of a task, whose prompts are taken as one of mean length."""
    scenario = load_scenario(SCENARIO, overrides=_changes(ATTENTION[attention], lengths, "all"))
    prompts = scenario.workload.tasks.prompt_lengths_tokens(Streams(0))
    return cost(
        KineticsModel.of(scenario.model.architecture),
        scenario.model.attention,
        trials=TRIALS,
        prompt_tokens=round(float(np.mean(prompts))),
        output_tokens=sampled_lengths(scenario.workload),
        ridge_flops_per_byte=BF16_RIDGE,
        summation="steps",
    ).eflops


def over(frame: pd.DataFrame, case: str, measure: str) -> pd.DataFrame:
    """Return a measure of each case over that of `case` with the same setting and attention."""
    return ratio_over_seeds(frame, KEYS, measure, to={"case": case})


def _bars(frame: pd.DataFrame, measure: str) -> tuple[Series, ...]:
    made = []
    for place, attention in enumerate(ATTENTION):
        rows = mean_over_seeds(frame[frame["attention"] == attention], KEYS, measure)
        made.append(series_of(rows, "case", attention_name(attention), place, "bars"))
    return tuple(made)


def charts(frame: pd.DataFrame) -> list[Chart]:
    """Return solved tasks per second and empty places, of a stream and of a batch."""
    where = "Qwen3-8B, eight B200 at TP1, vLLM step times; best of 8, mean length 15,000 tokens. "
    found = []
    for name, measure, title in (
        ("lengths", "solved_per_s", "solved tasks/s"),
        ("lengths_idle", "idle_share", "share of trials' places that is empty"),
    ):
        panels = []
        for setting, head in (("steady", "steady stream of tasks"), ("batch", "one batch of 60 tasks")):
            rows = frame[frame["setting"] == setting]
            cases = rows.loc[rows[measure].notna(), "case"]
            axis = Axis(categories=tuple(dict.fromkeys(cases)))
            panels.append(Panel(_bars(rows, measure), axis, Axis(title, from_zero=True), head))
        caption = where + "Means over seeds with 95 % intervals."
        found.append(Chart(name, f"Unequal lengths and early stops: {title}", caption, tuple(panels)))
    return found


def answer(frame: pd.DataFrame) -> str:
    """Return what unequal lengths cost, what sparse attention gains, and what stopping saves."""
    costs = [_cost_of_lengths(frame, attention) for attention in ATTENTION]
    return "\n".join([*costs, _gains(frame), _stopping(frame)])


def _cost_of_lengths(frame: pd.DataFrame, attention: str) -> str:
    eq10 = predicted_eflops(attention, "aime24") / predicted_eflops(attention, "constant")
    aime24: dict[str, object] = {"setting": "steady", "attention": attention, "case": "AIME24"}
    refilled, batch = aime24 | {"case": "refilled"}, aime24 | {"setting": "batch"}
    eflops = over(frame, "one length", "eflops_per_task")
    rate = over(frame, "one length", "tasks_per_s")
    idle = mean_over_seeds(frame, KEYS, "idle_share")
    empty = [said_of(idle, at, ".0f", scale=100, unit=" %") for at in (aime24, batch)]
    return (
        f"{attention_name(attention)}: lengths of AIME24 take {said_of(eflops, aime24)} times the eFLOPs of "
        f"one length, Eq. 10 says {eq10:.2f}; at the same tasks in progress the node ends "
        f"{said_of(rate, aime24)} times the tasks per second, for {empty[0]} of the trials' places wait for "
        f"a longer sibling; refilled with more tasks {said_of(rate, refilled)}. In a batch "
        f"{said_of(rate, batch)}, with {empty[1]} of the places empty."
    )


def _gains(frame: pd.DataFrame) -> str:
    """Say what block top-k gains over dense with one length and with the benchmark's."""
    ratios = ratio_over_seeds(frame, KEYS, "solved_per_s", to={"attention": "dense"})
    parts = [
        f"{said_of(ratios, {'setting': setting, 'attention': 'block_topk', 'case': case})} {case}, {setting}"
        for setting, cases in (
            ("steady", ("one length", "AIME24", "refilled")),
            ("batch", ("one length", "AIME24")),
        )
        for case in cases
    ]
    return f"Solved tasks per second, block top-k over dense: {'; '.join(parts)}."


def _stopping(frame: pd.DataFrame) -> str:
    """Say what stopping saves at about as full a node."""
    tokens, solved, times = (
        over(frame, "refilled", measure) for measure in ("tokens_per_task", "solved_per_s", "task_p95_s")
    )
    parts = []
    for case in STOPPED:
        for attention in ATTENTION:
            chosen = {"setting": "steady", "attention": attention, "case": case}
            parts.append(
                f"{case}, {attention_name(attention)}: {said_of(tokens, chosen)} times the tokens per task, "
                f"{said_of(solved, chosen)} times the solved tasks per second, "
                f"{said_of(times, chosen)} times the task time p95"
            )
    told = "Against all trials on as full a node: " + "; ".join(parts) + "."
    return f"{told} In a batch of one length a stop at the first success gives {_equal_stopped(frame)}."


def _equal_stopped(frame: pd.DataFrame) -> str:
    """Say what a stop at the first success changes where all trials of a task end together."""
    tokens, solved = (over(frame, "one length", name) for name in ("tokens_per_task", "solved_per_s"))
    parts = []
    for attention in ATTENTION:
        at: dict[str, object] = {"setting": "batch", "attention": attention, "case": EQUAL_STOPPED}
        parts.append(
            f"{said_of(tokens, at, '.3f')} times the tokens and {said_of(solved, at, '.3f')} times the "
            f"solved tasks per second with {attention_name(attention)}"
        )
    return ", ".join(parts)


STUDY: Final = Study(
    name="lengths",
    question="What do unequal lengths, stragglers and early stops change?",
    scenario=SCENARIO,
    run=run,
    charts=charts,
    answer=answer,
)
