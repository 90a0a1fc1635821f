"""A trace as the arrivals of a workload: tasks in the order of their arrival, and turns that follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from simulator.errors import TraceFormatError
from simulator.frozen import CountOrZero, FrozenModel, SecondsOrZero, Tokens
from workloads.task import Turn
from workloads.traces.cutting import rows
from workloads.traces.kinship import roots_and_depths
from workloads.traces.prefixes import SharedPrefixes, shared_prefixes
from workloads.traces.reading import read_window
from workloads.traces.seam import Reading
from workloads.traces.statistics import sharing, tick_s
from workloads.traces.table import NONE, FloatArray, IntArray, Trace


class FollowUps(FrozenModel):
    """Recorded requests that are sent when another of their task has ended and its tool has run.

    All columns have one row a request, in the order of `tasks`.  The task's own request is its turn 0, its
    follow-ups are turns 1, 2, ... in the order of their rows.
    """

    tasks: Annotated[tuple[CountOrZero, ...], Field(strict=False, min_length=1)] = Field(
        description="[-] Number of the task, from 0, never decreasing."
    )
    parents: Annotated[tuple[CountOrZero, ...], Field(strict=False)] = Field(
        description="[-] Turn of the task that it follows, an earlier one."
    )
    tool_s: Annotated[tuple[SecondsOrZero, ...], Field(strict=False)] = Field(
        description="[s] Time from the end of that turn to the request."
    )
    prompt_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] = Field(
        description="[tokens] Whole prompt, with all that it repeats of earlier turns."
    )
    output_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] = Field(description="[tokens] Output.")

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        columns = {name: getattr(self, name) for name in type(self).model_fields}
        sizes = {name: len(column) for name, column in columns.items()}
        if len(set(sizes.values())) > 1:
            message = f"columns of different length: {', '.join(f'{n} {size}' for n, size in sizes.items())}"
            raise ValueError(message)
        turn, last = 0, NONE
        for task, parent in zip(self.tasks, self.parents, strict=True):
            if task < last:
                message = f"tasks must not decrease: {task} after {last}"
                raise ValueError(message)
            turn, last = turn + 1 if task == last else 1, task
            if parent >= turn:
                message = f"turn {turn} of task {task} follows turn {parent}, which is no earlier one"
                raise ValueError(message)
        return self

    def by_task(
        self, tasks: int, prefixes: SharedPrefixes | None = None
    ) -> tuple[tuple[tuple[Turn, ...], ...], tuple[tuple[int, ...], ...]]:
        """Return the turns of each of `tasks` tasks, and the outputs of those turns, tokens."""
        turns: list[list[Turn]] = [[] for _ in range(tasks)]
        outputs: list[list[int]] = [[] for _ in range(tasks)]
        columns = (self.tasks, self.parents, self.tool_s, self.prompt_tokens, self.output_tokens)
        for row, (task, parent, seconds, prompt, output) in enumerate(zip(*columns, strict=True)):
            shared = () if prefixes is None else prefixes.of_follow_up(row)
            turns[task].append(Turn(len(turns[task]) + 1, parent, seconds, prompt, shared))
            outputs[task].append(output)
        return tuple(map(tuple, turns)), tuple(map(tuple, outputs))


class Replay(NamedTuple):
    """What a workload takes from a file."""

    arrivals_s: tuple[float, ...]
    prompt_tokens: tuple[int, ...] | None
    output_tokens: tuple[int, ...] | None
    follow_ups: FollowUps | None
    about: str | None
    prefixes: SharedPrefixes | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a file is replayed.

    Parameters
    ----------
    format_name, how : as for `workloads.traces.read`.
    longest_tokens : requests with more tokens of prompt and output are left out, and what follows them.
    """

    format_name: str = "auto"
    how: Reading | None = None
    longest_tokens: int | None = None


def replay(path: Path, part: Part) -> Replay:
    """Return the requests of a file as tasks, a session of requests that wait for each other as one.

    Raises
    ------
    TraceFormatError
        If it cannot be read, or nothing is left of it.
    """
    trace = read_window(path, part.format_name, part.how)
    whole = trace.rows
    if part.longest_tokens is not None:
        trace = _without_long(trace, part.longest_tokens)
    if not trace.rows:
        message = f"{path}: none of {whole} requests has at most {part.longest_tokens} tokens"
        raise TraceFormatError(message)
    waits = np.isnan(trace.arrival_s)
    first = np.flatnonzero(~waits)
    prompts, outputs = trace.prompt_tokens, trace.output_tokens
    if waits.any() and (prompts is None or outputs is None):
        message = f"{path}: requests that follow others need prompt_tokens and output_tokens"
        raise TraceFormatError(message)
    waiting = _waiting(trace, first) if waits.any() else None
    return Replay(
        tuple(trace.arrival_s[first].tolist()),
        None if prompts is None else tuple(prompts[first].tolist()),
        None if outputs is None else tuple(outputs[first].tolist()),
        None if waiting is None else _follow_ups(trace, waiting),
        _about(path, trace, whole - trace.rows),
        _prefixes(trace, first, waiting),
    )


