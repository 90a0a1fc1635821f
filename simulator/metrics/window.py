"""The part of a run that rates refer to, and what falls into it.

Rates count what ended in the window.  Distributions follow the tasks and trials that arrived in it to
their end, so that long ones are not lost at its edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.attention.work import FloatVector, IntVector
from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario
from simulator.units import NS_PER_S

SETTLING_TASK_TIMES: Final = 3.0
"""Mean task times that a node takes to forget how it began: from idle, or with all users starting at once.

Trials of very different length pull the users apart; on the shipped quickstart a start after 1.1 task times
gives 3 % too few tasks for the tokens made, after 2.1 task times 0.1 %.
"""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of simulated time.

    Parameters
    ----------
    kind : ``whole`` or ``steady``.
    start_ns, end_ns : its bounds.
    fell_back : a steady window was due, but the arrivals span no time.
    unsettled : the arrivals span less than twice the time that settling takes, so the start is too early.
    """

    kind: Literal["whole", "steady"]
    start_ns: int
    end_ns: int
    fell_back: bool = False
    unsettled: bool = False

    @property
    def seconds(self) -> float:
        """Length, s."""
        return (self.end_ns - self.start_ns) / NS_PER_S

    def ends_inside(self, times_ns: IntVector) -> NDArray[np.bool_]:
        """Say which ends fall into the window, its start excluded; times that never came do not."""
        return (times_ns >= 0) & (times_ns > self.start_ns) & (times_ns <= self.end_ns)

    def starts_inside(self, times_ns: IntVector) -> NDArray[np.bool_]:
        """Say which arrivals fall into the window, its bounds included."""
        return (times_ns >= self.start_ns) & (times_ns <= self.end_ns)

    def overlap_ns(self, start_ns: IntVector, end_ns: IntVector) -> IntVector:
        """Return how long each stretch lies in the window."""
        clipped = np.minimum(end_ns, self.end_ns) - np.maximum(start_ns, self.start_ns)
        overlap: IntVector = np.maximum(clipped, 0)
        return overlap

    def shares(self, start_ns: IntVector, end_ns: IntVector) -> FloatVector:
        """Return the part of each stretch that lies in the window, in [0, 1]."""
        length = end_ns - start_ns
        instant = length == 0
        shares: FloatVector = self.overlap_ns(start_ns, end_ns) / np.where(instant, 1, length)
        shares[instant] = self.starts_inside(start_ns)[instant]
        return shares

    def per_second(self, amount: float) -> float | None:
        """Return `amount` per second of the window; None if it has no length."""
        return amount / self.seconds if self.end_ns > self.start_ns else None


def window_of(scenario: Scenario, tables: RunTables) -> Window:
    """Return the window that the scenario's report asks for.

    ``whole`` runs from the first arrival to the last answer, or to the end of a run that was cut.
    ``steady`` leaves out the warm-up and the drain after the last arrival; a run that was cut while
    tasks were still to come has no drain. The warm-up is the share that the report asks for, or
    `SETTLING_TASK_TIMES` mean task times if that is longer, but at most half of the arrivals' time.
    """
    report, arrivals = scenario.report, tables.tasks["arrival_ns"]
    if not len(arrivals):
        return Window("whole", 0, tables.end_ns)
    ends = tables.tasks["ended_ns"]
    unfinished = tables.pending_tasks > 0 or not bool(tables.ended.all())
    first, last = int(arrivals.min()), int(arrivals.max())
    whole = Window("whole", first, tables.end_ns if unfinished else int(ends.max()))
    is_batch = scenario.workload.arrivals.kind == "all_at_once"
    if report.window == "whole" or (report.window == "auto" and is_batch):
        return whole
    if tables.pending_tasks:
        last = tables.end_ns
    if last <= first:
        return Window("whole", whole.start_ns, whole.end_ns, fell_back=True)
    asked = report.warmup_ratio * (last - first)
    settled = _settling_ns(tables)
    half = (last - first) / 2
    start = first + round(max(asked, min(settled, half)))
    return Window("steady", min(start, last - 1), last, unsettled=settled > max(asked, half))


def _settling_ns(tables: RunTables) -> float:
    """Return how long the run takes to forget its beginning, ns; 0 where no task ended."""
    ended = tables.ended
    if not ended.any():
        return 0.0
    times = tables.tasks["ended_ns"][ended] - tables.tasks["arrival_ns"][ended]
    return SETTLING_TASK_TIMES * float(times.mean())
