"""The steps of replicas as slices of a trace, and what they held as counters.

A slice is a row of the records: consecutive steps with the same members, or one step with prompts.  Of a
long run the rows of its beginning are shown one by one and those after it are merged, several to a slice.
The single steps of a row are slices inside it, as far as `MOST_STEPS` of them go from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.api import Result
from simulator.attention.work import IntVector
from simulator.emit.trace_events import NS_PER_US, Event, Track, complete, counter
from simulator.engine.token_times import TokenTimes
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import Columns, RunTables

MOST_SLICES: Final = 20_000
"""Slices of steps in a file, all replicas together; with their counters some 15 MB."""

MOST_STEPS: Final = 20_000
"""Single steps in a file, all replicas together; some 2 MB."""

MOST_MOMENTS: Final = 20_000
"""Moments at which the use of KV blocks is told, all replicas together; some 2 MB."""

LEAST_PART_US: Final = 1e-3
"""Parts of a step's time below a nanosecond are left out."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows of the records that share a slice.

    Parameters
    ----------
    first, rows : first row of each group and how many it has, shape (groups,).
    singly_until_ns : rows that start before are groups of their own.
    merged : rows that a group has after that at most.
    """

    first: IntVector
    rows: IntVector
    singly_until_ns: int | None
    merged: int


def groups_of(steps: Columns) -> Groups:
    """Return which rows share a slice: at most `MOST_SLICES` groups.

    Parameters
    ----------
    steps : columns of the records, in the order of replica and time.
    """
    rows = len(steps["steps"])
    if rows <= MOST_SLICES:
        return Groups(np.arange(rows), np.ones(rows, dtype=np.int64), None, 1)
    half = MOST_SLICES // 2
    until_ns = int(np.partition(steps["start_ns"], half)[half])
    replicas, late = steps["replica"], steps["start_ns"] >= until_ns
    merged = -(-int(late.sum()) // (half - int(replicas.max()) - 1))
    first_of_replica = np.searchsorted(replicas, np.arange(int(replicas.max()) + 1))
    late_before: IntVector = np.cumsum(late) - late
    place: IntVector = late_before - late_before[first_of_replica][replicas]
    starts = np.flatnonzero(~late | (place % merged == 0))
    return Groups(starts, np.diff(np.append(starts, rows)), until_ns, merged)


@dataclass(frozen=True, slots=True)
class StepSlices:
    """The slices of all replicas.

    Parameters
    ----------
    groups : rows that each holds.
    replica, start_ns, end_ns : where each is, shape (groups,).
    """

    groups: Groups
    replica: IntVector
    start_ns: IntVector
    end_ns: IntVector

    @classmethod
    def of(cls, steps: Columns) -> StepSlices:
        """Return the slices of the records' rows."""
        groups = groups_of(steps)
        last = groups.first + groups.rows - 1
        first = groups.first
        return cls(groups, steps["replica"][first], steps["start_ns"][first], steps["end_ns"][last])

    def shows_step(self, replica: int, at_ns: int) -> bool:
        """Say whether a slice of `replica` that is not merged is open at a moment.

        A merged one has begun before the step that is meant, and viewers turn an arrow to it round.
        """
        low, high = (int(self.replica.searchsorted(replica, side)) for side in ("left", "right"))
        place = low + int(self.start_ns[low:high].searchsorted(at_ns, "right")) - 1
        return place >= low and at_ns < int(self.end_ns[place]) and int(self.groups.rows[place]) == 1


def track_of(replica: int) -> Track:
    """Return where the steps of a replica are drawn."""
    return Track(replica + 1, replica + 1)


def step_events(result: Result, tables: RunTables, slices: StepSlices) -> Iterator[Event]:
    """Yield the slices of the steps and the counters beside them.

    Parameters
    ----------
    result : the run.
    tables : its records.
    slices : as `StepSlices.of` returns.
    """
    steps, groups = tables.steps, slices.groups
    if not len(groups.first):
        return

    def summed(values: NDArray[np.generic]) -> list[float]:
        sums: list[float] = np.add.reduceat(values, groups.first).tolist()
        return sums

    k = summed(steps["steps"])
    decoding = summed(steps["decode_sequences"] * steps["steps"])
    prompts, held = summed(steps["prefill_tokens"]), summed(steps["kv_block_steps"])
    parts = {
        name: summed(part.seconds) for name, part in result.latency.parts(result.records.step_rows()).items()
    }
    waiting, running = _queues(tables.trials, slices.replica, slices.start_ns)
    places = zip(
        slices.replica.tolist(),
        slices.start_ns.tolist(),
        slices.end_ns.tolist(),
        groups.rows.tolist(),
        strict=True,
    )
    for at, (replica, start, end, rows) in enumerate(places):
        batch = decoding[at] / k[at]
        args: dict[str, object] = {
            "steps": k[at],
            "decode_sequences": batch if rows > 1 else int(batch),
            "prefill_tokens": prompts[at],
            "kv_blocks": held[at] / k[at],
        }
        args |= {f"{name}_us": us for name, sums in parts.items() if (us := sums[at] * 1e6) >= LEAST_PART_US}
        args |= {"mean_step_us": (end - start) / NS_PER_US / k[at]} if rows == 1 else {"rows": rows}
        yield complete(track_of(replica), _name(rows, batch, prompts[at]), start, end, args)
        yield counter(replica + 1, "batch", start, {"sequences": batch})
        yield counter(replica + 1, "requests", start, {"running": running[at], "waiting": waiting[at]})
    yield from _idle(tables.trials, slices)


