"""Engine steps of a model with linear attention and experts: predicted on GPUs not fitted, and runs replayed.

Qwen3.6-35B-A3B under vLLM on one, four and eight B300, the eight and one run on four with whole experts. Data
lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
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
from page import cells, figures, to_the_digit

from simulator.api import simulate
from simulator.calibrate.steps import calibrate_steps
from simulator.deployment import Deployment
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import ServingFit
from simulator.latency import RooflineLatency
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario
from simulator.validate.whole_runs import fitted_without

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
UNDER = "Linear attention and experts: vLLM 0.20 on B300"


def plan(run: str) -> Deployment:
    return replace(deployment(MODEL, tp=HYBRID[run], on=B300), expert_parallel="_ep" in run)


@cache
def steps(run: str) -> pd.DataFrame:
    return steps_of(run, HYBRID[run], apart=HYBRID[run] == 1)


@cache
def fitted_on(runs: tuple[str, ...]) -> Calibration:
    base = with_numbers(None).model_copy(update={"serving": None, "split": None})
    rows = pd.concat([steps(run) for run in runs], ignore_index=True)
    return calibrate_steps(base, {HYBRID[run]: plan(run) for run in runs}, rows, SOURCE)


@pytest.fixture(scope="module", params=HYBRID)
def others(request: pytest.FixtureRequest) -> tuple[str, Calibration]:
    """Return a run and the shipped calibration with numbers from the runs on other numbers of GPUs.

    Tests of the same follow one another.
    """
    run: str = request.param
    return run, with_numbers(fitted_on(tuple(each for each in FITTED if HYBRID[each] != HYBRID[run])).serving)


def with_numbers(serving: ServingFit | None) -> Calibration:
    states = SHIPPED.linear_attention
    assert states is not None
    return SHIPPED.model_copy(update={"linear_attention": states.model_copy(update={"serving": serving})})


KERNELS = with_numbers(None).model_copy(update={"serving": None})


def part(run: str, kind: str) -> pd.DataFrame:
    """Return the steps of a run: ``decode``, with ``long`` or with ``short`` prompts."""
    rows = steps(run)
    new = rows["prefill_tokens"]
    kinds = {"decode": new == 0, "long": new >= LONG_PROMPTS, "short": (new > 0) & (new < LONG_PROMPTS)}
    return rows[kinds[kind]]


def cell(title: str, run: str) -> list[float]:
    return cells(title, under=UNDER)[list(HYBRID).index(run)]


def told(title: str, run: str) -> list[object]:
    """Return what equals the figures of the page's cell to the last digit, counts of steps left out."""
    # Figures from 10 % on are told without decimals.
    return [to_the_digit(one, 0.1 if one < 10 else 1) for one in cell(title, run)[:2]]


def off(calibration: Calibration | None, run: str, kind: str) -> tuple[float, float]:
    """Return median and 90th percentile of the error, %; None: of the bare roofline."""
    bound = BoundCalibrated(calibration, plan(run)) if calibration else RooflineLatency().bind(plan(run))
    median, p90 = median_and_p90(errors(bound, part(run, kind)))
    return 100 * median, 100 * p90


ROWS: dict[str, tuple[Calibration | None, str]] = {
    "decode": (SHIPPED, "decode"),
    "decode, with the numbers of Qwen3-32B instead": (with_numbers(None), "decode"),
    "decode, kernels alone": (KERNELS, "decode"),
    "decode, bare roofline": (None, "decode"),
    "with prompts of 600 tokens and more": (SHIPPED, "long"),
    "with shorter prompts": (SHIPPED, "short"),
}


@pytest.mark.parametrize("run", HYBRID)
@pytest.mark.parametrize("title", ROWS)
def test_steps_are_met_as_the_page_says(title: str, run: str) -> None:
    calibration, kind = ROWS[title]
    assert list(off(calibration, run, kind)) == told(title, run)
    rows, counts = part(run, kind), cell(title, run)[2:]
    if counts:
        assert [len(rows)] == counts
    else:
        assert len(rows) > {"decode": 5000, "long": 100, "short": 100}[kind]


@pytest.mark.parametrize("run", HYBRID)
def test_steps_with_prompts_wait_for_their_launch(run: str) -> None:
    serving = BoundCalibrated(SHIPPED, plan(run)).serving
    at_once = with_numbers(serving.model_copy(update={"captured_prompt_s": 0.0, "eager_prompt_s": 0.0}))
    found = [off(at_once, run, kind)[0] for kind in ("long", "short")]
    assert found == told("the same, without the least time of a launch", run)


