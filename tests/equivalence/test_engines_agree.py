"""INV-7: the fast engine's records are those of the reference engine, byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import TINY_MODEL, mixed_scenarios, node, scenarios

from simulator.engine.records import RunRecords
from simulator.engine.run import EngineName, run_scenario
from simulator.errors import InfeasiblePlanError
from simulator.scenario.schema import Scenario

ENGINES: tuple[EngineName, ...] = ("fast", "reference")


def records_or_refusal(scenario: Scenario, engine: EngineName) -> tuple[RunRecords | None, str]:
    try:
        return run_scenario(scenario, seed=scenario.seed, engine=engine).records, ""
    except InfeasiblePlanError as refusal:
        return None, str(refusal)


@given(scenario=scenarios())
def test_both_engines_give_the_same_records(scenario: Scenario) -> None:
    assert_same_records(scenario)


@given(scenario=mixed_scenarios())
def test_both_engines_agree_where_sequences_have_kv_budgets_of_their_own(scenario: Scenario) -> None:
    assert_same_records(scenario)


def assert_same_records(scenario: Scenario) -> None:
    reference, reference_refusal = records_or_refusal(scenario, "reference")
    fast, fast_refusal = records_or_refusal(scenario, "fast")
    assert fast_refusal == reference_refusal
    if fast is None or reference is None:
        return
    assert fast.trials.tolist() == reference.trials.tolist()
    assert fast.tasks.tolist() == reference.tasks.tolist()
    assert fast.steps.tolist() == reference.steps.tolist()
    assert (fast.end_ns, fast.pending_tasks) == (reference.end_ns, reference.pending_tasks)


def test_what_one_replica_caches_does_not_depend_on_when_a_task_ends_on_another() -> None:
    # Once, an ended task's cached blocks were freed at once on every replica, in the middle of macro steps
    # that were to evict others; the steps of the reference had evicted them by then.
    scenario = Scenario.model_validate(
        {
            "schema": 1,
            "hardware": node(),
            "model": {"preset": TINY_MODEL},
            "parallelism": {"tp": 1, "dp": 2},
            "engine": {
                "scheduler": {"kind": "longest_first"},
                "router": {"kind": "round_robin"},
                "kv": {"block_tokens": 16, "blocks": 22, "watermark_ratio": 0.0},
                "max_sequences": 4,
                "max_batched_tokens": 40,
            },
            "workload": {
                "tasks": {
                    "kind": "synthetic",
                    "count": 5,
                    "prompt_tokens": {"median_tokens": 30.0, "log_sigma": 0.7, "longest_tokens": 100},
                },
                "arrivals": {"kind": "all_at_once"},
                "lengths": {
                    "kind": "difficulty_coupled",
                    "median_tokens": 30.0,
                    "log_sigma": 0.5,
                    "slope": 2.0,
                },
                "outcomes": {"kind": "beta", "alpha": 0.6, "beta": 1.2, "zero_ratio": 0.1},
                "strategy": {
                    "kind": "beam_search",
                    "beams": 1,
                    "expansion": 3,
                    "rounds": 3,
                    "verifier_noise": 0.5,
                },
                "max_tokens": 200,
                "length_prediction": {"log_error": 0.3},
            },
            "seed": 3,
        }
    )
    fast, reference = (run_scenario(scenario, seed=3, engine=engine).records for engine in ENGINES)
    assert fast.trials.tolist() == reference.trials.tolist()
    assert fast.steps.tolist() == reference.steps.tolist()
