"""Serving numbers from benchmark results: how many are fitted, what is held out and what is refused."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))
sys.path.insert(0, str(Path(__file__).parents[1] / "measured"))

from bench_files import summary
from deployments import deployment, gpu

from simulator.calibrate.bench import LADDER, NUMBERS, BenchFit, calibrate_bench, held_out
from simulator.calibrate.points import BenchError, check_points, points_of
from simulator.calibrate.runs import ServingRun
from simulator.calibrate.serving import estimate, estimate_terms
from simulator.calibrate.unknowns import BOUNDS
from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.hardware.calibration import ServingFit
from simulator.latency.calibrated import BoundCalibrated
from simulator.measured import BenchRun

ONE, TWO = deployment("qwen3-8b"), deployment("qwen3-8b", tp=2)
BASE = gpu().calibrations["vllm"]
TRUTH = {"kernel_ratio": 0.8, "allreduce_ratio": 1.4, "layer_s": 0.0, "step_s": 1.5e-3, "sequence_s": 2e-5}
LOADS = (1, 4, 16, 64)
SHAPES = ((200, 200), (1500, 300), (4000, 1000))


def served(
    plan: Deployment, truth: dict[str, float], settings: Iterable[tuple[int, tuple[int, int]]]
) -> list[BenchRun]:
    """Return the runs of an engine with known serving numbers."""
    numbers = np.array([truth.get(name, number) for name, number in shipped().items()])
    runs = []
    for number, (concurrency, (prompt, output)) in enumerate(settings, 1):
        shape = (plan.tp, prompt, output, concurrency, 0.0, 0.0)
        row = ServingRun("", "", "", "", plan.architecture.name, "bf16", "bf16", *shape)
        tpot_s = float(estimate_terms(BASE, plan.gpu, row, plan.architecture)[0] @ numbers)
        run = summary(concurrency=concurrency, tpot_s=tpot_s, prompt=prompt, output=output, requests=200)
        runs.append(replace(run, line=number))
    return runs


def shipped(factor: float = 1.0) -> dict[str, float]:
    assert BASE.serving is not None
    return {name: factor * getattr(BASE.serving, name) for name in NUMBERS}


def fit_of(plan: Deployment, runs: list[BenchRun]) -> BenchFit:
    points = points_of(runs)
    check_points(points, plan)
    return calibrate_bench(BASE, plan, points, "made up")


def found(fit: BenchFit) -> dict[str, float]:
    assert fit.calibration.serving is not None
    return {name: getattr(fit.calibration.serving, name) for name in NUMBERS}


def test_the_numbers_are_those_of_the_terms_and_their_bounds() -> None:
    # The least times of prompts bound a step; it is not linear in them.
    not_fitted = ("captured_prompt_s", "eager_prompt_s", "launched_by", "largest_batch", "fitted")
    assert [*BOUNDS, *not_fitted] == list(ServingFit.model_fields)
    assert set().union(*(rung.free for rung in LADDER)) < set(NUMBERS)


def test_one_run_gives_one_factor_and_says_what_more_would_take() -> None:
    fit = fit_of(ONE, served(ONE, shipped(1.2), [(8, (500, 200))]))
    assert fit.rung is LADDER[0]
    assert found(fit) == pytest.approx(shipped(1.2), rel=1e-3)
    assert fit.held_out == (False,)
    assert fit.missing == (
        "6 runs, not 1",
        "3 different numbers of requests in flight, not 1",
        "most requests in flight 8 times the fewest, not 1 times",
        "the longest context (prompt and half of the output) 2 times the shortest, not 1 times",
    )
    serving = fit.calibration.serving
    assert serving is not None
    assert serving.fitted.rows == 1
    assert serving.fitted.held_out_rows == 0
    assert serving.fitted.median_error_ratio is None
    assert serving.fitted.table == "made up; one factor on all serving numbers"


def test_loads_and_contexts_tell_kernels_step_and_sequence_apart() -> None:
    truth = shipped() | {"kernel_ratio": 0.8, "step_s": 4e-3, "sequence_s": 6e-5}
    fit = fit_of(ONE, served(ONE, truth, product(LOADS, SHAPES)))
    assert fit.rung is LADDER[1]
    assert fit.missing == ()
    assert misses(fit.before_s, fit).max() > 0.1
    # Weights are read in a time that looks like one per step: the products tell, not each number.
    assert misses(fit.after_s, fit).max() < 0.015
    numbers = found(fit)
    assert numbers["layer_s"] == 0.0
    assert numbers["allreduce_ratio"] == pytest.approx(shipped()["allreduce_ratio"])
    serving = fit.calibration.serving
    assert serving is not None
    assert serving.fitted.held_out_rows == sum(fit.held_out) == 4
    assert serving.fitted.p90_error_ratio == pytest.approx(0.0, abs=0.015)


def test_many_runs_on_two_gpus_tell_all_reduces_too() -> None:
    fit = fit_of(TWO, served(TWO, TRUTH, product((1, 2, 4, 8, 16, 32, 64), SHAPES)))
    assert fit.rung is LADDER[2]
    assert misses(fit.after_s, fit).max() < 0.015


def misses(estimates: tuple[float, ...], fit: BenchFit) -> np.ndarray:
    """Return the sizes of the errors of all runs."""
    return np.abs(np.array(estimates) / [point.token.value for point in fit.points] - 1.0)


def test_runs_at_one_load_are_one_factor_however_many() -> None:
    fit = fit_of(ONE, served(ONE, shipped(1.1), [(8, shape) for shape in SHAPES] * 4))
    assert fit.rung is LADDER[0]
    assert "3 different numbers of requests in flight, not 1" in fit.missing


def test_one_setting_in_three_is_held_out_and_its_repeats_with_it() -> None:
    runs = served(ONE, shipped(), [(n, SHAPES[0]) for n in (1, 4, 16, 4)])
    assert held_out(points_of(runs)).tolist() == [False, True, False, True]
    assert held_out(points_of(runs[:2])).tolist() == [False, False]


def test_held_out_runs_do_not_move_the_fit() -> None:
    runs = served(ONE, shipped(1.2), [(n, SHAPES[0]) for n in (1, 4, 16)])
    slower = [runs[0], replace(runs[1], tpot_s=1.5 * (runs[1].tpot_s or 0.0)), runs[2]]
    one, two = fit_of(ONE, runs), fit_of(ONE, slower)
    assert found(one) == found(two)
    serving = two.calibration.serving
    assert serving is not None
    assert serving.fitted.median_error_ratio == pytest.approx(1 / 3, rel=0.01)


def test_a_load_between_two_whole_numbers_lies_between_their_estimates() -> None:
    run = replace(summary(concurrency=None, rate=2.0, prompt=500, output=200), duration_s=60.0)
    fit = fit_of(ONE, [run])
    (low,) = fit_of(ONE, [summary(concurrency=3, prompt=500, output=200)]).before_s
    (high,) = fit_of(ONE, [summary(concurrency=4, prompt=500, output=200)]).before_s
    part = fit.points[0].in_flight.value - 3.0
    assert 0.0 < part < 1.0
    assert fit.before_s[0] == pytest.approx((1 - part) * low + part * high)


def test_a_gpu_without_serving_numbers_starts_from_its_kernels() -> None:
    bare = BASE.model_copy(update={"serving": None})
    fit = calibrate_bench(bare, ONE, points_of([summary(tpot_s=0.005)]), "made up")
    numbers = found(fit)
    assert numbers["kernel_ratio"] == numbers["allreduce_ratio"] > 1.0
    assert numbers["step_s"] == 0.0


@pytest.mark.parametrize("scale", [1e3, 1e-3])
def test_times_that_the_hardware_cannot_take_are_refused(scale: float) -> None:
    run = replace(summary(tpot_s=0.005), tpot_s=0.005 * scale)
    with pytest.raises(BenchError, match=r"result.json:1: mean_tpot_ms: .* times what the data sheet allows"):
        check_points(points_of([run]), ONE)


def test_one_factor_stands_where_numbers_apart_would_need_more_than_is_allowed() -> None:
    fit = fit_of(ONE, served(ONE, shipped(6.0), product(LOADS, SHAPES)))
    assert fit.rung is LADDER[0]
    assert found(fit) == pytest.approx(shipped(6.0), rel=1e-3)
    assert "kernel_ratio" in fit.bounded


def test_a_server_far_from_the_shipped_numbers_is_refused() -> None:
    with pytest.raises(BenchError, match="is it this GPU, engine, model, format"):
        fit_of(ONE, [summary(tpot_s=0.3)])


def test_overload_is_left_out_and_said() -> None:
    good = summary(tpot_s=0.005)
    fit = fit_of(ONE, [good, replace(good, ttft_s=12.0, line=2)])
    assert len(fit.points) == 1
    ((point, why),) = fit.left_out
    assert point.run.line == 2
    assert why.startswith("requests waited 12 s for their first token, so fewer ran than were in flight")


def test_prompts_that_cannot_have_been_computed_are_left_out() -> None:
    run = summary(concurrency=100, prompt=30_000, output=20, tpot_s=0.05, ttft_s=0.1)
    with pytest.raises(BenchError, match="were prefixes cached"):
        fit_of(ONE, [run])


def test_all_that_makes_runs_unusable_is_told_at_once() -> None:
    runs = [
        replace(summary(), failed=50),
        replace(summary(), line=2, tokens_per_step=2.2),
        replace(summary(), line=3, ttft_s=None, ttft_median_s=None),
        replace(summary(), line=4, output_tokens=1.0),
    ]
    with pytest.raises(BenchError) as error:
        points_of(runs)
    told = str(error.value).splitlines()
    assert [line.partition(": ")[0] for line in told] == [f"result.json:{line}" for line in (1, 2, 3, 4)]
    assert "50 requests failed or came back empty beside 100" in told[0]
    assert "speculative decoding is not modelled" in told[1]
    assert "mean_ttft_ms is missing, and so is median_ttft_ms" in told[2]


def test_the_fit_is_repeatable_and_blind_to_the_order_of_runs() -> None:
    runs = served(TWO, TRUTH, product(LOADS, SHAPES))
    noisy = [replace(run, tpot_s=(run.tpot_s or 0.0) * (1 + 0.05 * math.sin(run.line))) for run in runs]
    one, two, turned = fit_of(TWO, noisy), fit_of(TWO, noisy), fit_of(TWO, noisy[::-1])
    assert one == two
    assert found(one) == pytest.approx(found(turned), rel=1e-2, abs=1e-9)


def test_experts_with_numbers_of_their_own_are_fitted_like_all_others() -> None:
    on = gpu("h200-sxm")
    plan = deployment("qwen3-235b-a22b", tp=8, weight_dtype="fp8", kv_dtype="fp8", on=on)
    shipped_numbers = on.calibrations["sglang"]
    assert shipped_numbers.experts["fp8"].serving is not None
    run = ServingRun("", "", "", "", "qwen3-235b-a22b", "fp8", "fp8", 8, 500, 200, 8, 0.0, 0.0)

    def told(calibration: Calibration) -> float:
        return estimate(BoundCalibrated(calibration, plan), run)

    measured = 1.5 * told(shipped_numbers)
    points = points_of([summary(concurrency=8, tpot_s=measured, prompt=500, output=200)])
    fit = calibrate_bench(shipped_numbers, plan, points, "made up")
    # The traffic of the norms counts as kernels in a fit.
    assert fit.before_s[0] == pytest.approx(measured / 1.5, rel=5e-3)
    assert fit.after_s[0] == pytest.approx(measured, rel=1e-3)
    assert told(fit.calibration) == pytest.approx(measured, rel=5e-3)
