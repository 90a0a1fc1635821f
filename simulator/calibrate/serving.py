"""The serving numbers of a calibration, fitted to measured runs through a steady-state estimate.

While n requests are in flight a token takes a decode step of n sequences at their mean context, and during
every output of a sequence the prompts of the n - 1 others each share one of its steps and lengthen it:
``decode + (n - 1) / output * (shared - decode)``. The estimate serves the fit alone, because a step is linear
in the numbers; predictions are simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from simulator.attention import AttentionWork, DenseAttention
from simulator.calibrate.fitting import Errors, Vector, fitted
from simulator.calibrate.runs import ServingRun, believable, measured_runs, of
from simulator.calibrate.unknowns import NUMBERS, known_numbers, serving_of, solve, terms
from simulator.deployment import Deployment
from simulator.hardware import Calibration, Gpu
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

FEWEST_RUNS: Final = 25
PRIOR: Final = 1.0
"""How firmly ratios stay at 1.  Of 0.3, 0.6, 1 and 2 the one that predicts best the models left out of a fit
(H100, two engines, two models each)."""


def with_serving(calibration: Calibration, gpu: Gpu) -> Calibration:
    """Return `calibration` with numbers from the installed serving runs of its GPU and engine, if any."""
    runs = of(measured_runs(), calibration.gpu, calibration.engine)
    presets = {run.model: load_part(find("model", run.model), Architecture) for run in runs}
    return calibrate_serving(calibration, gpu, runs, presets)


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
    numbers = solve(rows, measured, known=known, prior=PRIOR)
    others, other_measured = measured_by(unseen)
    errors = Errors.of(others @ numbers, other_measured)
    source = f"systems/silicon_sample.csv, {calibration.gpu}, {calibration.engine}"
    serving = serving_of(numbers, fitted(source, len(seen), errors))
    return calibration.model_copy(update={"serving": serving})


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
    deployment = Deployment(
        architecture=architecture,
        attention=DenseAttention(),
        gpu=gpu,
        tp=run.tp,
        weight_dtype=run.weight_dtype,
        kv_dtype=run.kv_dtype,
        compute_dtype=run.weight_dtype,
    )
    return terms(calibration, deployment, lambda bound: np.array([_estimate(bound, run)]))


def _interruptions(run: ServingRun) -> float:
    """Return how many prompts of others a sequence sees for each of its output tokens."""
    return (run.concurrency - 1) / run.output_tokens


def _estimate(bound: BoundCalibrated, run: ServingRun) -> float:
    """Return the time per token of `run`, s."""
    others, mean = run.concurrency - 1, run.prompt_tokens + run.output_tokens // 2
    context, longest = run.concurrency * mean, run.prompt_tokens + run.output_tokens
    work = AttentionWork(context, context, None, longest)
    decode = float(bound.step_seconds(StepLoad(1, run.concurrency, work)))
    if not others:
        return decode
    prompt = run.prompt_tokens
    pairs = prompt * (prompt + 1) // 2
    running = AttentionWork(others * mean, others * mean, None, longest)
    shared = float(bound.step_seconds(StepLoad(1, others, running, prompt, pairs, prompt, 1)))
    return decode + _interruptions(run) * (shared - decode)
