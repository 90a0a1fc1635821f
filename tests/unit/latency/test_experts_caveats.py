"""What results say of mixtures of experts: numbers at a bound, and the batches that were measured."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import deployment, gpu

from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.hardware.calibration import Bound
from simulator.latency.calibrated import BoundCalibrated

H100 = gpu("h100-sxm")
SHIPPED: Calibration = H100.calibrations["vllm"]


def gpt_oss() -> Deployment:
    return replace(deployment("gpt-oss-120b", tp=2, on=H100), expert_dtype="mxfp4")


def ended(*, dense: dict[str, Bound], experts: dict[str, Bound]) -> Calibration:
    """Return the shipped calibration with other numbers at a bound."""
    serving, fit = SHIPPED.serving, SHIPPED.experts["mxfp4"]
    assert serving is not None
    assert fit.serving is not None
    told = serving.fitted.model_copy(update={"at_bound": dense})
    running = fit.serving.fitted.model_copy(update={"at_bound": experts})
    changed = fit.model_copy(update={"serving": fit.serving.model_copy(update={"fitted": running})})
    return SHIPPED.model_copy(
        update={
            "serving": serving.model_copy(update={"fitted": told}),
            "experts": SHIPPED.experts | {"mxfp4": changed},
        }
    )


def told_of(calibration: Calibration, plan: Deployment) -> str:
    return " ".join(BoundCalibrated(calibration, plan).caveats)


def test_numbers_of_running_experts_at_a_bound_are_told() -> None:
    found = told_of(ended(dense={}, experts={"experts_ratio": "least", "step_s": "most"}), gpt_oss())
    assert "At a bound of that fit, so not measured: experts_ratio (least), step_s (most)." in found
    dense = told_of(ended(dense={}, experts={"experts_ratio": "least"}), deployment(on=H100))
    assert "At a bound" not in dense


@pytest.mark.parametrize("name", ["step_s", "sequence_s"])
def test_a_number_that_those_of_experts_replace_is_not_told(name: str) -> None:
    calibration = ended(dense={name: "least", "attention_ratio": "most"}, experts={})
    assert f"{name} (least)" in told_of(calibration, deployment(on=H100))
    found = told_of(calibration, gpt_oss())
    assert name not in found
    assert "At a bound of that fit, so not measured: attention_ratio (most)." in found


def test_the_largest_batch_is_that_of_the_numbers_in_use() -> None:
    serving, fit = SHIPPED.serving, SHIPPED.experts["mxfp4"]
    assert serving is not None
    assert fit.serving is not None
    changed = fit.model_copy(update={"serving": fit.serving.model_copy(update={"largest_batch": 77})})
    calibration = SHIPPED.model_copy(update={"experts": {"mxfp4": changed}})
    assert BoundCalibrated(calibration, gpt_oss()).largest_batch == 77
    assert BoundCalibrated(calibration, deployment(on=H100)).largest_batch == serving.largest_batch
