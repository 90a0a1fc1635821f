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

from simulator.attention import AttentionWork, ContextArray
from simulator.calibrate.fitting import Errors, Mask, Vector, fit_and_judge, fitted
from simulator.calibrate.runs import ServingRun, believable, measured_runs, of
from simulator.calibrate.unknowns import (
    NOTHING,
    NUMBERS,
    UNIT,
    bounds_of,
    ends,
    known_numbers,
    serving_of,
    solve,
    terms,
)
from simulator.deployment import Deployment, own_attention
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import ExpertsServing
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

FEWEST_RUNS: Final = 25
PRIOR: Final = 1.0
"""How firmly ratios stay at 1.  Of 0.3, 0.6, 1 and 2 the one that predicts best the models left out of a fit
(H100, two engines, two models each)."""


FEWEST_EXPERT_RUNS: Final = 15
EXPERTS_SERVING_NUMBERS: Final = ("experts_ratio", "kernel_ratio", "step_s", "sequence_s")
EXPERTS_SERVING_BOUNDS: Final[dict[str, Any]] = {
    "starts": ((0.8, 1.0, 1e-3, 1e-5),),
    "lower": (0.6, 0.8, 1e-9, 1e-9),
    "upper": (4.0, 1.5, 2e-2, 2e-4),
    "names": EXPERTS_SERVING_NUMBERS,
}
"""What the serving numbers of experts are called, in the order of the fit, and their bounds; which of them
are fitted was chosen by cross-validation on the runs that fits may see. Below the least ratios products
would move a fifth more bytes than the memory can, and more."""


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
    usable = [run for run in runs if believable(run, presets[run.model], gpu)]
    seen = [run for run in usable if not run.held_out]
    if len(seen) < FEWEST_RUNS:
        return calibration
    unseen = [run for run in usable if run.held_out]
    return _fitted(calibration, gpu, seen, unseen, presets)


def fitted_to_runs(calibration: Calibration, gpu: Gpu, runs: Sequence[ServingRun]) -> Calibration | None:
    """Return `calibration` with serving numbers fitted to all of `runs`, or None where these are too few.

    Parameters
    ----------
    calibration : kernel numbers.
    gpu : its profile.
    runs : measured runs of this GPU and engine that can be believed.
    """
    if len(runs) < FEWEST_RUNS:
        return None
    presets = {run.model: load_part(find("model", run.model), Architecture) for run in runs}
    return _fitted(calibration, gpu, runs, (), presets)


def _fitted(
    calibration: Calibration,
    gpu: Gpu,
    seen: Sequence[ServingRun],
    unseen: Sequence[ServingRun],
    presets: dict[str, Architecture],
) -> Calibration:
    """Return `calibration` with serving numbers fitted to some runs and judged on others."""

    def measured_by(runs: Sequence[ServingRun]) -> tuple[Vector, Vector]:
        rows = [estimate_terms(calibration, gpu, run, presets[run.model]) for run in runs]
        return np.concatenate([np.empty((0, len(NUMBERS))), *rows]), np.array([run.tpot_s for run in runs])

    rows, measured = measured_by(seen)
    known = known_numbers({run.tp for run in seen}, {run.model for run in seen}, None)
    bounds = bounds_of(calibration)
    numbers = solve(rows, measured, known=known, bounds=bounds, prior=PRIOR)
    others, other_measured = measured_by(unseen)
    errors = Errors.of(others @ numbers, other_measured)
    source = f"systems/silicon_sample.csv, {calibration.gpu}, {calibration.engine}"
    by = fitted(source, len(seen), errors, ends(numbers, known, bounds))
    serving = serving_of(numbers, by, largest_batch=max(run.concurrency for run in seen))
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
    usable = [run for run in runs if believable(run, presets[run.model], gpu)]
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
        unit = ExpertsServing(
            experts_ratio=experts, kernel_ratio=kernels, step_s=0.0, sequence_s=0.0, fitted=UNIT
        )
        changed = calibration.experts[dtype].model_copy(update={"serving": unit})
        fits = calibration.experts | {dtype: changed}
        return estimate(BoundCalibrated(calibration.model_copy(update={"experts": fits}), deployment), run)

    both = seconds(1.0, 1.0)
    experts, kernels = seconds(2.0, 1.0) - both, seconds(1.0, 2.0) - both
    return both - experts - kernels, experts, kernels, float(run.concurrency)


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
    return ExpertsServing.model_validate(bounded | {"largest_batch": largest_batch(runs), "fitted": by})


def largest_batch(runs: Sequence[ServingRun]) -> int:
    """Return the most requests in flight of the runs that a fit may see."""
    return max(run.concurrency for run in runs if not run.held_out)


def estimate_terms(calibration: Calibration, gpu: Gpu, run: ServingRun, architecture: Architecture) -> Vector:
    """Return what each serving number is multiplied with in the estimate of a run's time per token.

    Parameters
    ----------
    calibration : kernel numbers.
    gpu : its profile.
    run : concurrency, lengths, formats and GPUs are read.
    architecture : of the run's model.

    Returns
    -------
    Shape (1, numbers): the products with the numbers sum to the time per token, s.
    """
    deployment = deployment_of(run, gpu, architecture)
    return terms(calibration, deployment, lambda bound: np.array([estimate(bound, run)]))


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


def estimate(bound: BoundCalibrated, run: ServingRun) -> float:
    """Return the time per token of `run` in a steady state, s."""
    others, mean = run.concurrency - 1, run.prompt_tokens + run.output_tokens // 2
    attention = bound.deployment.attention
    longest = attention.step_work(ContextArray([run.prompt_tokens + run.output_tokens]), 1).read_tokens

    def running_of(sequences: int) -> AttentionWork:
        work = attention.step_work(ContextArray([mean] * sequences), 1)
        return work._replace(longest_tokens=longest)

    work = running_of(run.concurrency)
    decode = float(bound.step_seconds(StepLoad(1, run.concurrency, work)))
    if not others:
        return decode
    prompt = run.prompt_tokens
    pairs = attention.prefill_attended_tokens(0, prompt)
    running = running_of(others)
    shared = float(bound.step_seconds(StepLoad(1, others, running, prompt, pairs, prompt, 1)))
    return decode + _interruptions(run) * (shared - decode)
