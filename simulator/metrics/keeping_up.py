"""Whether arrivals, not the node, set how many tasks end: then rates say nothing, and times count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final

from simulator.metrics.measures import number, text

OPEN_ARRIVALS: Final = frozenset({"poisson", "gamma", "trace"})
"""Arrivals that do not wait for answers."""

KEEPS_UP_RATIO: Final = 0.9
"""Part of the arrivals of a steady window that a node must answer in it to be said to keep up."""

SURE: Final = 1.645
"""Standard deviations below which 95 % of a normal variable lies: quantile 0.95, one-sided."""

TASK_TIME: Final = "latency.task_s.mean"
"""What is compared where the arrivals set the rate."""


def keeps_up(summaries: Sequence[Mapping[str, object]]) -> bool:
    """Say whether open arrivals set how many tasks end in the steady windows of all runs of a plan.

    Notes
    -----
    Of a node that keeps up about as many tasks end in a window as arrive.  The few that are under way at
    its two ends differ by luck: where the arrivals are Poisson's and nothing queues, both counts are
    Poisson's with one mean, so their difference has the variance of their sum.  By Little's law that mean is
    the rate times the mean task time.
    """
    arrived = ended = under_way = 0.0
    for summary in summaries:
        if text(summary, "plan.arrivals") not in OPEN_ARRIVALS or text(summary, "window.kind") != "steady":
            return False
        arrived += number(summary, "window.tasks_arrived") or 0.0
        ended += number(summary, "throughput.tasks_ended") or 0.0
        rate, task_s = number(summary, "throughput.tasks_per_s"), number(summary, TASK_TIME)
        under_way += 2.0 * (rate or 0.0) * (task_s or 0.0)
    backlog = arrived - ended
    return backlog <= (1.0 - KEEPS_UP_RATIO) * arrived or backlog <= SURE * sqrt(under_way)
