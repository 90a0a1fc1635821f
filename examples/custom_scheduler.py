"""Does it pay to admit first the tasks that have waited least?  A scheduler of one's own, in one file.

`LastComeFirst` admits the newest task first, `Fcfs` of the package the oldest request.  Both engines rank a
sequence once, when it enters the queue (docs/decisions/0006-policies-rank.md).  Prints (seed 1):

    fcfs              0.171 tasks/s   task time: median   400 s, p95   590 s
    last_come_first   0.125 tasks/s   task time: median   366 s, p95   871 s
"""

from __future__ import annotations

from typing import ClassVar, Literal

from simulator import load_scenario, simulate, with_components
from simulator.frozen import FrozenModel
from simulator.scheduling import Rank, SequenceView


class LastComeFirst(FrozenModel):
    """The newest task first: some wait long, most hardly at all."""

    kind: Literal["last_come_first"] = "last_come_first"
    reads_prediction: ClassVar[bool] = False  # needs no workload.length_prediction

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue; the smallest is admitted first."""
        return (-view.task_arrival_ns, -view.task, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence gives way where memory runs out; the largest first."""
        return (-view.task_arrival_ns, -view.task, admitted)


def main() -> None:
    """Compare the two where tasks queue."""
    changes = {
        "workload.arrivals": {"kind": "poisson", "rate_per_s": 0.2},
        "workload.tasks.repeats": 8,
        "engine.max_sequences": 32,
        "variants": None,
    }
    oldest = load_scenario("quickstart", overrides=changes)
    for scenario in (oldest, with_components(oldest, scheduler=LastComeFirst())):
        summary = simulate(scenario, seed=1).summary
        times = summary["latency"]["task_s"]
        print(
            f"{summary['plan']['scheduler']:16s} {summary['throughput']['tasks_per_s']:6.3f} tasks/s   "
            f"task time: median {times['p50']:5.0f} s, p95 {times['p95']:5.0f} s"
        )


if __name__ == "__main__":
    main()
