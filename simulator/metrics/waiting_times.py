"""How long users wait: TTFT, TPOT, ITL, queueing, trials and tasks from end to end.

Tasks and trials that arrived in the window are followed to their end; those that never reached the
point in question (cancelled, cut by a horizon) are left out and the `count` shows how many remain.
"""

from __future__ import annotations

import numpy as np

from simulator.metrics.distributions import Distribution, durations
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window
from simulator.units import NS_PER_S


def _inter_token(tables: RunTables, parts: StepParts, window: Window) -> Distribution:
    """Return the distribution of step times, one value per decoded token; mean and maximum are exact."""
    steps = tables.steps
    ended = window.ends_inside(parts.end_ns)
    lengths, tokens = parts.end_ns - parts.start_ns, parts.decode_sequences * parts.steps
    found = durations((lengths // parts.steps)[ended], tokens[ended])
    if not found["count"]:
        return found
    spent = float((lengths[ended].astype(np.float64) * parts.decode_sequences[ended]).sum())
    rows = window.ends_inside(steps["end_ns"]) & (steps["decode_sequences"] > 0)
    longest = int(steps["last_step_ns"][rows].max(initial=0)) / NS_PER_S
    mean = spent / int(tokens[ended].sum()) / NS_PER_S
    return found | {"mean": mean, "max": max(longest, found["max"] or 0.0)}


def waiting_times(tables: RunTables, parts: StepParts, window: Window) -> dict[str, Distribution]:
    """Return the distributions of times, s.

    Notes
    -----
    TTFT: submission to first token.  TPOT: mean time per token after the first, of finished trials with
    at least two.  ITL: time of the step that made a token, one value per decoded token; parts of a
    row of several steps stand for its steps and count by when they end.  Queueing: submission to first
    admission.  Trial: submission to end; task: arrival to answer.
    """
    trials, tasks = tables.trials, tables.tasks
    cohort = window.starts_inside(trials["submitted_ns"])
    finished = cohort & tables.finished
    first = cohort & (trials["first_token_ns"] >= 0)
    started = cohort & (trials["started_ns"] >= 0)
    several = finished & (trials["output_tokens"] > 1)
    gaps = np.where(several, trials["output_tokens"] - 1, 1)
    per_token = (trials["ended_ns"] - trials["first_token_ns"]) // gaps
    answered = tables.ended & window.starts_inside(tasks["arrival_ns"])
    return {
        "ttft_s": durations((trials["first_token_ns"] - trials["submitted_ns"])[first]),
        "tpot_s": durations(per_token[several]),
        "itl_s": _inter_token(tables, parts, window),
        "queueing_s": durations((trials["started_ns"] - trials["submitted_ns"])[started]),
        "trial_s": durations((trials["ended_ns"] - trials["submitted_ns"])[finished]),
        "task_s": durations((tasks["ended_ns"] - tasks["arrival_ns"])[answered]),
    }
