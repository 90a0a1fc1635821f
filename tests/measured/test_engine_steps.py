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
from engine_steps import (
    DENSE,
    SOURCE,
    STEPS,
    TPS,
    end_to_end_s,
    errors,
    logged,
    measured_steps,
    median_and_p90,
    replay,
    requests,
)
from page import cells, figures, text, to_the_digit

from simulator.api import simulate
from simulator.calibrate.files import to_json
from simulator.calibrate.step_checks import loads
from simulator.calibrate.steps import calibrate_steps
from simulator.hardware import Calibration, Gpu
from simulator.latency import RooflineLatency
from simulator.latency.calibrated import KERNELS_ALONE, BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario
from simulator.validate.whole_runs import fitted_without

pytestmark = pytest.mark.skipif(
    not (STEPS / "requests.csv").is_file(), reason="needs the measured steps beside the checkout"
)

B300 = load_part(find("gpu", "b300-sxm"), Gpu)
SHIPPED = load_part(find("calibration", "b300-sxm.vllm"), Calibration)
KERNELS = SHIPPED.model_copy(update={"serving": None, "split": None})
_SERVING = SHIPPED.serving or KERNELS_ALONE
NO_ATTENTION = SHIPPED.model_copy(update={"serving": _SERVING.model_copy(update={"attention_ratio": 0.0})})
PLANS = {tp: deployment("qwen3-32b", tp=tp, on=B300) for tp in TPS}
LONG_PROMPTS = 600
UNDER = "Engine steps: vLLM 0.20 on B300"


@cache
def steps() -> pd.DataFrame:
    return measured_steps()


def fitted_on(tps: tuple[int, ...]) -> Calibration:
    rows = steps()
    return calibrate_steps(KERNELS, {tp: PLANS[tp] for tp in tps}, rows[rows["tp"].isin(tps)], SOURCE)


def part(tp: int, kind: str) -> pd.DataFrame:
    """Return the steps of a run: ``decode``, with ``long`` or with ``short`` prompts."""
    rows = steps()
    rows = rows[rows["tp"] == tp]
    new = rows["prefill_tokens"]
    kinds = {"decode": new == 0, "long": new >= LONG_PROMPTS, "short": (new > 0) & (new < LONG_PROMPTS)}
    return rows[kinds[kind]]


def holds(title: str, tp: int, signed: np.ndarray) -> bool:
    """Say whether median and 90th percentile are those of the page's row, to its last digit."""
    found = [100 * each for each in median_and_p90(signed)]
    told = cells(title, under=UNDER)[TPS.index(tp)]
    # Figures from 10 % on are told without decimals.
    return all(one == to_the_digit(two, 0.1 if two < 10 else 1) for one, two in zip(found, told, strict=True))


ROWS = {
    "decode: median, p90": "decode",
    "with prompts of 600 tokens and more": "long",
    "with shorter prompts": "short",
}


@pytest.mark.parametrize("tp", TPS)
@pytest.mark.parametrize("title", ROWS)
def test_steps_are_met_as_the_page_says(title: str, tp: int) -> None:
    rows = part(tp, ROWS[title])
    assert len(rows) > {"decode": 1000, "long": 80, "short": 30}[ROWS[title]]
    assert holds(title, tp, errors(BoundCalibrated(SHIPPED, PLANS[tp]), rows))


@pytest.mark.parametrize("tp", TPS)
def test_kernels_alone_and_the_bare_roofline_are_far_off(tp: int) -> None:
    rows = part(tp, "decode")
    assert holds("decode, kernels alone", tp, errors(BoundCalibrated(KERNELS, PLANS[tp]), rows))
    assert holds("decode, bare roofline", tp, errors(RooflineLatency().bind(PLANS[tp]), rows))


def test_steps_and_held_out_errors_of_the_shipped_numbers_are_those_of_the_page() -> None:
    assert SHIPPED.serving is not None
    by = SHIPPED.serving.fitted
    assert figures(r"fitted to ([\d,]+ of the [\d,]+) steps") == [by.rows, len(steps())]
    assert by.median_error_ratio is not None
    assert by.p90_error_ratio is not None
    told = figures(r"held out of that fit the error is ([\d.]+ and [\d.]+) %")
    assert [100 * by.median_error_ratio, 100 * by.p90_error_ratio] == [to_the_digit(one, 0.1) for one in told]
    assert SHIPPED.serving.allreduce_ratio == 0.0
    assert "All-reduces of decode steps have a ratio of 0 here" in text()


def test_short_prompts_on_eight_gpus_are_too_fast_by_what_the_page_says() -> None:
    rows = part(8, "short")
    percent, count = figures(r"on eight GPUs are predicted ([\d.]+) % too fast \(in (\d+) steps\)")
    assert len(rows) == count
    bias = float(np.median(errors(BoundCalibrated(SHIPPED, PLANS[8]), rows)))
    assert -100 * bias == to_the_digit(percent, 1)


