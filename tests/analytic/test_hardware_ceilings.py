"""INV-14 and INV-15: no run beats its hardware, and powered GPUs draw at least their idle power.

The ceilings are worked out here from the architecture and the data sheet, not by the latency model.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))
sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import documents
from served import scenario, tasks, workload

from simulator import load_scenario, simulate
from simulator.api import Result
from simulator.errors import InfeasiblePlanError
from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario

PROFILES = sorted(path.stem for path in (Path(__file__).parents[2] / "hw_profiles").glob("*-8.yaml"))
BF16_BYTES = 2


def result_of(document: dict[str, Any], combine: str = "sum_of_max") -> Result:
    """Run a random scenario of equally hard tasks on bare hardware: no overhead, no all-reduce."""
    bare = {"kind": "roofline", "combine": combine, "layer_overhead_s": 0.0, "collectives": False}
    changes = {
        "engine": document["engine"] | {"latency": bare},
        "workload": document["workload"] | {"outcomes": {"kind": "fixed", "solve_probability": 0.3}},
    }
    served = Scenario.model_validate(document | changes)
    try:
        return simulate(served)
    except InfeasiblePlanError:
        assume(condition=False)
        raise


def linear_weights(served: Scenario) -> int:
    """Return the weights that every token is multiplied with, the output head included."""
    a = served.model.architecture
    attention = a.hidden_size * a.head_dim * (2 * a.query_heads + 2 * a.kv_heads)
    if a.experts is None:
        ffn = 3 * a.hidden_size * a.ffn_size
    else:
        ffn = a.experts.active * 3 * a.hidden_size * a.experts.ffn_size + a.hidden_size * a.experts.count
    return a.layers * (attention + ffn) + a.vocab_size * a.hidden_size


def least_seconds(result: Result, replica: int) -> float:
    """Return the time in which a replica's peaks could at best have produced its output."""
    served, tables = result.scenario, RunTables.of(result.records)
    gpu, tp, trials = served.hardware.gpu, served.parallelism.tp, tables.trials
    here = trials["replica"] == replica
    tokens, longest = trials["output_tokens"][here].sum(), served.engine.max_sequences
    weights = linear_weights(served)
    compute = 2 * weights * tokens / (tp * gpu.peak("bf16"))
    # A step gives at most one token to each sequence and reads the weights once.
    memory = tokens / longest * weights * BF16_BYTES / (tp * gpu.hbm_bandwidth_bytes_per_s.value)
    return float(max(compute, memory))


@given(document=documents())
def test_no_replica_produces_tokens_faster_than_its_peaks_allow(document: dict[str, Any]) -> None:
    result = result_of(document)
    steps = RunTables.of(result.records).steps
    for replica in range(result.scenario.parallelism.dp):
        rows = steps["replica"] == replica
        busy_s = float((steps["end_ns"] - steps["start_ns"])[rows].sum()) / 1e9
        rounding_s = 0.5e-9 * float(steps["steps"][rows].sum())
        # Of a run that is cut, the step in flight is in no row and its tokens are in no trial.
        assert busy_s + rounding_s >= least_seconds(result, replica) * (1 - 1e-9)


@given(document=documents())
def test_energy_lies_between_idle_power_and_the_power_limit(document: dict[str, Any]) -> None:
    result = result_of(document, combine="max_of_sum")
    summary, served = result.summary, result.scenario
    joules = summary["energy"]["joules"]
    gpus, gpu = served.parallelism.tp * served.parallelism.dp, served.hardware.gpu
    seconds = gpus * summary["window"]["seconds"]
    if joules is None:
        assert summary["hardware"]["mbu_busy_ratio"] is None
        return
    assert joules >= gpu.idle_watts.value * seconds
    assert joules <= gpu.tdp_watts.value * seconds * (1 + 1e-9)


def test_gpus_that_wait_draw_idle_power() -> None:
    arrivals = {"kind": "closed_loop", "concurrency": 1, "think_time_s": 1000.0}
    served = scenario(
        workload(tasks=tasks(5), arrivals=arrivals), engine={"latency": {"kind": "roofline"}}, dp=4
    )
    summary = simulate(served).summary
    idle_joules = 187.0 * 4 * summary["window"]["seconds"]
    assert summary["energy"]["joules"] == pytest.approx(idle_joules, rel=1e-5)
    assert summary["energy"]["joules"] > idle_joules


@pytest.mark.parametrize("profile", PROFILES)
def test_a_full_node_comes_close_to_the_ceiling_of_its_data_sheet_and_stays_below(profile: str) -> None:
    batch, prompt, output = 256, 1024, 1024
    served = load_scenario(
        {
            "schema": 1,
            "hardware": profile,
            "model": {"preset": "qwen3-8b"},
            "parallelism": {"tp": 8},
            "engine": {
                "latency": {"kind": "roofline", "layer_overhead_s": 0.0, "collectives": False},
                "kv": {"capacity": "unlimited"},
                "max_sequences": batch,
            },
            "workload": workload(
                tasks=tasks(batch, prompt), lengths={"kind": "constant", "tokens": output}, max_tokens=output
            ),
        }
    )
    steps = RunTables.of(simulate(served).records).steps
    decoding = steps["prefill_tokens"] == 0
    seconds = float((steps["end_ns"] - steps["start_ns"])[decoding].sum()) / 1e9
    tokens = int((steps["decode_sequences"] * steps["steps"])[decoding].sum())
    a, gpu = served.model.architecture, served.hardware.gpu
    kv_token_bytes = 2 * a.kv_heads * a.head_dim * a.layers * BF16_BYTES
    step_bytes = linear_weights(served) * BF16_BYTES + batch * (prompt + output / 2) * kv_token_bytes
    ceiling = batch * 8 * gpu.hbm_bandwidth_bytes_per_s.value / step_bytes
    assert 0.8 * ceiling < tokens / seconds < ceiling
