"""A run as a trace for Perfetto or Chrome's viewer.

A process for each replica, with its steps as slices and its batch, KV blocks and requests as counters; one
for the tasks, whose trees are nested slices on lanes.  The file is bounded: of a long run steps are merged
and tasks are picked, and ``otherData`` says which.  Not shown: what happens inside a step, and preemptions,
whose number stands with each request.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.api import Result
from simulator.emit.lanes import Lanes
from simulator.emit.step_slices import (
    MOST_MOMENTS,
    MOST_SLICES,
    MOST_STEPS,
    Groups,
    StepSlices,
    kv_events,
    single_steps,
    single_steps_until_ns,
    step_events,
    track_of,
)
from simulator.emit.trace_events import Track, file_of, named
from simulator.emit.tree_slices import MOST_NODES, Chosen, chosen_of, tree_events
from simulator.metrics.tables import RunTables
from simulator.metrics.token_times import kept
from simulator.units import NS_PER_S


def text(result: Result) -> Iterator[str]:
    """Yield the trace file of a run in pieces.

    Parameters
    ----------
    result : the run, with the times of its tokens.

    Raises
    ------
    SimulatorError
        If the run did not keep them.
    """
    tokens = kept(result.records)
    until_ns = single_steps_until_ns(tokens)
    tables = RunTables.of(result.records)
    slices, chosen, lanes = StepSlices.of(tables.steps), chosen_of(tables), Lanes()
    replicas = result.scenario.parallelism.dp
    pid = replicas + 1
    events = list(step_events(result, tables, slices))
    events += single_steps(tables, tokens, until_ns)
    events += kv_events(tables)
    events += tree_events(tables, chosen, slices, pid=pid, lanes=lanes)
    names = []
    for replica in range(replicas):
        track = track_of(replica)
        names += [named("process", track, f"replica {replica}", replica), named("thread", track, "steps", 0)]
    names.append(named("process", Track(pid, pid), _tasks_name(chosen, tables), replicas))
    names += [
        named("thread", Track(pid, pid + lane), f"lane {lane + 1}", lane) for lane in range(lanes.count)
    ]
    yield from file_of(names, events, _about(result, tables, slices.groups, chosen, until_ns))


def _tasks_name(chosen: Chosen, tables: RunTables) -> str:
    if chosen.every == 1:
        return "tasks"
    return f"tasks: one in {chosen.every} of {len(tables.tasks['task'])}"


def _about(
    result: Result, tables: RunTables, groups: Groups, chosen: Chosen, until_ns: int | None
) -> dict[str, str]:
    """Return what is said of the file: what was run, and what of it is shown."""
    steps, rows = int(tables.steps["steps"].sum()), len(tables.steps["steps"])
    shown = f"all {steps} steps of the run, in {len(groups.first)} slices"
    if groups.singly_until_ns is None:
        shown += ": consecutive decode steps of an unchanged batch share one"
    else:
        shown += (
            f" of at most {MOST_SLICES}: {rows} rows of the records, each of consecutive decode steps of an "
            f"unchanged batch or one step with prompts; rows that start before "
            f"{groups.singly_until_ns / NS_PER_S:.6f} s have a slice each, after it {groups.merged} "
            "consecutive rows of a replica share one, called merged, to which no arrows lead"
        )
    if until_ns is not None:
        shown += (
            f"; the first {MOST_STEPS} single steps, until {until_ns / NS_PER_S:.6f} s, lie in their slices, "
            "later ones are not shown one by one"
        )
    nodes, trees = len(tables.trials["node"]), len(tables.tasks["task"])
    trees_shown = f"all {trees} tasks with {nodes} requests"
    if len(chosen.nodes) < nodes:
        trees_shown = (
            f"{len(chosen.nodes)} of {nodes} requests, at most {MOST_NODES}: those of one task in "
            f"{chosen.every}, from the first on, of {trees}"
        )
    return {
        "written_by": "kinesim",
        "scenario": result.scenario.name,
        "seed": str(result.seed),
        "clock": "ts is the simulated time in us, from 0 on",
        "steps": shown,
        "tasks": trees_shown,
        "counters": "requests: as a slice of steps begins; batch: mean over the slice; KV blocks: at up to "
        f"{MOST_MOMENTS} moments, evenly spread over the parts of rows in which they change by 1 in 128",
    }
