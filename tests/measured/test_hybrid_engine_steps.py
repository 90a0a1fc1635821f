"""Engine steps of a model with linear attention and experts: predicted on GPUs not fitted, and runs replayed.

Qwen3.6-35B-A3B under vLLM on one, four and eight B300, the eight and one run on four with whole experts. Data
lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
sys.path.insert(0, str(Path(__file__).parent))

from deployments import deployment
from engine_steps import (
    HYBRID,
    STEPS,
    end_to_end_s,
    errors,
    logged,
    median_and_p90,
    replay,
    requests,
    steps_of,
)

from simulator.api import simulate
from simulator.calibrate.steps import calibrate_steps
from simulator.deployment import Deployment
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import ServingFit
from simulator.latency import RooflineLatency
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario

pytestmark = pytest.mark.skipif(
    not (STEPS / "requests.csv").is_file(), reason="needs the measured steps beside the checkout"
)

MODEL = "qwen3.6-35b-a3b"
SOURCE = f"ai-dynamo/aiconfigurator@60a0ffc304ca:fpm_golden_runs, vLLM 0.20.1, {MODEL}, tp 1, 4, 8"
ONE, FOUR, FOUR_WHOLE, EIGHT = HYBRID
FITTED = (ONE, FOUR, EIGHT)
"""Runs whose steps the shipped numbers were fitted to; four GPUs with whole experts were never seen."""

MULTIPLES = {ONE: 528, FOUR: 528, FOUR_WHOLE: 528, EIGHT: 816}
"""Tokens at whose multiples the engine cut prompts, as the log shows."""

B300 = load_part(find("gpu", "b300-sxm"), Gpu)
SHIPPED = load_part(find("calibration", "b300-sxm.vllm"), Calibration)
LONG_PROMPTS = 600


def plan(run: str) -> Deployment:
    return replace(deployment(MODEL, tp=HYBRID[run], on=B300), expert_parallel="_ep" in run)


@cache
def steps(run: str) -> pd.DataFrame:
    return steps_of(run, HYBRID[run], apart=HYBRID[run] == 1)


def decodes(run: str) -> pd.DataFrame:
    rows = steps(run)
    return rows[rows["prefill_tokens"] == 0]


def fitted_on(runs: tuple[str, ...]) -> ServingFit:
    base = with_numbers(None).model_copy(update={"serving": None, "split": None})
    rows = pd.concat([steps(run) for run in runs], ignore_index=True)
    found = calibrate_steps(base, {HYBRID[run]: plan(run) for run in runs}, rows, SOURCE).serving
    assert found is not None
    return found


def with_numbers(serving: ServingFit | None) -> Calibration:
    states = SHIPPED.linear_attention
    assert states is not None
    return SHIPPED.model_copy(update={"linear_attention": states.model_copy(update={"serving": serving})})


@pytest.mark.parametrize(
    ("run", "median_reach", "p90_reach"),
    [(ONE, 0.035, 0.075), (FOUR, 0.02, 0.04), (FOUR_WHOLE, 0.03, 0.06), (EIGHT, 0.02, 0.045)],
)
def test_decode_steps_are_met_and_the_bare_roofline_is_far_off(
    run: str, median_reach: float, p90_reach: float
) -> None:
    rows = decodes(run)
    assert len(rows) > 5000
    median, p90 = median_and_p90(errors(BoundCalibrated(SHIPPED, plan(run)), rows))
    assert median < median_reach
    assert p90 < p90_reach
    bare, _ = median_and_p90(errors(RooflineLatency().bind(plan(run)), rows))
    assert bare > 0.3


@pytest.mark.parametrize(
    ("run", "long_reach", "short_reach"),
    [(FOUR, 0.065, 0.045), (FOUR_WHOLE, 0.085, 0.055), (EIGHT, 0.045, 0.055)],
)
def test_steps_with_prompts_wait_for_their_launch(run: str, long_reach: float, short_reach: float) -> None:
    rows = steps(run)
    prompts = rows[rows["prefill_tokens"] > 0]
    long = prompts["prefill_tokens"] >= LONG_PROMPTS
    bound = BoundCalibrated(SHIPPED, plan(run))
    assert min(long.sum(), (~long).sum()) > 100
    assert median_and_p90(errors(bound, prompts[long]))[0] < long_reach
    assert median_and_p90(errors(bound, prompts[~long]))[0] < short_reach
    at_once = bound.serving.model_copy(update={"captured_prompt_s": 0.0, "eager_prompt_s": 0.0})
    kernels = BoundCalibrated(with_numbers(at_once), plan(run))
    assert median_and_p90(errors(kernels, prompts[~long]))[0] > 0.35


@pytest.mark.parametrize(("run", "reach"), [(ONE, 0.27), (FOUR, 0.09), (FOUR_WHOLE, 0.12), (EIGHT, 0.055)])
def test_numbers_of_another_model_without_linear_attention_or_experts_are_not_far_off(
    run: str, reach: float
) -> None:
    median, _ = median_and_p90(errors(BoundCalibrated(with_numbers(None), plan(run)), decodes(run)))
    assert median < reach


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_out", "judged", "median_reach", "p90_reach", "total_reach"),
    [
        (ONE, ONE, 0.075, 0.13, 0.075),
        (FOUR, FOUR, 0.02, 0.04, 0.02),
        (FOUR, FOUR_WHOLE, 0.035, 0.06, 0.03),
        (EIGHT, EIGHT, 0.025, 0.055, 0.025),
    ],
)
def test_another_number_of_gpus_is_predicted(
    left_out: str, judged: str, median_reach: float, p90_reach: float, total_reach: float
) -> None:
    others = with_numbers(fitted_on(tuple(run for run in FITTED if run != left_out)))
    median, p90 = median_and_p90(errors(BoundCalibrated(others, plan(judged)), decodes(judged)))
    assert median < median_reach
    assert p90 < p90_reach
    replayed(judged, total_reach=total_reach, calibration=others)


@pytest.mark.slow
def test_the_shipped_numbers_are_those_of_the_measured_steps() -> None:
    assert SHIPPED.linear_attention is not None
    assert fitted_on(FITTED) == SHIPPED.linear_attention.serving


@pytest.mark.parametrize("run", HYBRID)
def test_whole_runs_are_replayed(run: str) -> None:
    replayed(run, total_reach=0.025)


def replayed(run: str, *, total_reach: float, calibration: Calibration | None = None) -> None:
    scenario: dict[str, Any] = replay(run, MODEL, HYBRID[run], requests(run), expert_parallel="_ep" in run)
    scenario["engine"]["prefill_multiple_tokens"] = MULTIPLES[run]
    if calibration is not None:
        profile = B300.model_copy(update={"calibrations": {"vllm": calibration}})
        node = {"kind": "node", "name": "b300", "gpus": HYBRID[run]}
        scenario["hardware"] = node | {"gpu": profile.model_dump(mode="json", by_alias=True)}
    result = simulate(load_scenario(scenario))
    measured_s = logged(run, "real")["latency_ms"].sum() / 1e3
    assert result.records.end_ns / 1e9 == pytest.approx(measured_s, rel=total_reach)
    with_prompts = int((result.records.step_rows().prefill_tokens > 0).sum())
    assert with_prompts == pytest.approx((logged(run, "real")["prefill_tokens"] > 0).sum(), rel=0.08)
    simulated_s = (result.trials["ended_s"] - result.trials["submitted_s"]).to_numpy()
    told_s = end_to_end_s(run)
    assert simulated_s.mean() == pytest.approx(told_s.mean(), rel=0.025 + total_reach)
    assert np.median(np.abs(simulated_s / told_s - 1.0)) < 0.01 + total_reach
