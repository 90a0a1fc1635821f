"""Whether a calibration has measurements of what a deployment runs."""

from __future__ import annotations

from simulator.deployment import Deployment
from simulator.hardware import Calibration, multiplied_as
from simulator.hardware.calibration import ExpertsFit


def covers(calibration: Calibration, d: Deployment) -> bool:
    """Say whether `calibration` has measurements of what takes most of a step of `d`."""
    products = d.weight_dtype == d.compute_dtype and d.compute_dtype in calibration.gemm
    experts = d.architecture.experts is None or experts_fit(calibration, d) is not None
    states = d.architecture.linear is None or calibration.linear_attention is not None
    return products and experts and states and d.kv_dtype in calibration.decode_attention


def experts_fit(calibration: Calibration, d: Deployment) -> ExpertsFit | None:
    """Return the fit of experts in their format, which was measured in that precision of products."""
    measured = multiplied_as(d.expert_format)
    return calibration.experts.get(d.expert_format) if measured == d.compute_dtype else None
