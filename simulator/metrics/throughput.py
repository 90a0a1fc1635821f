"""Rates over the window: tasks, solved tasks, tokens; goodput under a service level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.metrics.intervals import Interval, batch_means
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window
from simulator.scenario.schema import ServiceLevel
from simulator.units import NS_PER_S

EVENTS_PER_BATCH = 10
"""Tasks that a part of a steady run should hold for its rate to be close to normal."""

MOST_BATCHES = 20
"""Parts of a steady run; more would be shorter and less independent (Schmeiser 1982: 10 to 30)."""


def _batched(tables: RunTables, window: Window, chosen: NDArray[np.bool_], level: float) -> Interval | None:
    """Return the rate of `chosen` tasks with an interval, where the run is steady and long enough."""
    if window.kind != "steady":
        return None
    ends = tables.tasks["ended_ns"][chosen]
    batches = min(MOST_BATCHES, len(ends) // EVENTS_PER_BATCH)
    if batches < 2:  # noqa: PLR2004 - a variance needs two values
        return None
    width = (window.end_ns - window.start_ns) / batches
    places = np.minimum(((ends - window.start_ns - 1) / width).astype(np.int64), batches - 1)
    counts = np.bincount(places, minlength=batches).tolist()
    return batch_means(counts, width / NS_PER_S, level)


def throughput(tables: RunTables, window: Window, gpus: int, confidence: float) -> dict[str, object]:
    """Return what the node did per second of the window.

    Notes
    -----
    A step row that lies partly in the window counts by the part of its time.  Prompt tokens are those
    computed: found in the cache they are free, recomputed they count again.  The intervals hold for
    a single steady run (batch means); several seeds give better ones.
    """
    steps = tables.steps
    ended = window.ends_inside(tables.tasks["ended_ns"])
    solved = ended & (tables.tasks["solved"] == 1)
    shares = window.shares(steps["start_ns"], steps["end_ns"])
    output = float((shares * tables.step_tokens).sum())
    prompt = float((shares * steps["prefill_tokens"]).sum())
    per_gpu = window.per_second(output / gpus)
    intervals = {
        name: found.to_dict() if (found := _batched(tables, window, chosen, confidence)) else None
        for name, chosen in (("tasks_per_s_interval", ended), ("solved_tasks_per_s_interval", solved))
    }
    return {
        "tasks_ended": int(ended.sum()),
        "tasks_solved": int(solved.sum()),
        "tasks_per_s": window.per_second(int(ended.sum())),
        "solved_tasks_per_s": window.per_second(int(solved.sum())),
        "output_tokens": output,
        "output_tokens_per_s": window.per_second(output),
        "output_tokens_per_s_per_gpu": per_gpu,
        "prompt_tokens_per_s": window.per_second(prompt),
        **intervals,
    }


def meets(tables: RunTables, slo: ServiceLevel) -> NDArray[np.bool_]:
    """Say which tasks ended and kept every limit, in all of their finished trials, shape (tasks,)."""
    tasks, trials = tables.tasks, tables.trials
    met = tables.ended.copy()
    if slo.task_s is not None:
        met &= tasks["ended_ns"] - tasks["arrival_ns"] <= slo.task_s * NS_PER_S
    late = np.zeros(len(trials["task"]), dtype=np.bool_)
    if slo.ttft_s is not None:
        late |= trials["first_token_ns"] - trials["submitted_ns"] > slo.ttft_s * NS_PER_S
    if slo.tpot_s is not None:
        gaps = trials["output_tokens"] - 1
        late |= trials["ended_ns"] - trials["first_token_ns"] > slo.tpot_s * NS_PER_S * gaps
    met[tables.task_rows[late & tables.finished]] = False
    return met


def goodput(tables: RunTables, window: Window, slo: ServiceLevel) -> dict[str, object] | None:
    """Return the rate of tasks that keep the service level; None where none is asked for.

    `met_ratio` is over the ended tasks that arrived in the window.
    """
    if slo == ServiceLevel():
        return None
    met = meets(tables, slo)
    inside = window.ends_inside(tables.tasks["ended_ns"])
    cohort = tables.ended & window.starts_inside(tables.tasks["arrival_ns"])
    count = int(cohort.sum())
    return {
        "limits": slo.model_dump(),
        "met_ratio": int((met & cohort).sum()) / count if count else None,
        "tasks_per_s": window.per_second(int((met & inside).sum())),
        "solved_tasks_per_s": window.per_second(int((met & inside & (tables.tasks["solved"] == 1)).sum())),
    }