def test_the_shipped_numbers_are_those_that_the_page_tells() -> None:
    assert SHIPPED.linear_attention is not None
    serving = SHIPPED.linear_attention.serving
    assert serving is not None
    by = serving.fitted
    assert [by.rows] == figures(r"fitted to ([\d,]+) of the steps of 1, 4 and 8e")
    assert by.median_error_ratio is not None
    assert by.p90_error_ratio is not None
    errors_told = figures(r"held out of the fit the error is ([\d.]+ and [\d.]+) %")
    assert [100 * by.median_error_ratio, 100 * by.p90_error_ratio] == [
        to_the_digit(one, 0.1) for one in errors_told
    ]
    waits = figures(r"takes (\d+) ms if it fits a captured size \(512 tokens\) and (\d+) ms if not")
    assert [1e3 * serving.captured_prompt_s, 1e3 * serving.eager_prompt_s] == [
        to_the_digit(one, 1) for one in waits
    ]
    ratios = figures(r"Kernels have a ratio of ([\d.]+) and decode attention of ([\d.]+), the least that")
    assert [serving.kernel_ratio, serving.attention_ratio] == ratios
    assert by.at_bound == {"kernel_ratio": "least", "attention_ratio": "least"}


@pytest.mark.slow
def test_another_number_of_gpus_is_predicted(others: tuple[str, Calibration]) -> None:
    run, fitted = others
    assert fitted_without(SHIPPED, f"{MODEL}-tp{HYBRID[run]}") == fitted
    found = list(off(fitted, run, "decode"))
    assert found == told("decode, fitted to the two other numbers of GPUs", run)
    with_prompts = [off(fitted, run, kind)[0] for kind in ("long", "short")]
    assert with_prompts == told("the last two, fitted to the two other numbers", run)


@pytest.mark.slow
def test_the_shipped_numbers_are_those_of_the_measured_steps() -> None:
    assert SHIPPED.linear_attention is not None
    found = fitted_on(FITTED)
    assert found.serving == SHIPPED.linear_attention.serving
    assert found.split is not None
    (rate,) = figures(r"finds, from this model alone, (\d+) GB/s for a thread block")
    assert found.split.block_bytes_per_s / 1e9 == to_the_digit(rate, 1)


@dataclass(frozen=True)
class Replayed:
    """A replay and what was measured: times for all requests, s, steps with prompts, and waits, s."""

    whole_s: tuple[float, float]
    with_prompts: tuple[int, int]
    waited_s: np.ndarray
    told_s: np.ndarray

    def signed(self) -> tuple[float, float]:
        """Return the errors of the time for all requests and of the mean end to end, %."""
        (whole_s, measured_s), mean = self.whole_s, self.waited_s.mean() / self.told_s.mean()
        return 100 * (whole_s / measured_s - 1.0), 100 * (float(mean) - 1.0)


def replayed(run: str, calibration: Calibration | None = None, *, multiple: int | None = None) -> Replayed:
    """Replay a run, with the shipped numbers or others, prompts cut at multiples."""
    scenario: dict[str, Any] = replay(run, MODEL, HYBRID[run], requests(run), expert_parallel="_ep" in run)
    scenario["engine"]["prefill_multiple_tokens"] = multiple or MULTIPLES[run]
    if calibration is not None:
        profile = B300.model_copy(update={"calibrations": {"vllm": calibration}})
        node = {"kind": "node", "name": "b300", "gpus": HYBRID[run]}
        scenario["hardware"] = node | {"gpu": profile.model_dump(mode="json", by_alias=True)}
    result = simulate(load_scenario(scenario))
    real = logged(run, "real")
    return Replayed(
        (result.records.end_ns / 1e9, real["latency_ms"].sum() / 1e3),
        (
            int((result.records.step_rows().prefill_tokens > 0).sum()),
            int((real["prefill_tokens"] > 0).sum()),
        ),
        (result.trials["ended_s"] - result.trials["submitted_s"]).to_numpy(),
        end_to_end_s(run),
    )


def tenths(title: str, run: str) -> list[object]:
    return [to_the_digit(one, 0.1) for one in cell(title, run)]


@pytest.mark.parametrize("run", HYBRID)
def test_whole_runs_are_replayed(run: str) -> None:
    found = replayed(run)
    assert list(found.whole_s) == tenths("time for all requests", run)
    assert list(found.with_prompts) == cell("steps with prompts", run)
    assert [found.signed()[1]] == tenths("mean end to end", run)
    each = [100 * size for size in median_and_p90(found.waited_s / found.told_s - 1.0)]
    assert each == told("each request: median, p90", run)


@pytest.mark.slow
def test_whole_runs_are_replayed_by_numbers_from_other_numbers_of_gpus(
    others: tuple[str, Calibration],
) -> None:
    run, fitted = others
    whole, mean = replayed(run, fitted).signed()
    assert [whole] == tenths("time for all, fitted to the two other numbers of GPUs", run)
    assert [mean] == tenths("mean end to end, likewise", run)


@pytest.mark.slow
@pytest.mark.parametrize("run", HYBRID)
def test_prompts_that_are_not_cut_at_multiples_make_runs_shorter(run: str) -> None:
    assert [replayed(run, multiple=1).signed()[0]] == tenths(
        "time for all, prompts not cut at multiples", run
    )
