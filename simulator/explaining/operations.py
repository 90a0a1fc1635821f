"""The operations of the steps of a run: time, work, nearness to the bound, and the source of the numbers.

The bound (speed of light) is the data sheet's: FLOPs at the peak or bytes at the bandwidth, whichever takes
longer, row by row; of all-reduces the bytes that a ring moves at the link's peak.  What has no work, such as
launches and the host, has no bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from simulator.api import Result
from simulator.deployment import ACTIVATION_BYTES
from simulator.explaining.sources import NumbersSource, source_of
from simulator.metrics.hardware import WindowWork, bound_by
from simulator.metrics.tables import RunTables
from simulator.metrics.window import window_of

LABELS = {
    "qkv": "q/k/v projections",
    "o": "attention output",
    "gate_up": "MLP gate and up",
    "down": "MLP down",
    "lm_head": "output head",
    "attention": "decode attention",
    "prefill_attention": "prefill attention",
    "selection": "block selection",
    "allreduce": "all-reduces",
    "overhead": "host and launches",
    "linear_attention": "linear attention",
    "linear_prefill": "linear, prompts",
    "constant": "constant step",
}
"""What operations are called in tables; others by their own name."""


@dataclass(frozen=True, slots=True)
class OperationTime:
    """One operation over the steps of the window, on one GPU of each replica, all seeds together.

    Parameters
    ----------
    name, label : key and words.
    seconds : time, replica-seconds.
    share_ratio : of the time of all operations.
    step_seconds : mean time in a step, s.
    flops, hbm_bytes, link_bytes : work.
    bound_seconds : least time that the data sheet allows; 0 where there is no work.
    bound_ratio : `bound_seconds` over `seconds`; None where there is no work.
    flops_per_byte : arithmetic intensity; None without traffic.
    bound_by : ``compute``, ``memory``, ``link`` or ``latency`` (no work).
    source : where the numbers come from.
    """

    name: str
    label: str
    seconds: float
    share_ratio: float
    step_seconds: float
    flops: float
    hbm_bytes: float
    link_bytes: float
    bound_seconds: float
    bound_ratio: float | None
    flops_per_byte: float | None
    bound_by: str
    source: NumbersSource

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return asdict(self) | {"source": self.source._asdict()}


@dataclass(slots=True)
class _Sum:
    """One operation summed over seeds; seconds of compute and memory are the least at the peaks."""

    seconds: float = 0.0
    flops: float = 0.0
    hbm_bytes: float = 0.0
    link_bytes: float = 0.0
    compute_s: float = 0.0
    memory_s: float = 0.0
    bound_s: float = 0.0


def operation_times(results: Sequence[Result]) -> list[OperationTime]:
    """Return the operations of the windows of runs that differ in their seed only, the longest first.

    Operations that took no time are left out.

    Raises
    ------
    ValueError
        If there are no runs.
    """
    if not results:
        message = "the operations of no runs"
        raise ValueError(message)
    sums: dict[str, _Sum] = {}
    steps = sum(_add(result, sums) for result in results)
    latency = results[0].latency
    whole = sum(one.seconds for one in sums.values())
    found = [
        _operation(name, one, whole, steps, source_of(name, latency))
        for name, one in sums.items()
        if one.seconds > 0.0
    ]
    return sorted(found, key=lambda one: (-one.seconds, one.name))


def _add(result: Result, sums: dict[str, _Sum]) -> float:
    """Add the work of one run to `sums` and return how many steps its window has."""
    tables = RunTables.of(result.records)
    work = WindowWork.of(result.records, tables, window_of(result.scenario, tables), result.latency)
    for name, part in work.parts.items():
        one = sums.setdefault(name, _Sum())
        one.seconds += work.total(part.seconds)
        one.flops += work.total(part.flops)
        one.hbm_bytes += work.total(part.hbm_bytes)
        one.compute_s += work.total(part.flops) / part.peak_flops_per_s
        one.memory_s += work.total(part.hbm_bytes) / part.peak_bytes_per_s
        one.bound_s += work.total(part.bound_seconds)
    if "allreduce" in sums:
        moved = _link_bytes(result, work, tables)
        sums["allreduce"].link_bytes += moved
        link = result.latency.deployment.gpu.link_bandwidth_bytes_per_s.value
        sums["allreduce"].bound_s += moved / link
    return work.total(tables.steps["steps"])


def _link_bytes(result: Result, work: WindowWork, tables: RunTables) -> float:
    """Return what a ring moves through a GPU's link in either direction: 2 (n - 1) / n of each message."""
    d, steps = result.latency.deployment, tables.steps
    if d.tp == 1:
        return 0.0
    tokens = steps["steps"] * steps["decode_sequences"] + steps["prefill_tokens"]
    message = work.total(np.asarray(tokens)) * d.architecture.hidden_size * ACTIVATION_BYTES
    return 2 * d.architecture.layers * 2 * (d.tp - 1) / d.tp * message


def _operation(name: str, one: _Sum, whole: float, steps: float, source: NumbersSource) -> OperationTime:
    return OperationTime(
        name=name,
        label=LABELS.get(name, name.replace("_", " ")),
        seconds=one.seconds,
        share_ratio=one.seconds / whole,
        step_seconds=one.seconds / steps,
        flops=one.flops,
        hbm_bytes=one.hbm_bytes,
        link_bytes=one.link_bytes,
        bound_seconds=one.bound_s,
        bound_ratio=one.bound_s / one.seconds if one.bound_s else None,
        flops_per_byte=one.flops / one.hbm_bytes if one.hbm_bytes else None,
        bound_by="link" if one.link_bytes else bound_by(one.compute_s, one.memory_s),
        source=source,
    )
