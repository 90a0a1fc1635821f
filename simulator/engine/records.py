"""Append-only records of a run: integers only, so that both engines agree to the byte.

A step row holds consecutive steps of one replica with equal batch size and no prefill, or a single
step with prefill; sums over its steps are exact.  What is derived from the rows (seconds per operation,
utilisation, energy) is worked out afterwards (``docs/decisions/0007-records-are-integers.md``).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.engine.token_times import TokenTimes
from simulator.latency import StepRows

STEP_COLUMNS: Final = (
    "replica",
    "start_ns",
    "end_ns",
    "steps",
    "decode_sequences",
    "attended_tokens",
    "read_tokens",
    "index_entries",
    "longest_tokens",
    "prefill_tokens",
    "prefill_attended_tokens",
    "prefill_read_tokens",
    "prefill_ends",
    "kv_blocks",
    "kv_block_steps",
    "first_step_ns",
    "last_step_ns",
)
"""A row of consecutive equal steps; `kv_blocks` are those held when the row ends, `kv_block_steps` their
sum over its steps; the durations of its first and last step bound those between, as contexts only grow."""

TRIAL_COLUMNS: Final = (
    "task",
    "node",
    "parent",
    "replica",
    "prompt_tokens",
    "cached_tokens",
    "max_tokens",
    "output_tokens",
    "submitted_ns",
    "started_ns",
    "first_token_ns",
    "ended_ns",
    "state",
    "preemptions",
    "truncated",
    "correct",
    "answer",
    "kv_budget_tokens",
)
"""A node of a request tree; times that never came are -1; `cached_tokens` are those of the prompt that
were found in the cache at first admission; `output_tokens` counts what was produced;
`kv_budget_tokens` is 0 where the node had the budget of the attention, if that has one."""

TASK_COLUMNS: Final = (
    "task",
    "arrival_ns",
    "ended_ns",
    "nodes",
    "finished_nodes",
    "cancelled_nodes",
    "correct_nodes",
    "solved",
    "prompt_tokens",
    "output_tokens",
)
"""A task; `ended_ns` is -1 while nodes are open; `solved` is the strategy's final answer."""


class SequenceState(IntEnum):
    """Life of a sequence; preemption alone moves it back, from RUNNING to WAITING."""

    WAITING = 0
    RUNNING = 1
    FINISHED = 2
    CANCELLED = 3


class Table:
    """Rows of equal length in one flat array of 64-bit integers."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._flat = array("q")
        self._pack = Struct(f"{len(columns)}q").pack

    def append(self, row: Iterable[int]) -> None:
        """Append a row."""
        self._flat.frombytes(self._pack(*row))

    def take(self) -> NDArray[np.int64]:
        """Return the rows as a matrix of shape (rows, columns) and forget them; nothing is copied."""
        flat, self._flat = self._flat, array("q")
        return np.frombuffer(flat, dtype=np.int64).reshape(-1, len(self.columns))


@dataclass(frozen=True, slots=True)
class RunRecords:
    """What happened in one run.

    Parameters
    ----------
    steps, trials, tasks : int64 matrices, columns as named above; rows in the order of `steps`:
        (replica, time), `trials`: (task, node), `tasks`: task.
    end_ns : simulated time at which the run ended.
    pending_tasks : tasks that had not arrived when a horizon stopped the run.
    tokens : what the time of every token follows from, where that was asked for.
    """

    steps: NDArray[np.int64]
    trials: NDArray[np.int64]
    tasks: NDArray[np.int64]
    end_ns: int
    pending_tasks: int
    tokens: TokenTimes | None = None

    def step_rows(self, rows: NDArray[np.bool_] | slice = slice(None)) -> StepRows:
        """Return the chosen step rows as the latency model's columns."""
        chosen = self.steps[rows]
        column = {name: chosen[:, position] for position, name in enumerate(STEP_COLUMNS)}
        return StepRows(**{name: column[name] for name in StepRows.__slots__})


def column(matrix: NDArray[np.int64], columns: tuple[str, ...], name: str) -> NDArray[np.int64]:
    """Return the column called `name` of a matrix of records."""
    values: NDArray[np.int64] = matrix[:, columns.index(name)]
    return values
