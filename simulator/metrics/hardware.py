"""Where the step time went and how close the GPUs came to their peaks.

FLOPs and bytes are those of the modelled operations, worked out from the integer step records
(``docs/decisions/0007-records-are-integers.md``); padding and kernel overheads are not in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.attention.work import FloatVector, IntVector
from simulator.engine.records import RunRecords
from simulator.latency import Part, StepLatency
from simulator.metrics.tables import RunTables
from simulator.metrics.window import Window
from simulator.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class WindowWork:
    """The work of all replicas in a window, on one GPU of each.

    Parameters
    ----------
    shares : part of each step row that lies in the window, shape (rows,).
    row_seconds : recorded time of each row, s, shape (rows,).
    parts : operations of the rows, by name.
    """

    shares: FloatVector
    row_seconds: FloatVector
    parts: dict[str, Part]

    @classmethod
    def of(cls, records: RunRecords, tables: RunTables, window: Window, latency: StepLatency) -> WindowWork:
        """Return the work of `records` in `window`."""
        steps = tables.steps
        shares = window.shares(steps["start_ns"], steps["end_ns"])
        seconds = (steps["end_ns"] - steps["start_ns"]) / NS_PER_S
        parts = latency.parts(records.step_rows()) if len(shares) else {}
        return cls(shares, seconds, parts)

    @property
    def busy_seconds(self) -> float:
        """Replica seconds spent stepping."""
        return self.total(self.row_seconds)

    @property
    def flops(self) -> float:
        """Floating-point operations on one GPU of each replica."""
        return sum(self.total(part.flops) for part in self.parts.values())

    @property
    def hbm_bytes(self) -> float:
        """Bytes read and written by one GPU of each replica."""
        return sum(self.total(part.hbm_bytes) for part in self.parts.values())

    @property
    def compute_seconds(self) -> FloatVector:
        """Least compute time of each row, s: every operation's FLOPs at its peak."""
        return self._summed([part.flops / part.peak_flops_per_s for part in self.parts.values()])

    @property
    def memory_seconds(self) -> FloatVector:
        """Least HBM time of each row, s."""
        return self._summed([part.hbm_bytes / part.peak_bytes_per_s for part in self.parts.values()])

    def total(self, column: FloatVector | IntVector) -> float:
        """Return the sum of a column of shape (rows,) over the window."""
        return float((self.shares * column).sum())

    def _summed(self, columns: list[FloatVector]) -> FloatVector:
        summed: FloatVector = np.sum(columns, axis=0) if columns else np.zeros(len(self.shares))
        return summed


def bound_by(compute_s: float, memory_s: float) -> str:
    """Name what bounds an operation: ``compute``, ``memory``, or ``latency`` where it has no work."""
    if compute_s == memory_s == 0.0:
        return "latency"
    return "compute" if compute_s > memory_s else "memory"


def part_shares(work: WindowWork) -> dict[str, dict[str, float | str | None]]:
    """Return each part's seconds, share of the step time, nearness to its bound and what bounds it.

    Parts that took no time are left out.  `bound_ratio` is the least time the hardware needs over the
    time taken; None for a part that is all latency floor.
    """
    seconds = {name: work.total(part.seconds) for name, part in work.parts.items()}
    everything = sum(seconds.values())
    shares: dict[str, dict[str, float | str | None]] = {}
    for name, part in work.parts.items():
        if seconds[name] <= 0.0:
            continue
        compute = work.total(part.flops) / part.peak_flops_per_s
        memory = work.total(part.hbm_bytes) / part.peak_bytes_per_s
        bound = work.total(part.bound_seconds)
        flops, hbm_bytes = work.total(part.flops), work.total(part.hbm_bytes)
        shares[name] = {
            "seconds": seconds[name],
            "share_ratio": seconds[name] / everything,
            "bound_ratio": bound / seconds[name] if bound else None,
            "bound_by": bound_by(compute, memory),
            "flops": flops,
            "hbm_bytes": hbm_bytes,
            "peak_flops_per_s": part.peak_flops_per_s,
        }
    return shares


def _ratio(amount: float, seconds: float, peak: float) -> float | None:
    return amount / (seconds * peak) if amount > 0.0 and seconds > 0.0 else None


def hardware(work: WindowWork, window: Window, replicas: int, latency: StepLatency) -> dict[str, object]:
    """Return MFU and MBU over busy time and over the window, and the parts of the step time.

    MFU is against the peak of the compute precision, also for attention that computes in bf16.  Both
    are None for a latency model without operations.  `attributed_ratio` is the parts' time over the
    recorded time: 1 but for rounding to nanoseconds, and for rows whose bound changes inside them.
    """
    d = latency.deployment
    peak, bandwidth = d.gpu.peak(d.compute_dtype), d.gpu.hbm_bandwidth_bytes_per_s.value
    busy, span = work.busy_seconds, window.seconds * replicas
    parts = part_shares(work)
    attributed = sum(work.total(part.seconds) for part in work.parts.values())
    return {
        "mfu_busy_ratio": _ratio(work.flops, busy, peak),
        "mfu_window_ratio": _ratio(work.flops, span, peak),
        "mbu_busy_ratio": _ratio(work.hbm_bytes, busy, bandwidth),
        "mbu_window_ratio": _ratio(work.hbm_bytes, span, bandwidth),
        "attributed_ratio": attributed / busy if busy > 0.0 else None,
        "parts": parts,
    }
