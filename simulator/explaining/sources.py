"""Where the numbers of each operation come from, and how far off they were where that was measured."""

from __future__ import annotations

from typing import NamedTuple

from simulator.hardware.calibration import Calibration, Fitted
from simulator.latency import StepLatency
from simulator.latency.calibrated import BoundCalibrated


class NumbersSource(NamedTuple):
    """What the time of an operation rests on.

    Parameters
    ----------
    kind : ``measured``, ``data sheet``, ``assumed`` or ``scenario``.
    text : table of measurements, or document.
    median_error_ratio, p90_error_ratio : of the fit on what it has not seen; None where nothing was held out.
    """

    kind: str
    text: str
    median_error_ratio: float | None = None
    p90_error_ratio: float | None = None


def source_of(operation: str, latency: StepLatency) -> NumbersSource:
    """Return the source of the numbers behind the time of `operation` under `latency`."""
    gpu = latency.deployment.gpu
    if latency.kind == "constant":
        return NumbersSource("scenario", "engine.latency, as the scenario says")
    if isinstance(latency, BoundCalibrated):
        fitted = _fit(operation, latency)
        if fitted is not None:
            return NumbersSource("measured", fitted.table, fitted.median_error_ratio, fitted.p90_error_ratio)
    if operation == "overhead":
        figure = gpu.layer_overhead_s
        return NumbersSource(
            "assumed", "none, or as engine.latency says" if figure is None else figure.source
        )
    if operation == "allreduce":
        return NumbersSource("data sheet", gpu.link_bandwidth_bytes_per_s.source)
    return NumbersSource("data sheet", gpu.hbm_bandwidth_bytes_per_s.source.partition(";")[0])


def _fit(operation: str, latency: BoundCalibrated) -> Fitted | None:
    """Return the fit behind an operation; None where it takes its roofline time."""
    c, d = latency.calibration, latency.deployment
    fits: dict[str, Fitted | None] = {
        "experts": latency.experts.fitted if latency.experts else None,
        "allreduce": next((fit.fitted for fit in c.allreduce if fit.gpus == d.tp), None),
        "overhead": latency.serving.fitted,
        "norms": None,
        "selection": c.selection.fitted if c.selection else None,
        "linear_attention": c.linear_attention.decode_fitted if c.linear_attention else None,
        "linear_prefill": c.linear_attention.prefill_fitted if c.linear_attention else None,
    }
    return fits[operation] if operation in fits else _attention_or_product(operation, c, latency)


def _attention_or_product(operation: str, c: Calibration, latency: BoundCalibrated) -> Fitted | None:
    d = latency.deployment
    if operation == "attention":
        # Gathering chosen blocks has a rate of its own.
        if d.attention.index_block_tokens is not None and c.selection:
            return c.selection.fitted
        decode = c.decode_attention.get(d.kv_dtype)
        return decode.fitted if decode else None
    if operation == "prefill_attention":
        prefill = c.prefill_attention.get(d.kv_dtype)
        return prefill.fitted if prefill else None
    gemm = c.gemm.get(d.compute_dtype) if d.weight_dtype == d.compute_dtype else None
    return gemm.fitted if gemm else None
