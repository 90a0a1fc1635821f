"""Task trees as slices of a trace: a task holds its requests, and a request its queue, prefill and decode.

Requests of a task that overlap are drawn on lanes of their own, each under a slice of the task.  Arrows lead
from a request to those that it gave rise to, and to the step of the replica with which its prompt began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from simulator.attention.work import IntVector
from simulator.emit.lanes import Lanes
from simulator.emit.step_slices import StepSlices, track_of
from simulator.emit.trace_events import Event, Track, complete, flow
from simulator.engine.records import SequenceState
from simulator.metrics.tables import Columns, RunTables

MOST_NODES: Final = 10_000
"""Requests in a file; with phases and arrows some 10 MB."""

STATES: Final = {state.value: state.name.lower() for state in SequenceState}
TOLD: Final = (
    "task",
    "node",
    "parent",
    "replica",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "preemptions",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The requests that are shown.

    Parameters
    ----------
    tasks : rows of the tasks.
    every : one task in so many.
    nodes : rows of their requests, whole trees; of a tree that is too large its first ones.
    """

    tasks: IntVector
    every: int
    nodes: IntVector


def chosen_of(tables: RunTables) -> Chosen:
    """Return every so many'th task, so that there are at most `MOST_NODES` requests."""
    sizes = np.bincount(tables.task_rows, minlength=len(tables.tasks["task"]))
    every = 1
    while sizes[::every].sum() > MOST_NODES and every < len(sizes):
        every += 1
    is_shown = np.zeros(len(sizes), dtype=np.bool_)
    is_shown[::every] = True
    nodes = np.flatnonzero(is_shown[tables.task_rows])[:MOST_NODES]
    return Chosen(np.flatnonzero(is_shown), every, nodes)


@dataclass(frozen=True, slots=True)
class _Node:
    """A request and where it is drawn."""

    row: int
    start_ns: int
    end_ns: int
    lane: int


def tree_events(
    tables: RunTables, chosen: Chosen, slices: StepSlices, *, pid: int, lanes: Lanes
) -> Iterator[Event]:
    """Yield the slices of trees, and the arrows from and to them.

    Parameters
    ----------
    tables : records of the run.
    chosen : which trees.
    slices : of the steps, to which arrows lead.
    pid : process under which trees are drawn.
    lanes : its threads; filled here.
    """
    spans, nodes = [], dict[int, list[_Node]]()
    of_task = tables.task_rows
    by_task = (
        np.split(chosen.nodes, np.flatnonzero(np.diff(of_task[chosen.nodes])) + 1)
        if len(chosen.nodes)
        else []
    )
    for rows in by_task:
        task = int(of_task[rows[0]])
        nodes[task] = placed = _placed(tables, rows)
        spans += list(_spans(tables, task, placed))
    spans.sort()
    tracks: dict[int, dict[int, Track]] = {task: {} for task in nodes}
    for start_ns, task, lane, end_ns in spans:
        tracks[task][lane] = track = Track(pid, pid + lanes.place(start_ns, end_ns))
        yield complete(track, _task_name(tables, task), start_ns, end_ns, _about(tables, task, lane))
    numbers = count(1)
    for task, placed in nodes.items():
        yield from _drawn(tables, placed, tracks[task], slices, numbers)


def _placed(tables: RunTables, rows: IntVector) -> list[_Node]:
    """Return the requests of a task on lanes of their own, in the order in which they were sent."""
    trials, lanes, found = tables.trials, Lanes(), []
    for row in rows[np.argsort(trials["submitted_ns"][rows], kind="stable")].tolist():
        start, end = int(trials["submitted_ns"][row]), int(trials["ended_ns"][row])
        end = tables.end_ns if end < 0 else end
        found.append(_Node(row, start, end, lanes.place(start, end)))
    return found


def _spans(tables: RunTables, task: int, nodes: list[_Node]) -> Iterator[tuple[int, int, int, int]]:
    """Yield start, task, lane and end of a task's slice on each of its lanes; on the first it is whole."""
    for lane in range(max(node.lane for node in nodes) + 1):
        own = [node for node in nodes if node.lane == lane]
        start, end = min(node.start_ns for node in own), max(node.end_ns for node in own)
        if not lane:
            ended = int(tables.tasks["ended_ns"][task])
            start = min(start, int(tables.tasks["arrival_ns"][task]))
            end = max(end, tables.end_ns if ended < 0 else ended)
        yield start, task, lane, end


def _task_name(tables: RunTables, task: int) -> str:
    return f"task {tables.tasks['task'][task]}"


def _about(tables: RunTables, task: int, lane: int) -> Mapping[str, object]:
    columns = ("nodes", "finished_nodes", "cancelled_nodes", "correct_nodes", "solved", "output_tokens")
    return {"lane": lane + 1} | {name: int(tables.tasks[name][task]) for name in columns}


def _drawn(
    tables: RunTables,
    nodes: Iterable[_Node],
    tracks: Mapping[int, Track],
    slices: StepSlices,
    numbers: Iterator[int],
) -> Iterator[Event]:
    """Yield the slices of a task's requests and their arrows."""
    trials = tables.trials
    placed = {int(trials["node"][node.row]): node for node in nodes}
    for index, node in placed.items():
        track = tracks[node.lane]
        args: dict[str, object] = {name: int(trials[name][node.row]) for name in TOLD}
        args["state"] = STATES[int(trials["state"][node.row])]
        yield complete(track, f"node {index}", node.start_ns, node.end_ns, args)
        phases = list(_phases(trials, node))
        for name, start, end in phases:
            yield complete(track, name, start, end, {})
        parent = placed.get(int(trials["parent"][node.row]))
        if parent is not None:
            # Inside the parent: at its very end it is no longer open.
            from_ns = max(parent.start_ns, parent.end_ns - 1)
            yield from flow(next(numbers), "child", (tracks[parent.lane], from_ns), (track, node.start_ns))
        started, replica = int(trials["started_ns"][node.row]), int(trials["replica"][node.row])
        if node.start_ns <= started < node.end_ns and slices.shows_step(replica, started):
            yield from flow(next(numbers), "admitted", (track, started), (track_of(replica), started))


def _phases(trials: Columns, node: _Node) -> Iterator[tuple[str, int, int]]:
    """Yield the parts of a request's life that took any time."""
    moments = [int(trials[name][node.row]) for name in ("started_ns", "first_token_ns")]
    ends = [moment if moment >= 0 else node.end_ns for moment in moments]
    bounds = (node.start_ns, *ends, node.end_ns)
    for name, start, end in zip(("queue", "prefill", "decode"), bounds, bounds[1:], strict=False):
        if end > start:
            yield name, start, end
