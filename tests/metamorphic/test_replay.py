"""INV-13: replaying the recorded arrivals and lengths of a run gives that run again."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import TINY_MODEL, node

from simulator.engine.records import TASK_COLUMNS, TRIAL_COLUMNS, column
from simulator.engine.run import run_scenario
from simulator.scenario.schema import Scenario
from simulator.units import to_s


def test_a_replay_of_what_was_recorded_is_the_run() -> None:
    document = {
        "schema": 1,
        "hardware": node(),
        "model": {"preset": TINY_MODEL},
        "parallelism": {"tp": 1, "dp": 2},
        "engine": {"max_sequences": 16, "kv": {"block_tokens": 16, "blocks": 34}},
        "workload": {
            "tasks": {
                "kind": "synthetic",
                "count": 60,
                "prompt_tokens": {"median_tokens": 30.0, "log_sigma": 0.7, "longest_tokens": 200},
            },
            "arrivals": {"kind": "poisson", "rate_per_s": 2000.0},
            "lengths": {"kind": "lognormal", "median_tokens": 60.0, "log_sigma": 0.8},
            "outcomes": {"kind": "fixed", "solve_probability": 0.5},
            "strategy": {"kind": "long_cot"},
            "max_tokens": 300,
        },
    }
    run = run_scenario(Scenario.model_validate(document), seed=4).records
    trials = run.trials
    trace = {
        "kind": "trace",
        "arrivals_s": [to_s(t) for t in column(run.tasks, TASK_COLUMNS, "arrival_ns").tolist()],
        "prompt_tokens": column(trials, TRIAL_COLUMNS, "prompt_tokens").tolist(),
        "output_tokens": column(trials, TRIAL_COLUMNS, "output_tokens").tolist(),
    }
    assert column(trials, TRIAL_COLUMNS, "preemptions").sum() > 0
    replayed = document | {"workload": document["workload"] | {"arrivals": trace}}
    again = run_scenario(Scenario.model_validate(replayed), seed=4).records
    assert again.steps.tobytes() == run.steps.tobytes()
    state = TRIAL_COLUMNS.index("truncated")
    assert again.trials[:, :state].tobytes() == run.trials[:, :state].tobytes()
