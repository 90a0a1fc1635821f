"""A part of a trace, by time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workloads.traces.kinship import roots_and_depths
from workloads.traces.table import NONE, FloatArray, IntArray, Trace


def window(trace: Trace, from_s: float, to_s: float) -> Trace:
    """Return the requests sent in [from_s, to_s), and those that follow them; `from_s` is moment 0.

    A parent outside of the window is none: its child begins a tree of its own.

    Examples
    --------
    >>> window(Trace("kinesim", np.array([0.0, 1.0, 2.5, 3.0])), 1.0, 3.0).arrival_s.tolist()
    [0.0, 1.5]
    """
    first = _starts(trace)
    kept = np.flatnonzero((first >= from_s) & (first < to_s))
    cut = rows(trace, kept)
    return replace(cut, arrival_s=cut.arrival_s - from_s)


def in_order(trace: Trace) -> Trace:
    """Return the requests in the order of their arrivals, those that follow others right behind them."""
    return rows(trace, np.argsort(_starts(trace), kind="stable"))


def rows(trace: Trace, kept: IntArray) -> Trace:
    """Return the rows numbered `kept`, in that order; parents stay before their children."""
    parents = None
    if trace.parents is not None:
        numbers = np.full(trace.rows + 1, NONE, dtype=np.int64)  # the last place stands for no parent
        numbers[kept] = np.arange(len(kept))
        parents = numbers[trace.parents[kept]]
    blocks = None if trace.blocks is None else trace.blocks.rows(kept)
    return replace(
        trace,
        arrival_s=trace.arrival_s[kept],
        prompt_tokens=_some(trace.prompt_tokens, kept),
        output_tokens=_some(trace.output_tokens, kept),
        request_ids=_some(trace.request_ids, kept),
        parents=parents,
        tool_s=None if trace.tool_s is None else trace.tool_s[kept],
        sessions=_some(trace.sessions, kept),
        blocks=blocks,
    )


def _some(column: IntArray | None, kept: IntArray) -> IntArray | None:
    return None if column is None else column[kept]


def _starts(trace: Trace) -> FloatArray:
    """Return when each row was sent, or the row that it follows in the end, s."""
    if trace.parents is None:
        return trace.arrival_s
    above = np.where(np.isnan(trace.arrival_s), trace.parents, NONE)
    return trace.arrival_s[roots_and_depths(above)[0]]