def _idle(trials: Columns, slices: StepSlices) -> Iterator[Event]:
    """Yield what the counters stand at where a replica takes no step."""
    follows = (slices.replica[1:] == slices.replica[:-1]) & (slices.start_ns[1:] <= slices.end_ns[:-1])
    stops = ~np.append(follows, False)
    replicas, ends = slices.replica[stops], slices.end_ns[stops]
    queues = _queues(trials, replicas, ends)
    for replica, end, waiting, running in zip(replicas.tolist(), ends.tolist(), *queues, strict=True):
        yield counter(replica + 1, "batch", end, {"sequences": 0})
        yield counter(replica + 1, "requests", end, {"running": running, "waiting": waiting})


def _name(rows: int, batch: float, prompts: float) -> str:
    if rows > 1:
        return "merged"
    if not prompts:
        return "decode"
    return "decode and prefill" if batch else "prefill"


def _queues(trials: Columns, replicas: IntVector, at_ns: IntVector) -> tuple[list[int], list[int]]:
    """Return how many requests wait and run on replicas at moments; a preempted one counts as running."""
    waiting, running = np.zeros((2, len(replicas)), dtype=np.int64)
    never = np.iinfo(np.int64).max
    ended = np.where(trials["ended_ns"] < 0, never, trials["ended_ns"])
    started = np.where(trials["started_ns"] < 0, ended, trials["started_ns"])
    for replica in np.unique(replicas):
        own, here = trials["replica"] == replica, replicas == replica
        sent, begun, gone = (
            np.searchsorted(np.sort(times[own]), at_ns[here], side="right")
            for times in (trials["submitted_ns"], started, ended)
        )
        waiting[here], running[here] = sent - begun, begun - gone
    return waiting.tolist(), running.tolist()


def single_steps_until_ns(tokens: TokenTimes) -> int | None:
    """Return the moment until which `MOST_STEPS` steps of all replicas end; None: all of them do."""
    ends = np.concatenate(tokens.step_ends_ns)
    return int(np.partition(ends, MOST_STEPS)[MOST_STEPS]) if len(ends) > MOST_STEPS else None


def single_steps(tables: RunTables, tokens: TokenTimes, until_ns: int | None) -> Iterator[Event]:
    """Yield the single steps of rows that hold several, those that end before a moment.

    Parameters
    ----------
    tables : records of the run.
    tokens : when every step ended.
    until_ns : the moment; None: all of them.
    """
    steps = tables.steps
    for replica, ends in enumerate(tokens.step_ends_ns):
        rows = np.flatnonzero((steps["replica"] == replica) & (steps["steps"] > 1))
        shown = ends if until_ns is None else ends[ends < until_ns]
        for start, end in zip(steps["start_ns"][rows].tolist(), steps["end_ns"][rows].tolist(), strict=True):
            own = shown[shown.searchsorted(start, "right") : shown.searchsorted(end, "right")].tolist()
            for begin, until in zip([start, *own], own, strict=False):
                yield complete(track_of(replica), "step", begin, until, {})


def kv_events(tables: RunTables) -> Iterator[Event]:
    """Yield how many KV blocks are held over time: at most `MOST_MOMENTS` moments, evenly spread.

    Parameters
    ----------
    tables : records of the run.
    """
    parts, steps = StepParts.of(tables.steps), tables.steps
    rows = np.searchsorted(np.cumsum(steps["steps"]), np.cumsum(parts.steps))
    every = max(1, -(-len(rows) // MOST_MOMENTS))
    told = (steps["replica"][rows], parts.start_ns, parts.kv_blocks)
    for replica, at_ns, blocks in zip(*(column[::every].tolist() for column in told), strict=True):
        yield counter(replica + 1, "KV", at_ns, {"blocks": blocks})