def spread(arrivals_s: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Return the arrivals of each moment spread evenly at random up to the next, at most a usual tick.

    Parameters
    ----------
    arrivals_s : never decreasing, s.
    generator : draws one number for each arrival.

    Examples
    --------
    >>> spread(np.array([0.0, 0.0, 3.0, 3.0]), np.random.default_rng(1)).round(1).tolist()
    [1.5, 2.9, 3.4, 5.8]
    """
    moments, groups = np.unique(arrivals_s, return_inverse=True)
    tick = tick_s(arrivals_s)
    widths = np.minimum(np.diff(moments, append=moments[-1] + tick), tick)
    uniforms = generator.random(len(arrivals_s))
    uniforms = uniforms[np.lexsort((uniforms, groups))]
    return arrivals_s + uniforms * widths[groups]


def _without_long(trace: Trace, most_tokens: int) -> Trace:
    if trace.prompt_tokens is None or trace.output_tokens is None:
        return trace
    fits = trace.prompt_tokens + trace.output_tokens <= most_tokens
    above = _waited_for(trace)
    for row in np.flatnonzero(above != NONE).tolist():
        fits[row] &= fits[above[row]]  # a parent stands before its child
    left = int((~fits).sum())
    if not left:
        return trace
    dropped = {**trace.dropped, f"longer than {most_tokens} tokens, or after such a one": left}
    return replace(rows(trace, np.flatnonzero(fits)), dropped=dropped)


def _waited_for(trace: Trace) -> IntArray:
    """Return the row that each row waits for, or `NONE`."""
    if trace.parents is None:
        return np.full(trace.rows, NONE, dtype=np.int64)
    return np.where(np.isnan(trace.arrival_s), trace.parents, NONE)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows that wait for others, in the order of their tasks, and the turn of the task that each follows."""

    rows: IntArray
    tasks: IntArray
    parents: IntArray


def _waiting(trace: Trace, first: IntArray) -> _Waiting:
    """Return the rows that wait for others, by the task of their first ancestor."""
    above = _waited_for(trace)
    tasks = np.searchsorted(first, roots_and_depths(above)[0])
    rows_waiting = np.flatnonzero(above != NONE)
    order = rows_waiting[np.argsort(tasks[rows_waiting], kind="stable")]
    turns = np.zeros(trace.rows, dtype=np.int64)
    turns[order] = np.arange(len(order)) - np.searchsorted(tasks[order], tasks[order]) + 1
    return _Waiting(order, tasks[order], turns[above[order]])


def _follow_ups(trace: Trace, waiting: _Waiting) -> FollowUps:
    seconds, prompts, outputs = trace.tool_s, trace.prompt_tokens, trace.output_tokens
    if seconds is None or prompts is None or outputs is None:
        message = "a trace with requests that wait for others lacks a column"
        raise ValueError(message)
    return FollowUps(
        tasks=tuple(waiting.tasks.tolist()),
        parents=tuple(waiting.parents.tolist()),
        tool_s=tuple(seconds[waiting.rows].tolist()),
        prompt_tokens=tuple(prompts[waiting.rows].tolist()),
        output_tokens=tuple(outputs[waiting.rows].tolist()),
    )


def _prefixes(trace: Trace, first: IntArray, waiting: _Waiting | None) -> SharedPrefixes | None:
    """Return what prompts have in common; None where nothing is recorded, or nothing is common."""
    if trace.blocks is None or trace.prompt_tokens is None:
        return None
    parents, end_tokens, segments = shared_prefixes(trace.blocks, trace.prompt_tokens)
    if not parents:
        return None
    return SharedPrefixes(
        parents=parents,
        end_tokens=end_tokens,
        tasks=tuple(segments[first].tolist()),
        follow_ups=() if waiting is None else tuple(segments[waiting.rows].tolist()),
    )


def _about(path: Path, trace: Trace, too_long: int) -> str | None:
    """Return what a reader of the results should know of where the requests came from; None for nothing."""
    told = [f"{count:,} left out: {reason}" for reason, count in trace.dropped.items()]
    if trace.blocks is not None and len(trace.blocks.ids):
        seen = sharing(trace.blocks).seen_ratio
        told.append(f"{seen:.1%} of their prompt blocks begin as earlier prompts do")
    if trace.parents is not None and (trace.parents[~np.isnan(trace.arrival_s)] != NONE).any():
        told.append("turns of a session come at their recorded times, whenever the turn before ended")
    if not told and trace.format == "kinesim" and not too_long:
        return None
    return "; ".join([f"{trace.rows:,} requests of {path.name} ({trace.format})", *told])


Sampled = Annotated[float, Field(gt=0.0, le=1.0)]
"""Part of the tasks that is kept."""
