"""A calibration as text: the file that a profile names, and the table that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterator

from simulator.hardware import Calibration
from simulator.hardware.calibration import Fitted, LinearAttentionFit, ServingFit

COLUMNS = ("operation", "of", "rows", "held out", "median error", "90th percentile", "numbers")
LEFT_OUT = ("at_bound", "launched_by")
"""Keys that a file has only where there is something to say."""


def to_json(calibration: Calibration) -> str:
    """Return the text of a calibration's file; equal calibrations give equal bytes."""
    values = _without_empty(calibration.model_dump(mode="json"))
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _without_empty(value: object) -> object:
    """Return the values of a file without empty bounds and names of models, which most fits have."""
    if isinstance(value, dict):
        kept = {name: part for name, part in value.items() if part or name not in LEFT_OUT}
        return {name: _without_empty(part) for name, part in kept.items()}
    return [_without_empty(part) for part in value] if isinstance(value, list) else value


def table(calibration: Calibration) -> list[tuple[str, ...]]:
    """Return a row of `COLUMNS` for every operation that was fitted."""
    rows: list[tuple[str, ...]] = [
        (name, of, *_fitted(fit), _with_bounds(numbers, fit)) for name, of, fit, numbers in _fits(calibration)
    ]
    if calibration.serving is not None:
        s = calibration.serving
        rows.append(("serving", "", *_fitted(s.fitted), _with_bounds(_of_serving(s), s.fitted)))
    return rows


def fits(calibration: Calibration) -> list[tuple[str, str, Fitted]]:
    """Return the provenance of every fit: operation, what of it, and where it comes from."""
    found = [(name, of, fit) for name, of, fit, _ in _fits(calibration)]
    return [*found, ("serving", "", calibration.serving.fitted)] if calibration.serving else found


def _with_bounds(numbers: str, fit: Fitted) -> str:
    return f"{numbers}; at a bound: {fit.bounds_told()}" if fit.at_bound else numbers


def _of_serving(s: ServingFit) -> str:
    launches = ""
    if s.captured_prompt_s or s.eager_prompt_s:
        launches = f", prompts at least {s.captured_prompt_s:.3g} s captured, {s.eager_prompt_s:.3g} s not"
    return (
        f"kernels x {s.kernel_ratio:.3g}, attention x {s.attention_ratio:.3g}, all-reduces x "
        f"{s.allreduce_ratio:.3g}, with prompts x {s.prompt_ratio:.3g}, layer {s.layer_s:.3g} s, "
        f"step {s.step_s:.3g} s, sequence {s.sequence_s:.3g} s{launches}"
    )


def _fitted(fit: Fitted | None) -> tuple[str, str, str, str]:
    if fit is None:
        return "", "", "", ""
    errors = (fit.median_error_ratio, fit.p90_error_ratio)
    median, p90 = ("" if error is None else f"{error:.1%}" for error in errors)
    return str(fit.rows), str(fit.held_out_rows), median, p90


def _fits(c: Calibration) -> Iterator[tuple[str, str, Fitted, str]]:
    for dtype, gemm in c.gemm.items():
        numbers = (
            f"launch {gemm.launch_s:.3g} s, compute {gemm.compute_ratio:.3g}, memory "
            f"{gemm.memory_ratio:.3g}, p {gemm.sharpness:.3g}, inner {gemm.inner_s:.3g} s"
        )
        yield "gemm", dtype, gemm.fitted, numbers
    for dtype, decode in c.decode_attention.items():
        numbers = (
            f"launch {decode.launch_s:.3g} s, memory {decode.memory_ratio:.3g}, first bytes "
            f"{decode.small_ratio:.3g}, tile {decode.sequence_head_s:.3g} s, p {2**decode.squarings}"
        )
        yield "decode attention", dtype, decode.fitted, numbers
    if c.split is not None:
        numbers = f"{c.split.blocks} blocks at {c.split.block_bytes_per_s / 1e9:.4g} GB/s"
        yield "unequal contexts", "", c.split.fitted, numbers
    for dtype, prefill in c.prefill_attention.items():
        numbers = (
            f"launch {prefill.launch_s:.3g} s, compute {prefill.compute_ratio:.3g}, token and head "
            f"{prefill.token_head_s:.3g} s"
        )
        yield "prefill attention", dtype, prefill.fitted, numbers
    for reduce in c.allreduce:
        numbers = (
            f"{len(reduce.knots)} points, all in use: the error is of every second, between its neighbours"
        )
        yield "all-reduce", f"{reduce.gpus} GPUs", reduce.fitted, numbers
    if c.selection is not None:
        numbers = f"gather {c.selection.gather_ratio:.3g}, scan {c.selection.scan_ratio:.3g}"
        yield "block top-k", "bf16", c.selection.fitted, numbers
    if c.linear_attention is not None:
        yield from _linear_fits(c.linear_attention)
    yield from _experts_fits(c)


def _linear_fits(linear: LinearAttentionFit) -> Iterator[tuple[str, str, Fitted, str]]:
    numbers = f"launch {linear.decode_launch_s:.3g} s, memory {linear.memory_ratio:.3g}"
    yield "linear attention", "decode", linear.decode_fitted, numbers
    numbers = (
        f"launch {linear.prefill_launch_s:.3g} s, {linear.blocks} blocks, wave {linear.wave_s:.3g} s, "
        f"token {linear.token_s:.3g} s, token and head {linear.token_head_s:.3g} s"
    )
    yield "linear attention", "prompt", linear.prefill_fitted, numbers
    if linear.serving is not None:
        yield "linear, serving", "", linear.serving.fitted, _of_serving(linear.serving)


def _experts_fits(c: Calibration) -> Iterator[tuple[str, str, Fitted, str]]:
    for dtype, experts in c.experts.items():
        numbers = (
            f"launch {experts.launch_s:.3g} s, compute {experts.compute_ratio:.3g}, memory "
            f"{experts.memory_ratio:.3g}, p {experts.sharpness:.3g}, row and element "
            f"{experts.row_element_s:.3g} s, token {experts.token_s:.3g} s"
        )
        yield "experts", dtype, experts.fitted, numbers
        if experts.serving is not None:
            s = experts.serving
            numbers = (
                f"experts x {s.experts_ratio:.3g}, kernels x {s.kernel_ratio:.3g}, step {s.step_s:.3g} s, "
                f"sequence {s.sequence_s:.3g} s"
            )
            yield "experts, serving", dtype, s.fitted, numbers
