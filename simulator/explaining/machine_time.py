"""Where the replicas' time in the window went: parts that sum to it.

Exact, from the records: how long each replica stepped and how long it was idle.  By rule: how the time of
a step is divided.  The latency model attributes it to operations; what a step with prompts takes beyond the
same step without them is prefill; a matrix product or attention counts as the resource that it needs longer
at the data sheet's peak; and where the parts of a row miss its recorded time they are scaled to it.

Not told apart: kernels from the gaps between them inside a calibrated operation, recomputation after a
preemption from first prefill, and what idle replicas wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.api import Result
from simulator.attention.work import FloatVector
from simulator.engine.records import RunRecords
from simulator.latency import Part, StepLatency, StepRows
from simulator.metrics.tables import RunTables
from simulator.metrics.window import window_of
from simulator.units import NS_PER_S

PARTS: Final[Mapping[str, str]] = {
    "weights": "weights: products bound by memory",
    "compute": "compute: products bound by FLOPs",
    "kv_reads": "KV reads: attention bound by memory",
    "attention_compute": "attention bound by FLOPs",
    "selection": "selection of KV blocks",
    "states": "states of linear attention",
    "norms": "norms",
    "collectives": "collectives",
    "host": "host and launches",
    "constant": "constant step time, not divided",
    "prefill": "prefill: what prompts add",
    "idle": "idle",
}
"""Every part, and what it is called in tables."""

_OF_OPERATION: Final[Mapping[str, str]] = {
    "selection": "selection",
    "linear_attention": "states",
    "norms": "norms",
    "allreduce": "collectives",
    "overhead": "host",
    "constant": "constant",
}
"""Operations that are one part whatever bounds them."""

_OF_PROMPTS: Final = frozenset({"prefill_attention", "linear_prefill"})


@dataclass(frozen=True, slots=True)
class MachineTime:
    """How the replicas spent the window.

    Parameters
    ----------
    seconds : replica-seconds by part, in the order of `PARTS`; none is negative and they sum to `total_s`.
    total_s : length of the window times the number of replicas, s.
    gpus_per_replica : GPUs that a replica-second stands for.
    tasks_ended, tasks_solved : tasks that ended in the window, and those of them that were solved.
    """

    seconds: Mapping[str, float]
    total_s: float
    gpus_per_replica: int
    tasks_ended: int
    tasks_solved: int

    @property
    def share_ratios(self) -> dict[str, float]:
        """Part of the window by part; all 0 where the window has no length."""
        total = self.total_s
        return {name: seconds / total if total else 0.0 for name, seconds in self.seconds.items()}

    def gpu_seconds_per(self, tasks: int) -> dict[str, float] | None:
        """Return GPU-seconds by part over a number of tasks; None if there are none."""
        if not tasks:
            return None
        return {name: s * self.gpus_per_replica / tasks for name, s in self.seconds.items()}


def machine_time(result: Result) -> MachineTime:
    """Return how the replicas of a run spent its window.

    Parameters
    ----------
    result : a finished run.

    Returns
    -------
    MachineTime
        In s.  Idle is what the records leave of the window; the rest is divided as the module says.
    """
    tables = RunTables.of(result.records)
    window = window_of(result.scenario, tables)
    steps, p = tables.steps, result.scenario.parallelism
    shares = window.shares(steps["start_ns"], steps["end_ns"])
    found = dict.fromkeys(PARTS, 0.0)
    if len(shares):
        for name, seconds in _divided(result.records, result.latency).items():
            found[name] += float((shares * seconds).sum())
    span_ns = (window.end_ns - window.start_ns) * p.dp
    stepped_ns = int(window.overlap_ns(steps["start_ns"], steps["end_ns"]).sum())
    found["idle"] = (span_ns - stepped_ns) / NS_PER_S
    ended = window.ends_inside(tables.tasks["ended_ns"])
    return MachineTime(
        seconds=found,
        total_s=span_ns / NS_PER_S,
        gpus_per_replica=p.tp,
        tasks_ended=int(ended.sum()),
        tasks_solved=int((ended & (tables.tasks["solved"] == 1)).sum()),
    )


def _divided(records: RunRecords, latency: StepLatency) -> dict[str, FloatVector]:
    """Return the seconds of every step row by part, columns of shape (rows,) that sum to its time."""
    rows = records.step_rows()
    tables = RunTables.of(records)
    recorded = (tables.steps["end_ns"] - tables.steps["start_ns"]) / NS_PER_S
    found: dict[str, FloatVector] = {name: np.zeros(len(recorded)) for name in PARTS}
    decoding = (rows.decode_sequences > 0).astype(np.float64)
    for name, part in latency.parts(_without_prompts(rows)).items():
        if name not in _OF_PROMPTS:
            _add(found, name, part, decoding)
    decode_s = _sum(found)
    whole_s = np.sum([part.seconds for part in latency.parts(rows).values()], axis=0)
    with_prompts = rows.prefill_tokens > 0
    found["prefill"] = np.where(with_prompts, np.maximum(whole_s - decode_s, 0.0), 0.0)
    attributed = _sum(found)
    scale = np.divide(recorded, attributed, out=np.zeros(len(recorded)), where=attributed > 0.0)
    scaled: dict[str, FloatVector] = {name: seconds * scale for name, seconds in found.items()}
    # A row without any attributed time is the host's: there is nothing else that it could be.
    scaled["host"] = scaled["host"] + np.where(attributed > 0.0, 0.0, recorded)
    return scaled


def _without_prompts(rows: StepRows) -> StepRows:
    """Return the same steps as if they had computed no prompts."""
    nothing = np.zeros(len(rows.steps), dtype=np.int64)
    return replace(
        rows,
        prefill_tokens=nothing,
        prefill_attended_tokens=nothing,
        prefill_read_tokens=nothing,
        prefill_ends=nothing,
    )


def _add(found: dict[str, FloatVector], name: str, part: Part, decoding: FloatVector) -> None:
    """Add the time of one operation to the part, or parts, that it belongs to."""
    seconds = part.seconds * decoding
    if name in _OF_OPERATION:
        found[_OF_OPERATION[name]] += seconds
        return
    by_compute = part.flops / part.peak_flops_per_s > part.hbm_bytes / part.peak_bytes_per_s
    memory, compute = ("kv_reads", "attention_compute") if name == "attention" else ("weights", "compute")
    found[memory] += np.where(by_compute, 0.0, seconds)
    found[compute] += np.where(by_compute, seconds, 0.0)


def _sum(columns: Mapping[str, FloatVector]) -> FloatVector:
    summed: FloatVector = np.sum(list(columns.values()), axis=0)
    return summed
