"""Collects the records of a run while it happens."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from simulator.engine.records import (
    STEP_COLUMNS,
    TASK_COLUMNS,
    TRIAL_COLUMNS,
    RunRecords,
    SequenceState,
    Table,
)
from simulator.engine.sequence import Sequence, TaskRun
from simulator.engine.token_times import TokenRecorder

_START, _END, _DECODING, _PREFILL = (
    STEP_COLUMNS.index(name) for name in ("start_ns", "end_ns", "decode_sequences", "prefill_tokens")
)
_SUMMED = tuple(
    STEP_COLUMNS.index(name)
    for name in (
        "steps",
        "attended_tokens",
        "read_tokens",
        "index_entries",
        "longest_tokens",
        "kv_block_steps",
    )
)
_LATEST = tuple(STEP_COLUMNS.index(name) for name in ("end_ns", "kv_blocks", "last_step_ns"))
_TOKENS = TRIAL_COLUMNS.index("output_tokens")
_ENDED = TASK_COLUMNS.index("ended_ns")


class StepRecorder:
    """The steps of one replica; consecutive decode steps with equal batch size share a row.

    Parameters
    ----------
    ends : where the end of every single step goes; None: nowhere.
    """

    __slots__ = ("_ends", "_row", "table")

    def __init__(self, ends: array[int] | None = None) -> None:
        self.table = Table(STEP_COLUMNS)
        self._row: list[int] | None = None
        self._ends = ends

    @property
    def keeps_ends(self) -> bool:
        """Whether it records when single steps end."""
        return self._ends is not None

    def ended(self, end_ns: int, ends_ns: NDArray[np.int64] | None = None) -> None:
        """Record when a step ended, or each of several; does nothing where it was not asked for."""
        if self._ends is None:
            return
        if ends_ns is None:
            self._ends.append(end_ns)
        else:
            self._ends.frombytes(ends_ns.tobytes())

    def add(self, row: list[int]) -> None:
        """Record one step, or several with the same members, as a row of `STEP_COLUMNS`.

        Without prefill nobody joins, so a batch of unchanged size has unchanged members.
        """
        last = self._row
        if last is not None:
            if (
                last[_DECODING] == row[_DECODING]
                and not last[_PREFILL]
                and not row[_PREFILL]
                and last[_END] == row[_START]
            ):
                for position in _SUMMED:
                    last[position] += row[position]
                for position in _LATEST:
                    last[position] = row[position]
                return
            self.table.append(last)
        self._row = row

    def close(self) -> None:
        """Write the row in progress."""
        if self._row is not None:
            self.table.append(self._row)
            self._row = None


class Recorder:
    """The records of one run.

    Parameters
    ----------
    replicas : how many there are.
    token_times : keep what the time of every token follows from.
    """

    def __init__(self, replicas: int, *, token_times: bool = False) -> None:
        self._tokens = TokenRecorder(replicas) if token_times else None
        ends = self._tokens.ends if self._tokens else [None] * replicas
        self.steps = [StepRecorder(one) for one in ends]
        self._trials = Table(TRIAL_COLUMNS)
        self._tasks = Table(TASK_COLUMNS)

    def resumed(self, sequence: Sequence, now_ns: int) -> None:
        """Record that a preempted sequence has got a token again, where that was asked for."""
        if self._tokens is not None:
            self._tokens.resumed(sequence.view, sequence.node.index, now_ns)

    def trial(self, sequence: Sequence, ended_ns: int) -> None:
        """Record a sequence whose life has ended, or as it stands when the run ends (-1)."""
        if self._tokens is not None:
            self._tokens.trial(sequence.view)
        view, node = sequence.view, sequence.node
        parent = node.request.parent
        finished = sequence.state is SequenceState.FINISHED
        self._trials.append(
            (
                view.task,
                node.index,
                -1 if parent is None else parent,
                sequence.replica,
                view.prompt_tokens,
                sequence.cached_tokens,
                view.max_tokens,
                view.generated_tokens,
                view.submitted_ns,
                sequence.started_ns,
                sequence.first_token_ns,
                ended_ns,
                int(sequence.state),
                sequence.preemptions,
                int(finished and sequence.outcome.truncated),
                int(finished and sequence.outcome.correct),
                sequence.outcome.answer if finished else -1,
                node.request.kv_budget_tokens or 0,
            )
        )

    def task(self, run: TaskRun, ended_ns: int, *, solved: bool) -> None:
        """Record a task that has ended, or as it stands when the run ends (-1)."""
        finished = cancelled = correct = 0
        for sequence in run.sequences:
            if sequence.state is SequenceState.FINISHED:
                finished += 1
                correct += sequence.outcome.correct
            elif sequence.cancelled:
                cancelled += 1
        self._tasks.append(
            (
                run.task.index,
                run.arrival_ns,
                ended_ns,
                len(run.sequences),
                finished,
                cancelled,
                correct,
                int(solved),
                run.task.prompt_tokens,
                0,  # output tokens: summed over the trials at the end, when cancelled ones have left too
            )
        )

    def finish(self, *, horizon_ns: int | None, pending_tasks: int) -> RunRecords:
        """Return all records in their order; the run ends at its horizon, or with its last step or task."""
        for recorder in self.steps:
            recorder.close()
        trials, tasks = self._trials.take(), self._tasks.take()
        steps = np.concatenate([recorder.table.take() for recorder in self.steps])
        tasks = tasks[np.argsort(tasks[:, 0], kind="stable")]
        order = np.lexsort((trials[:, 1], trials[:, 0]))
        trials = trials[order]
        np.add.at(tasks[:, -1], np.searchsorted(tasks[:, 0], trials[:, 0]), trials[:, _TOKENS])
        last_ns = max(int(steps[:, _END].max(initial=0)), int(tasks[:, _ENDED].max(initial=0)))
        end_ns = last_ns if horizon_ns is None else horizon_ns
        return RunRecords(
            steps=steps,
            trials=trials,
            tasks=tasks,
            end_ns=end_ns,
            pending_tasks=pending_tasks,
            tokens=self._tokens.take(order) if self._tokens else None,
        )
