"""The least time of a step with prompts comes out of steps that wait for it, and only out of those."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import DENSE, decode_load, deployment, gpu, rows_of

from simulator.calibrate.steps import calibrate_steps, loads
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
    assert any("models with linear attention that the fit has not seen" in caveat for caveat in told)
    assert not any("No serving run of such a mixture" in caveat for caveat in told)
    other = BoundCalibrated(SHIPPED, deployment("qwen3-32b", on=gpu("b300-sxm")))
    assert other.serving == SHIPPED.serving
