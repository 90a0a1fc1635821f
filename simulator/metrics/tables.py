"""The records of a run as named columns, with what follows from them task by task."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.attention.work import IntVector
from simulator.engine.records import STEP_COLUMNS, TASK_COLUMNS, TRIAL_COLUMNS, RunRecords, SequenceState

Columns = dict[str, IntVector]
"""Columns of one table by name, each of shape (rows,)."""


def _columns(matrix: NDArray[np.int64], names: tuple[str, ...]) -> Columns:
    return {name: matrix[:, position] for position, name in enumerate(names)}


@dataclass(frozen=True, slots=True)
class RunTables:
    """Named columns of the step, trial and task records of one run.

    Parameters
    ----------
    steps, trials, tasks : columns, named as in `simulator.engine.records`.
    end_ns : simulated time at which the run ended.
    pending_tasks : tasks that had not arrived by then.
    """

    steps: Columns
    trials: Columns
    tasks: Columns
    end_ns: int
    pending_tasks: int

    @classmethod
    def of(cls, records: RunRecords) -> RunTables:
        """Return the columns of `records`, without copying."""
        return cls(
            _columns(records.steps, STEP_COLUMNS),
            _columns(records.trials, TRIAL_COLUMNS),
            _columns(records.tasks, TASK_COLUMNS),
            records.end_ns,
            records.pending_tasks,
        )

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Whether each task has ended, shape (tasks,)."""
        return self.tasks["ended_ns"] >= 0

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Whether each trial ran to its end, shape (trials,)."""
        finished: NDArray[np.bool_] = self.trials["state"] == SequenceState.FINISHED
        return finished

    @property
    def step_tokens(self) -> IntVector:
        """Output tokens of each step row: one per decoding sequence and step, one per completed prompt."""
        s = self.steps
        tokens: IntVector = s["decode_sequences"] * s["steps"] + s["prefill_ends"]
        return tokens

    @property
    def task_rows(self) -> IntVector:
        """Row of `tasks` that each trial belongs to, shape (trials,)."""
        return np.searchsorted(self.tasks["task"], self.trials["task"]).astype(np.int64)
