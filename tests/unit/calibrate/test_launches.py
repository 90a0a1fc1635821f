"""The least time of a step with prompts comes out of steps that wait for it, and only out of those."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, decode_load, deployment, gpu, rows_of

from simulator.calibrate.launches import CAPTURED, DECODE, EAGER, fit_least
from simulator.calibrate.step_checks import loads
from simulator.calibrate.steps import calibrate_steps
from simulator.calibrate.unknowns import folded
from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.latency.calibrated import BoundCalibrated

PLANS = {tp: deployment("qwen3.6-35b-a3b", tp=tp, on=gpu("b300-sxm")) for tp in (1, 8)}
SHIPPED: Calibration = PLANS[1].gpu.calibrations["vllm"]
CAPTURED_S, EAGER_S = 0.015, 0.04


def truth(captured_s: float = CAPTURED_S, eager_s: float = EAGER_S) -> Calibration:
    """Return an engine with known numbers for dense models, and none of its own for linear attention."""
    assert SHIPPED.serving is not None
    assert SHIPPED.linear_attention is not None
    serving = SHIPPED.serving.model_copy(
        update={"allreduce_ratio": 1.0, "captured_prompt_s": captured_s, "eager_prompt_s": eager_s}
    )
    states = SHIPPED.linear_attention.model_copy(update={"serving": None})
    return SHIPPED.model_copy(update={"serving": serving, "linear_attention": states, "split": None})


def made(calibration: Calibration) -> pd.DataFrame:
    """Return decode steps, and steps with prompts from too small to wait to large enough not to."""
    rows = [
        (tp, n, n * context, new, 1 if new else 0, 0)
        for tp in PLANS
        for n in (1, 2, 4, 8, 16, 24, 32)
        for context in (500, 4000, 9000)
        for new in (0, 64, 300, 450, 700, 2000, 8000)
    ]
    names = [
        "tp",
        "sequences",
        "context_tokens",
        "prefill_tokens",
        "prefill_sequences",
        "prefill_past_tokens",
    ]
    steps = pd.DataFrame(rows, columns=names).assign(longest_tokens=0)
    for tp, plan in PLANS.items():
        chosen = steps["tp"] == tp
        bound = BoundCalibrated(calibration, plan)
        steps.loc[chosen, "step_s"] = [
            float(bound.step_seconds(load)) for load in loads(with_time(steps[chosen]))
        ]
    return steps


def with_time(steps: pd.DataFrame) -> pd.DataFrame:
    return steps.assign(step_s=1.0)


def test_least_times_of_prompts_come_out_of_the_steps_that_wait() -> None:
    found = calibrate_steps(truth(0.0, 0.0), PLANS, made(truth()), "made up").serving
    assert found is not None
    assert found.captured_prompt_s == pytest.approx(CAPTURED_S, rel=0.01)
    assert found.eager_prompt_s == pytest.approx(EAGER_S, rel=0.01)
    assert found.fitted.median_error_ratio is not None
    assert found.fitted.median_error_ratio < 0.01


def test_steps_that_do_not_wait_tell_no_least_time() -> None:
    found = calibrate_steps(truth(), PLANS, made(truth(0.0, 0.0)), "made up").serving
    assert found is not None
    assert (found.captured_prompt_s, found.eager_prompt_s) == (0.0, 0.0)


@pytest.mark.parametrize(("new", "least"), [(500, CAPTURED_S), (505, EAGER_S)])
def test_a_step_with_prompts_takes_at_least_its_launch_and_the_rest_is_overhead(
    new: int, least: float
) -> None:
    # Eight sequences and 504 prompt tokens are the largest captured size, 512.
    bound, at_once = BoundCalibrated(truth(), PLANS[8]), BoundCalibrated(truth(0.0, 0.0), PLANS[8])
    load = decode_load(DENSE, [100] * 8, prefill_tokens=new, prefill_ends=1)
    kernels_s = at_once.step_seconds(load)
    assert kernels_s < least
    assert bound.step_seconds(load) == least
    waits = [engine.parts(rows_of([load]))["overhead"].seconds[0] for engine in (bound, at_once)]
    assert waits[0] - waits[1] == pytest.approx(least - kernels_s, rel=1e-9)
    alone = decode_load(DENSE, [100] * 8)
    assert bound.step_seconds(alone) == at_once.step_seconds(alone)


def test_prompts_alone_wait_for_their_launch_too() -> None:
    load = decode_load(DENSE, [], prefill_tokens=100, prefill_ends=1)
    assert BoundCalibrated(truth(), PLANS[8]).step_seconds(load) == CAPTURED_S


@pytest.mark.parametrize("tp", PLANS)
def test_numbers_of_linear_attention_fold_into_one_set(tp: int) -> None:
    plan: Deployment = PLANS[tp]
    one = folded(SHIPPED, plan)
    assert one.linear_attention is not None
    assert one.linear_attention.serving is None
    before, after = BoundCalibrated(SHIPPED, plan), BoundCalibrated(one, plan)
    for new in (0, 100, 3000):
        load = decode_load(DENSE, [900] * 5, prefill_tokens=new, prefill_ends=int(new > 0))
        assert after.step_seconds(load) == before.step_seconds(load)


def test_the_numbers_of_linear_attention_are_said_and_leave_other_models_alone() -> None:
    told = BoundCalibrated(SHIPPED, PLANS[1]).caveats
    assert any("vLLM 0.20.1, qwen3.6-35b-a3b, tp 1, 4, 8" in caveat for caveat in told)
    assert not any("No serving run of such a mixture" in caveat for caveat in told)
    other = BoundCalibrated(SHIPPED, deployment("qwen3-32b", on=gpu("b300-sxm")))
    assert other.serving == SHIPPED.serving


def test_steps_without_prompts_keep_the_least_times_and_the_ratio_of_prompts() -> None:
    assert SHIPPED.linear_attention is not None
    start = SHIPPED.linear_attention.serving
    assert start is not None
    steps = made(SHIPPED)
    alone = steps[(steps["prefill_tokens"] == 0) & (steps["tp"] == 1)]
    found = calibrate_steps(SHIPPED, {1: PLANS[1]}, alone, "made up").serving
    assert found is not None
    assert (found.captured_prompt_s, found.eager_prompt_s) == (start.captured_prompt_s, start.eager_prompt_s)
    assert found.prompt_ratio == start.prompt_ratio
    assert found.allreduce_ratio == start.allreduce_ratio
    assert found.launched_by == start.launched_by == ("qwen3.6-35b-a3b",)


def test_steps_of_the_shipped_engine_give_its_numbers_back() -> None:
    # Decode attention hardly shows beside the rest, so its ratio stays where it was.
    assert SHIPPED.linear_attention is not None
    start = SHIPPED.linear_attention.serving
    assert start is not None
    base = SHIPPED.model_copy(update={"split": None})
    steps = made(base)
    found = calibrate_steps(base, PLANS, steps, "made up").serving
    assert found is not None
    for name in ("kernel_ratio", "attention_ratio", "prompt_ratio", "captured_prompt_s", "eager_prompt_s"):
        assert getattr(found, name) == pytest.approx(getattr(start, name), rel=0.03), name


KINDS = np.repeat([DECODE, CAPTURED, EAGER], 30)


@pytest.mark.parametrize(
    ("few", "measured_s", "kept"),
    [(0, 1e-3, True), (5, 0.03, True), (5, 1e-3, False), (25, 1e-3, False)],
)
def test_a_least_time_is_kept_unless_steps_below_it_say_otherwise(
    few: int, measured_s: float, *, kept: bool
) -> None:
    # Kernels of `few` steps of captured size take 1 ms; all others take longer than the times so far.
    kernels = np.full(len(KINDS), 0.1)
    kernels[30 : 30 + few] = 1e-3
    measured = np.where(kernels < 0.01, measured_s, kernels)
    least, waits, told = fit_least(KINDS, measured, lambda _: kernels, before=(0.03, 0.04))
    assert least == (0.03 if kept else 0.0, 0.04)
    assert told == (False, False)
    assert waits.sum() == (few if kept else 0)


def test_least_times_of_another_model_are_told_with_its_name() -> None:
    def told(model: str) -> list[str]:
        bound = BoundCalibrated(SHIPPED, deployment(model, on=gpu("b300-sxm")))
        return [caveat for caveat in bound.caveats if "launch of qwen3.6-35b-a3b" in caveat]

    (found,) = told("qwen3.6-27b")
    assert "at least 16.9 ms, or 46.4 ms beyond the largest captured size" in found
    assert "qwen3.6-27b has 64 layers" in found
    assert not told("qwen3.6-35b-a3b")
    assert not told("qwen3-32b")


def test_least_times_without_a_name_are_told_too() -> None:
    bound = BoundCalibrated(truth(), PLANS[1])
    assert any("launch of a model that the calibration does not name" in caveat for caveat in bound.caveats)
