"""What one change of the batch costs with everything switched on; prints one JSON object.

The run is timed undisturbed, then repeated with the step boundaries counted: a boundary is where a replica
takes account of finished steps, lets sequences go and in, and plans the next steps.  The time includes
drawing the trials, routing and records; start-up, reading the scenario and the summary are left out.
"""

from __future__ import annotations

import json
import sys
import time
from unittest import mock

from simulator.engine.fast import FastReplica
from simulator.engine.records import TRIAL_COLUMNS, column
from simulator.engine.run import run_scenario
from simulator.scenario.loader import load_scenario


def main(path: str) -> None:
    """Time the scenario at `path`, then count its boundaries."""
    scenario = load_scenario(path)
    start, cpu_start = time.perf_counter(), time.process_time()
    records = run_scenario(scenario, seed=scenario.seed).records
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    decides = FastReplica._start_step  # noqa: SLF001 - counted from outside, the engine keeps no such count
    with mock.patch.object(FastReplica, "_start_step", autospec=True, side_effect=decides) as counted:
        run_scenario(scenario, seed=scenario.seed)
    preemptions = int(column(records.trials, TRIAL_COLUMNS, "preemptions").sum())
    trials = len(records.trials)
    figures = {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "boundaries": counted.call_count,
        "joins_and_leaves": 2 * (trials + preemptions),
        "trials": trials,
        "preemptions": preemptions,
    }
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
