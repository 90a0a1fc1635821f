"""Engine steps of vLLM on B300: each step predicted, another number of GPUs predicted, whole runs replayed.

Data lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
sys.path.insert(0, str(Path(__file__).parent))

from deployments import deployment
from engine_steps import DENSE, SOURCE, STEPS, TPS, end_to_end_s, logged, measured_steps, requests

from simulator.api import simulate
from simulator.calibrate.files import to_json
from simulator.calibrate.steps import calibrate_steps, loads
from simulator.hardware import Calibration, Gpu
from simulator.latency import RooflineLatency, StepLatency
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario

pytestmark = pytest.mark.skipif(
    not (STEPS / "requests.csv").is_file(), reason="needs the measured steps beside the checkout"
)

B300 = load_part(find("gpu", "b300-sxm"), Gpu)
SHIPPED = load_part(find("calibration", "b300-sxm.vllm"), Calibration)
KERNELS = SHIPPED.model_copy(update={"serving": None, "split": None})
PLANS = {tp: deployment("qwen3-32b", tp=tp, on=B300) for tp in TPS}
LONG_PROMPTS = 600
CLIENTS = 32


@cache
def steps() -> pd.DataFrame:
    return measured_steps()


def errors(bound: StepLatency, rows: pd.DataFrame) -> np.ndarray:
    predicted = np.array([float(bound.step_seconds(load)) for load in loads(rows)])
    return predicted / rows["step_s"].to_numpy() - 1.0


def median_and_p90(signed: np.ndarray) -> tuple[float, float]:
    size = np.abs(signed)
    return float(np.median(size)), float(np.percentile(size, 90))


def fitted_on(tps: tuple[int, ...]) -> Calibration:
    rows = steps()
    return calibrate_steps(KERNELS, {tp: PLANS[tp] for tp in tps}, rows[rows["tp"].isin(tps)], SOURCE)


@pytest.mark.parametrize("tp", TPS)
def test_decode_steps_are_met_and_the_bare_roofline_is_far_off(tp: int) -> None:
    rows = steps()
    rows = rows[(rows["tp"] == tp) & (rows["prefill_tokens"] == 0)]
    assert len(rows) > 1000
    median, p90 = median_and_p90(errors(BoundCalibrated(SHIPPED, PLANS[tp]), rows))
    assert median < 0.02
    assert p90 < 0.045
    bare, _ = median_and_p90(errors(RooflineLatency().bind(PLANS[tp]), rows))
    assert bare > 0.25


@pytest.mark.parametrize("tp", TPS)
def test_steps_with_long_prompts_are_met(tp: int) -> None:
    rows = steps()
    rows = rows[(rows["tp"] == tp) & (rows["prefill_tokens"] >= LONG_PROMPTS)]
    assert len(rows) > 80
    median, p90 = median_and_p90(errors(BoundCalibrated(SHIPPED, PLANS[tp]), rows))
    assert median < 0.04
    assert p90 < 0.12


def test_unequal_contexts_explain_what_sums_cannot() -> None:
    rows = steps()
    rows = rows[(rows["tp"] == 2) & (rows["prefill_tokens"] == 0) & (rows["segment"] == "real")]
    told, _ = median_and_p90(errors(BoundCalibrated(SHIPPED, PLANS[2]), rows))
    sums, _ = median_and_p90(errors(BoundCalibrated(SHIPPED, PLANS[2]), rows.assign(longest_tokens=0)))
    assert sums > 3 * told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_out", "median_reach", "p90_reach"), [(1, 0.05, 0.09), (2, 0.02, 0.04), (8, 0.055, 0.075)]
)
def test_another_number_of_gpus_is_predicted(left_out: int, median_reach: float, p90_reach: float) -> None:
    others = tuple(tp for tp in TPS if tp != left_out)
    rows = steps()
    rows = rows[(rows["tp"] == left_out) & (rows["prefill_tokens"] == 0)]
    median, p90 = median_and_p90(errors(BoundCalibrated(fitted_on(others), PLANS[left_out]), rows))
    assert median < median_reach
    assert p90 < p90_reach


@pytest.mark.slow
def test_the_shipped_numbers_are_those_of_the_measured_steps() -> None:
    assert to_json(fitted_on(TPS)) == to_json(SHIPPED)


@pytest.mark.parametrize("tp", TPS)
def test_whole_runs_are_replayed(tp: int) -> None:
    result = simulate(load_scenario(replay(tp, requests(DENSE[TPS.index(tp)]))))
    # The failed request of the run on eight GPUs is not in the list: it held a place for part of the time.
    reach = 0.015 if tp < max(TPS) else 0.045
    measured_s = logged(DENSE[TPS.index(tp)], "real")["latency_ms"].sum() / 1e3
    assert result.records.end_ns / 1e9 == pytest.approx(measured_s, rel=reach)
    simulated_s = (result.trials["ended_s"] - result.trials["submitted_s"]).to_numpy()
    told_s = end_to_end_s(DENSE[TPS.index(tp)])
    assert simulated_s.mean() == pytest.approx(told_s.mean(), rel=0.02 + reach)
    assert np.median(np.abs(simulated_s / told_s - 1.0)) < 0.04


def replay(tp: int, asked: list[tuple[int, int]]) -> dict[str, object]:
    """Return the scenario of 32 clients that take up the requests one after the other."""
    prompts, outputs = zip(*asked, strict=True)
    return {
        "schema": 1,
        "name": "replay",
        "hardware": {"kind": "node", "name": f"b300-{tp}", "gpu": "b300-sxm", "gpus": tp},
        "model": {"preset": "qwen3-32b"},
        "parallelism": {"tp": tp},
        "engine": {
            "latency": {"kind": "calibrated", "engine": "vllm"},
            "max_batched_tokens": 8192,
            "max_sequences": 128,
        },
        "workload": {
            "tasks": {"kind": "synthetic", "count": len(asked), "prompt_tokens": 1},
            "lengths": {"kind": "constant", "tokens": 1},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "arrivals": {
                "kind": "closed_loop",
                "concurrency": CLIENTS,
                "prompt_tokens": list(prompts),
                "output_tokens": list(outputs),
            },
            "strategy": {"kind": "long_cot"},
            "max_tokens": max(outputs),
        },
    }