def test_unequal_contexts_explain_what_sums_cannot() -> None:
    assert SHIPPED.split is not None
    blocks, rate = figures(r"KV head (\d+) / \(batch x heads\) thread blocks.*?one block reads (\d+) GB/s")
    assert (SHIPPED.split.blocks, SHIPPED.split.block_bytes_per_s / 1e9) == (blocks, to_the_digit(rate, 1))
    rows, without = part(2, "decode"), SHIPPED.model_copy(update={"split": None})
    found = [
        100 * each
        for calibration in (without, SHIPPED)
        for each in median_and_p90(errors(BoundCalibrated(calibration, PLANS[2]), rows))
    ]
    told = figures(r"on two GPUs is ([\d.]+ and [\d.]+) % instead of ([\d.]+ and [\d.]+) %")
    assert found == [to_the_digit(one, 0.1) for one in told]


@cache
def waiting(tp: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the longest context adds to each decode step, s, and what all of its attention takes."""
    assert SHIPPED.serving is not None
    asked, plan = loads(part(tp, "decode")), PLANS[tp]
    whole, balanced, without = (
        np.array([float(BoundCalibrated(calibration, plan).step_seconds(load)) for load in asked])
        for calibration in (SHIPPED, SHIPPED.model_copy(update={"split": None}), NO_ATTENTION)
    )
    return whole - balanced, whole - without


def test_waiting_for_the_longest_context_is_the_part_of_attention_that_the_page_says() -> None:
    shares = [100 * longest.sum() / attention.sum() for longest, attention in map(waiting, TPS)]
    longest, attention = waiting(2)
    told = figures(
        r"longest context is ([\d., and]+) % of what attention takes on one, two and eight GPUs, in one step "
        r"in ten on two GPUs (\d+) % and more"
    )
    assert [*shares, 100 * np.percentile(longest / attention, 90)] == [to_the_digit(one, 1) for one in told]


@pytest.fixture(scope="module", params=TPS)
def others(request: pytest.FixtureRequest) -> tuple[int, Calibration]:
    """Return a number of GPUs and what was fitted to the two others; tests of the same follow one another."""
    left_out: int = request.param
    return left_out, fitted_on(tuple(tp for tp in TPS if tp != left_out))


@pytest.mark.slow
def test_another_number_of_gpus_is_predicted(others: tuple[int, Calibration]) -> None:
    left_out, fitted = others
    found = errors(BoundCalibrated(fitted, PLANS[left_out]), part(left_out, "decode"))
    assert holds("decode, fitted to the two other numbers of GPUs", left_out, found)
    judging = fitted_without(SHIPPED, f"qwen3-32b-tp{left_out}")
    assert (judging.serving, judging.split) == (fitted.serving, fitted.split)


@pytest.mark.slow
def test_the_shipped_numbers_are_those_of_the_measured_steps() -> None:
    # Numbers of a model with linear attention come from its own steps.
    found = fitted_on(TPS).model_copy(update={"linear_attention": SHIPPED.linear_attention})
    assert to_json(found) == to_json(SHIPPED)


def replayed(tp: int, calibration: str = "") -> tuple[float, np.ndarray]:
    """Return how long the replay of a run took, s, and how long each request waited, s."""
    run = DENSE[TPS.index(tp)]
    scenario = replay(run, "qwen3-32b", tp, requests(run))
    overrides = [f"hardware.gpu.calibrations.vllm={calibration}"] if calibration else []
    result = simulate(load_scenario(scenario, overrides=overrides))
    waited = (result.trials["ended_s"] - result.trials["submitted_s"]).to_numpy()
    return result.records.end_ns / 1e9, waited


@pytest.mark.parametrize("tp", TPS)
def test_whole_runs_are_replayed(tp: int) -> None:
    # The failed request of the run on eight GPUs is not in the list: it held a place for part of the time.
    whole_s, waited_s = replayed(tp)
    run = DENSE[TPS.index(tp)]
    measured_s, told_s = logged(run, "real")["latency_ms"].sum() / 1e3, end_to_end_s(run)
    at = TPS.index(tp)
    assert [whole_s, measured_s] == [
        to_the_digit(one, 0.1) for one in cells("time for all requests", under=UNDER)[at]
    ]
    mean = 100 * (waited_s.mean() / told_s.mean() - 1.0)
    assert [mean] == [to_the_digit(one, 0.1) for one in cells("mean end to end", under=UNDER)[at]]
    assert holds("each request: median, p90", tp, waited_s / told_s - 1.0)


@pytest.mark.slow
def test_whole_runs_are_replayed_by_numbers_from_the_two_other_runs(
    others: tuple[int, Calibration], tmp_path: Path
) -> None:
    tp, fitted = others
    path = tmp_path / "others.json"
    path.write_text(to_json(fitted), encoding="utf-8")
    whole_s, waited_s = replayed(tp, str(path))
    run = DENSE[TPS.index(tp)]
    measured_s, told_s = logged(run, "real")["latency_ms"].sum() / 1e3, end_to_end_s(run)
    at = TPS.index(tp)
    whole, mean = 100 * (whole_s / measured_s - 1.0), 100 * (waited_s.mean() / told_s.mean() - 1.0)
    assert [whole] == [
        to_the_digit(one, 0.1) for one in cells("time for all, fitted to the two other runs", under=UNDER)[at]
    ]
    assert [mean] == [to_the_digit(one, 0.1) for one in cells("mean end to end, likewise", under=UNDER)[at]]
