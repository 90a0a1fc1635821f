"""A run over time, averaged over equal bins so that every moment counts and the page stays small.

A mean over a bin is no sample: what is in a run for half a bin counts half.  Step rows that span many
bins are followed inside by `simulator.metrics.step_parts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.attention.work import FloatVector, IntVector
from simulator.kvcache import KvCapacity
from simulator.metrics.load import present
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import RunTables
from simulator.units import NS_PER_S

BINS: Final = 300
"""Bins of a run; a screen shows no more."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Series over equal bins of a run, shape (bins,); NaN where no replica steps.

    Parameters
    ----------
    middle_s : middle of each bin, s.
    bin_s : length of a bin, s.
    running, waiting : trials present.
    batch : decoding sequences of a stepping replica.
    kv_tokens : tokens that a stepping replica holds.
    kv_ratio : the same over its capacity; NaN with unlimited capacity.
    output_tokens_per_s : tokens of all replicas.
    """

    middle_s: FloatVector
    bin_s: float
    running: FloatVector
    waiting: FloatVector
    batch: FloatVector
    kv_tokens: FloatVector
    kv_ratio: FloatVector
    output_tokens_per_s: FloatVector


def _reached(times: IntVector, weights: FloatVector, edges: FloatVector) -> FloatVector:
    """Return the integral up to each edge of ramps that start at `times` with slope `weights`."""
    order = np.argsort(times, kind="stable")
    slopes = np.concatenate(([0.0], np.cumsum(weights[order])))
    offsets = np.concatenate(([0.0], np.cumsum(weights[order] * times[order])))
    past = np.searchsorted(times[order], edges, side="right")
    integral: FloatVector = slopes[past] * edges - offsets[past]
    return integral


def binned(start: IntVector, end: IntVector, level: FloatVector, edges: FloatVector) -> FloatVector:
    """Return the integral over each bin of a sum of levels, each held from `start` to `end`.

    Parameters
    ----------
    start, end : bounds of each stretch, ns, shape (n,).
    level : height of each stretch, shape (n,).
    edges : bounds of the bins, ns, shape (bins + 1,).

    Returns
    -------
    FloatVector
        level x ns in each bin, shape (bins,).

    Examples
    --------
    >>> binned(np.array([0]), np.array([30]), np.array([2.0]), np.array([0.0, 20.0, 40.0])).tolist()
    [40.0, 20.0]
    """
    integral = _reached(start, level, edges) - _reached(end, level, edges)
    return np.diff(integral)


def timeline(tables: RunTables, capacity: KvCapacity, *, bins: int = BINS) -> Timeline:
    """Return the series of a run over `bins` equal bins from 0 to its end."""
    parts = StepParts.of(tables.steps)
    last = max(1, tables.end_ns)
    edges = np.linspace(0.0, last, bins + 1)
    width = last / bins
    start, end = parts.start_ns, parts.end_ns
    ones = np.ones(len(start))
    busy = binned(start, end, ones, edges)
    idle = busy < 1e-9 * width

    def per_busy(level: IntVector | FloatVector) -> FloatVector:
        total = binned(start, end, level.astype(np.float64), edges)
        mean: FloatVector = np.where(idle, np.nan, total / np.where(idle, 1.0, busy))
        return mean

    counts = {
        name: binned(begin, until, np.ones(len(begin)), edges) / width
        for name, (begin, until) in present(tables).items()
    }
    rates = parts.tokens / np.maximum(1, end - start)
    kv_tokens = per_busy(parts.kv_blocks * capacity.block_tokens)
    return Timeline(
        middle_s=(edges[:-1] + edges[1:]) / 2.0 / NS_PER_S,
        bin_s=width / NS_PER_S,
        running=counts["running"],
        waiting=counts["waiting"],
        batch=per_busy(parts.decode_sequences),
        kv_tokens=kv_tokens,
        kv_ratio=kv_tokens / capacity.tokens if capacity.limited else np.full(bins, np.nan),
        output_tokens_per_s=binned(start, end, rates, edges) / width * NS_PER_S,
    )
