"""The serving numbers of a calibration, fitted to measured runs through a steady-state estimate.

While n requests are in flight a token takes a decode step of n sequences at their mean context, and during
every output of a sequence the prompts of the n - 1 others each share one of its steps and lengthen it:
``decode + (n - 1) / output * (shared - decode)``. The estimate serves the fit alone, because a step is linear
in the numbers; predictions are simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from simulator.attention import ContextArray
from simulator.calibrate.fitting import CORNER, Errors, Mask, Vector, fit_and_judge, fitted, rounded
from simulator.calibrate.runs import ServingRun, believable, measured_runs, of
from simulator.deployment import Deployment, own_attention
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import ExpertsServing, Fitted, ServingFit
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

FEWEST_RUNS: Final = 25
FEWEST_EXPERT_RUNS: Final = 15
EXPERTS_SERVING_NUMBERS: Final = ("experts_ratio", "kernel_ratio", "step_s", "sequence_s")
EXPERTS_SERVING_BOUNDS: Final[dict[str, Any]] = {
    "starts": ((0.8, 1.0, 1e-3, 1e-5),),
    "lower": (0.1, 0.5, 1e-9, 1e-9),
    "upper": (4.0, 1.5, 2e-2, 2e-4),
}
"""What the serving numbers of experts are called, in the order of the fit, and their bounds; which of them
are fitted was chosen by cross-validation on the runs that fits may see."""

LOWER: Final = (0.5, 0.2, 0.0, 0.0, 0.0)
UPPER: Final = (1.5, 3.0, 1e-4, 5e-3, 2e-4)
SCALE: Final = (1.0, 1.0, 1e-5, 1e-3, 1e-5)
NOTHING: Final = 1e-9
"""Numbers below this are at their bound of 0, s."""

UNIT: Final = Fitted(table="unit", rows=1, held_out_rows=0)


def with_serving(calibration: Calibration, gpu: Gpu) -> Calibration:
    """Return `calibration` with numbers from the installed serving runs of its GPU and engine, if any."""
    runs = of(measured_runs(), calibration.gpu, calibration.engine)
    presets = {run.model: load_part(find("model", run.model), Architecture) for run in runs}
    dense = [run for run in runs if presets[run.model].experts is None]
    mixed = [run for run in runs if presets[run.model].experts is not None]
    found = calibrate_serving(calibration, gpu, dense, presets)
    return calibrate_experts(found, gpu, mixed, presets)


def calibrate_serving(
    calibration: Calibration, gpu: Gpu, runs: Sequence[ServingRun], presets: dict[str, Architecture]
) -> Calibration:
    """Return `calibration` with serving numbers, or as it is where too few runs were measured.

    Parameters
    ----------
    calibration : kernel numbers.
    gpu : its profile.
    runs : measured runs of this GPU and engine; the held-out ones judge the fit only.
    presets : architectures by the names in `runs`.
    """
    usable = [run for run in runs if believable(run, presets[run.model].active_parameters, gpu)]
    seen = [run for run in usable if not run.held_out]
    if len(seen) < FEWEST_RUNS:
        return calibration
    terms = np.array([_terms(calibration, gpu, run, presets[run.model]) for run in usable])
    measured = np.array([run.tpot_s for run in usable])
    out = np.array([run.held_out for run in usable])
    numbers = solve(terms[~out], measured[~out])
    errors = Errors.of(terms[out] @ numbers, measured[out])
    source = f"systems/silicon_sample.csv, {calibration.gpu}, {calibration.engine}"
    serving = serving_of(numbers, fitted(source, len(seen), errors))
    return calibration.model_copy(update={"serving": serving})


def calibrate_experts(
    calibration: Calibration, gpu: Gpu, runs: Sequence[ServingRun], presets: dict[str, Architecture]
) -> Calibration:
    """Return `calibration` with serving numbers of experts, by format, where enough runs were measured.

    Parameters
    ----------
    calibration : kernel numbers, and serving numbers from runs of dense models, which stay as they are.
    gpu, runs, presets : as in `calibrate_serving`, of mixtures of experts.
    """
    usable = [run for run in runs if believable(run, presets[run.model].active_parameters, gpu)]
    experts = {}
    for dtype, fit in calibration.experts.items():
        those = [run for run in usable if (run.expert_dtype or run.weight_dtype) == dtype]
        rows = [_expert_terms(calibration, deployment_of(run, gpu, presets[run.model]), run) for run in those]
        serving = _experts_serving(np.array(rows), those, f"{calibration.gpu}, {calibration.engine}, {dtype}")
        experts[dtype] = fit.model_copy(update={"serving": serving})
    return calibration.model_copy(update={"experts": experts})


def _expert_terms(
    calibration: Calibration, deployment: Deployment, run: ServingRun
) -> tuple[float, float, float, float]:
    """Return what no number of `ExpertsServing` changes of the time per token of `run`, and its terms."""
    dtype = deployment.expert_format

    def seconds(experts: float, kernels: float) -> float:
        unit = ExpertsServing.model_construct(
            experts_ratio=experts, kernel_ratio=kernels, step_s=0.0, sequence_s=0.0, fitted=UNIT
        )
        changed = calibration.experts[dtype].model_copy(update={"serving": unit})
        fits = calibration.experts | {dtype: changed}
        return estimate(BoundCalibrated(calibration.model_copy(update={"experts": fits}), deployment), run)

    fixed = seconds(0.0, 0.0)
    return fixed, seconds(1.0, 0.0) - fixed, seconds(0.0, 1.0) - fixed, float(run.concurrency)


def _experts_serving(terms: Vector, runs: Sequence[ServingRun], what: str) -> ExpertsServing | None:
    out = np.array([run.held_out for run in runs], dtype=bool)
    if (~out).sum() < FEWEST_EXPERT_RUNS:
        return None
    measured = np.array([run.tpot_s for run in runs])
    fixed, experts, kernels, sequences = terms.T

    def predict(numbers: Vector, mask: Mask) -> Vector:
        experts_ratio, kernel_ratio, step_s, sequence_s = numbers
        running = experts_ratio * experts + kernel_ratio * kernels + step_s + sequence_s * sequences
        result: Vector = (fixed + running)[mask]
        return result

    numbers, _, by = fit_and_judge(
        predict, measured, out, source=f"systems/silicon_sample.csv, {what}", **EXPERTS_SERVING_BOUNDS
    )
    named = dict(zip(EXPERTS_SERVING_NUMBERS, numbers, strict=True))
    bounded = {name: number if number > 2 * NOTHING else 0.0 for name, number in named.items()}
    return ExpertsServing.model_validate(bounded | {"fitted": by})


def serving_of(numbers: Vector, by: Fitted) -> ServingFit:
    """Return a solution as serving numbers, rounded, with its provenance."""
    kernel, reduce, layer, step, sequence = (
        rounded(float(number)) if number > NOTHING else 0.0 for number in numbers
    )
    return ServingFit(
        kernel_ratio=kernel,
        allreduce_ratio=reduce,
        layer_s=layer,
        step_s=step,
        sequence_s=sequence,
        fitted=by,
    )


def solve(
    terms: Vector,
    measured: Vector,
    *,
    lower: tuple[float, ...] = LOWER,
    upper: tuple[float, ...] = UPPER,
) -> Vector:
    """Return the serving numbers for which ``terms @ numbers`` is nearest to `measured`.

    Parameters
    ----------
    terms : shape (rows, 5).
    measured : durations, s.
    lower, upper : bounds of the numbers.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415 - an extra, and slow to import

    def residuals(numbers: Vector) -> Vector:
        difference: Vector = np.log(np.maximum(terms @ numbers, 1e-9) / measured)
        return difference

    start = np.clip((1.0, 1.0, 5e-6, 5e-4, 1e-5), np.array(lower), np.array(upper))
    end = least_squares(
        residuals,
        start,
        bounds=(lower, upper),
        x_scale=SCALE,
        loss="soft_l1",
        f_scale=CORNER,
        ftol=1e-12,
        xtol=1e-12,
        gtol=1e-12,
        max_nfev=5000,
    )
    solution: Vector = end.x
    return solution


