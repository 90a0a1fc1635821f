"""How long users wait: TTFT, TPOT, ITL, queueing, trials and tasks from end to end.

Tasks and trials that arrived in the window are followed to their end; those that never reached the
point in question (cancelled, cut by a horizon) are left out and the `count` shows how many remain.
"""

from __future__ import annotations

import numpy as np

from simulator.metrics.distributions import Distribution, durations
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window


def waiting_times(tables: RunTables, window: Window) -> dict[str, Distribution]:
    """Return the distributions of times, s.

    Notes
    -----
    TTFT: submission to first token.  TPOT: mean time per token after the first, of finished trials with
    at least two.  ITL: time of the step that made a token, one value per decoded token; a row of several
    steps gives its mean step to each, and rows count by when they end.  Queueing: submission to first
    admission.  Trial: submission to end; task: arrival to answer.
    """
    trials, tasks, steps = tables.trials, tables.tasks, tables.steps
    cohort = window.starts_inside(trials["submitted_ns"])
    finished = cohort & tables.finished
    first = cohort & (trials["first_token_ns"] >= 0)
    started = cohort & (trials["started_ns"] >= 0)
    several = finished & (trials["output_tokens"] > 1)
    gaps = np.where(several, trials["output_tokens"] - 1, 1)
    per_token = (trials["ended_ns"] - trials["first_token_ns"]) // gaps
    answered = tables.ended & window.starts_inside(tasks["arrival_ns"])
    stepped = window.ends_inside(steps["end_ns"])
    step_ns = (steps["end_ns"] - steps["start_ns"]) // np.maximum(1, steps["steps"])
    decoded = steps["decode_sequences"] * steps["steps"]
    return {
        "ttft_s": durations((trials["first_token_ns"] - trials["submitted_ns"])[first]),
        "tpot_s": durations(per_token[several]),
        "itl_s": durations(step_ns[stepped], decoded[stepped]),
        "queueing_s": durations((trials["started_ns"] - trials["submitted_ns"])[started]),
        "trial_s": durations((trials["ended_ns"] - trials["submitted_ns"])[finished]),
        "task_s": durations((tasks["ended_ns"] - tasks["arrival_ns"])[answered]),
    }
