"""What one change of the batch costs with everything switched on; prints one JSON object.

The run is timed undisturbed, then repeated with the step boundaries counted: a boundary is where a replica
takes account of finished steps, lets sequences go and in, and plans the next steps.  The time includes
drawing the trials, routing and records; start-up, reading the scenario and the summary are left out.
"""

from __future__ import annotations

import json
import sys
import time

from simulator.engine import fast
from simulator.engine.run import run_scenario
from simulator.scenario.loader import load_scenario


class Counted(fast.FastReplica):
    """A replica that counts where it decides."""

    boundaries = 0

    def _start_step(self) -> None:
        Counted.boundaries += 1
        super()._start_step()


def main(path: str) -> None:
    """Time the scenario at `path` and count its boundaries."""
    scenario = load_scenario(path)
    start = time.perf_counter()
    records = run_scenario(scenario, seed=scenario.seed).records
    wall_s = time.perf_counter() - start
    from simulator.engine import run  # noqa: PLC0415 - the name that the second run looks up is replaced

    run.FastReplica = Counted  # type: ignore[misc] - the count goes in beside the code, not into it
    run_scenario(scenario, seed=scenario.seed)
    preemptions = int(records.trials[:, 13].sum())
    json.dump(
        {
            "wall_s": wall_s,
            "boundaries": Counted.boundaries,
            "trials": len(records.trials),
            "preemptions": preemptions,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