def unit_serving(kernel: float, reduce: float, layer: float, step: float, sequence: float) -> ServingFit:
    """Return serving numbers that single out a term, unchecked: a ratio of 0 is no real one."""
    return ServingFit.model_construct(
        kernel_ratio=kernel,
        allreduce_ratio=reduce,
        layer_s=layer,
        step_s=step,
        sequence_s=sequence,
        fitted=UNIT,
    )


def _terms(calibration: Calibration, gpu: Gpu, run: ServingRun, architecture: Architecture) -> list[float]:
    """Return what each of the five numbers is multiplied with in the estimate of `run`'s time per token."""
    deployment = deployment_of(run, gpu, architecture)
    nothing = _estimate(calibration, deployment, run, (0.0, 0.0, 0.0, 0.0, 0.0))
    units = ((1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1e-6, 0.0, 0.0))
    kernels, reduces, layers = (
        (_estimate(calibration, deployment, run, unit) - nothing) / max(unit) for unit in units
    )
    # The traffic of the norms is no number of the fit; it counts as kernels.
    return [kernels + nothing, reduces, layers, 1.0, float(run.concurrency)]


def deployment_of(run: ServingRun, gpu: Gpu, architecture: Architecture) -> Deployment:
    """Return what ran."""
    return Deployment(
        architecture=architecture,
        attention=own_attention(architecture),
        gpu=gpu,
        tp=run.tp,
        weight_dtype=run.weight_dtype,
        kv_dtype=run.kv_dtype,
        compute_dtype=run.weight_dtype,
        expert_dtype=run.expert_dtype,
        expert_parallel=run.expert_parallel,
    )


def _interruptions(run: ServingRun) -> float:
    """Return how many prompts of others a sequence sees for each of its output tokens."""
    return (run.concurrency - 1) / run.output_tokens


def _estimate(
    calibration: Calibration,
    deployment: Deployment,
    run: ServingRun,
    numbers: tuple[float, float, float, float, float],
) -> float:
    unit = unit_serving(*numbers)
    return estimate(BoundCalibrated(calibration.model_copy(update={"serving": unit}), deployment), run)


def estimate(bound: BoundCalibrated, run: ServingRun) -> float:
    """Return the time per token of `run` in a steady state, s."""
    others, mean = run.concurrency - 1, run.prompt_tokens + run.output_tokens // 2
    attention = bound.deployment.attention
    work = attention.step_work(ContextArray([mean] * run.concurrency), 1)
    decode = float(bound.step_seconds(StepLoad(1, run.concurrency, work)))
    if not others:
        return decode
    prompt = run.prompt_tokens
    pairs = attention.prefill_attended_tokens(0, prompt)
    running = attention.step_work(ContextArray([mean] * others), 1)
    shared = float(bound.step_seconds(StepLoad(1, others, running, prompt, pairs, prompt, 1)))
    return decode + _interruptions(run) * (shared - decode)
