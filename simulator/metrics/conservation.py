"""What became of everything that was submitted: the counts of invariant INV-1."""

from __future__ import annotations

import numpy as np

from simulator.engine.records import SequenceState
from simulator.metrics.tables import RunTables

Counts = dict[str, int | bool]


def _counts(*, submitted: int, finished: int, cancelled: int, running: int, waiting: int) -> Counts:
    return {
        "submitted": submitted,
        "finished": finished,
        "cancelled": cancelled,
        "running": running,
        "waiting": waiting,
        "conserved": submitted == finished + cancelled + running + waiting,
    }


def trial_counts(tables: RunTables) -> Counts:
    """Return the trials by state at the end of the run."""
    states = np.bincount(tables.trials["state"], minlength=len(SequenceState))
    return _counts(
        submitted=len(tables.trials["state"]),
        finished=int(states[SequenceState.FINISHED]),
        cancelled=int(states[SequenceState.CANCELLED]),
        running=int(states[SequenceState.RUNNING]),
        waiting=int(states[SequenceState.WAITING]),
    )


def task_counts(tables: RunTables) -> Counts:
    """Return the tasks by state at the end of the run, and those still to come (`pending`).

    A task runs from the first start of one of its trials until its answer.  Its trials can be
    cancelled, a task cannot.
    """
    tasks = tables.tasks
    started = np.zeros(len(tasks["task"]), dtype=np.bool_)
    started[tables.task_rows[tables.trials["started_ns"] >= 0]] = True
    ended = tables.ended
    counts = _counts(
        submitted=len(ended),
        finished=int(ended.sum()),
        cancelled=0,
        running=int((started & ~ended).sum()),
        waiting=int((~started & ~ended).sum()),
    )
    return counts | {"pending": tables.pending_tasks}
