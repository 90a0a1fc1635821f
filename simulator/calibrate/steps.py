"""A user's own engine: its serving numbers from measured decode steps.

A file of steps has one row per step without prefill tokens: how many sequences decoded, the tokens in their
caches summed, and how long the step took. The kernel numbers stay those of the shipped calibration; the
five serving numbers are fitted. Whole batch sizes are held out to judge the fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from simulator.attention import ContextArray
from simulator.calibrate.fitting import Errors, Vector, fitted
from simulator.calibrate.serving import LOWER, UPPER, serving_of, solve, unit_serving
from simulator.deployment import Deployment
from simulator.errors import SimulatorError, suggest
from simulator.hardware import Calibration
from simulator.latency import RooflineLatency, StepLoad
from simulator.latency.calibrated import BoundCalibrated

COLUMNS: Final = ("sequences", "context_tokens", "step_s")
FEWEST_STEPS: Final = 50
FEWEST_BATCHES: Final = 5
HOLD_OUT_ONE_IN: Final = 3
LEAST_SPREAD: Final = 2.0
"""How many times longer the longest contexts must be than the shortest, per sequence."""

FASTEST_RATIO: Final = 0.5
SLOWEST_RATIO: Final = 200.0
"""Median step over its roofline time: outside of this the unit is not seconds."""


class MeasuredStepsError(SimulatorError):
    """A file of steps that cannot be used; says which lines or what is missing."""


def read_steps(path: Path) -> pd.DataFrame:
    """Return the steps in a CSV file with the columns `COLUMNS`; others are ignored.

    Raises
    ------
    MeasuredStepsError
        If the file is no table, a column is missing, or a value is no positive number: all faults at once.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        message = f"{path}: no table of steps: {error}"
        raise MeasuredStepsError(message) from error
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        told = "; ".join(f"column {name!r} is missing, {suggest(name, rows.columns)}" for name in missing)
        message = f"{path}:1: {told}"
        raise MeasuredStepsError(message)
    numbers = pd.DataFrame({name: pd.to_numeric(rows[name], errors="coerce") for name in COLUMNS})
    faults = [
        f"{path}:{line + 2}: {name}: {rows[name].iloc[line]} is no positive number"
        for name in COLUMNS
        for line in np.flatnonzero(~((numbers[name] > 0) & np.isfinite(numbers[name])))[:10]
    ]
    if faults:
        raise MeasuredStepsError("\n".join(faults))
    return numbers


def check_steps(steps: pd.DataFrame, deployment: Deployment, path: Path) -> None:
    """Refuse steps that cannot carry a fit, or that are not in seconds.

    Raises
    ------
    MeasuredStepsError
        With what is missing, or with the factor by which the steps miss what the hardware can do.
    """
    faults = []
    batches = steps["sequences"].nunique()
    mean = steps["context_tokens"] / steps["sequences"]
    if len(steps) < FEWEST_STEPS:
        faults.append(f"{len(steps)} steps, but a fit needs {FEWEST_STEPS}")
    if batches < FEWEST_BATCHES:
        faults.append(f"{batches} different numbers of sequences, but a fit needs {FEWEST_BATCHES}")
    if len(steps) and mean.max() < LEAST_SPREAD * mean.min():
        faults.append(
            f"contexts of {mean.min():.0f} to {mean.max():.0f} tokens per sequence, but the longest must be "
            f"{LEAST_SPREAD:g} times the shortest"
        )
    if not faults:
        bound = RooflineLatency(layer_overhead_s=0.0).bind(deployment)
        least = np.array([float(bound.step_seconds(_load(deployment, n, c))) for n, c in _pairs(steps)])
        ratio = float(np.median(steps["step_s"].to_numpy() / least))
        if not FASTEST_RATIO <= ratio <= SLOWEST_RATIO:
            faults.append(
                f"steps take {ratio:.3g} times what the data sheet allows in the median; step_s is in "
                "seconds: are these milliseconds, or is it another model or number of GPUs?"
            )
    if faults:
        raise MeasuredStepsError("\n".join(f"{path}: {fault}" for fault in faults))


def calibrate_steps(
    calibration: Calibration, deployment: Deployment, steps: pd.DataFrame, source: str
) -> Calibration:
    """Return `calibration` with serving numbers fitted to measured steps.

    Parameters
    ----------
    calibration : kernel numbers of the GPU and engine.
    deployment : what ran.
    steps : as `read_steps` returns.
    source : name of the file.

    Notes
    -----
    Steps of one model cannot tell time per layer from time per step, which takes both; without tensor
    parallelism nothing is learnt of all-reduces, whose ratio stays as it was.
    """
    # What other people's engines made of experts says nothing of this one.
    alone = {dtype: fit.model_copy(update={"serving": None}) for dtype, fit in calibration.experts.items()}
    calibration = calibration.model_copy(update={"experts": alone})
    terms = np.array([_terms(calibration, deployment, n, c) for n, c in _pairs(steps)])
    measured = steps["step_s"].to_numpy(dtype=np.float64)
    # Every third batch size is held out, not the smallest: hashes of few sizes may leave none.
    sizes = np.unique(steps["sequences"])
    out = np.isin(steps["sequences"], sizes[1::HOLD_OUT_ONE_IN])
    before = calibration.serving.allreduce_ratio if calibration.serving else 1.0
    single = deployment.tp == 1
    lower = (LOWER[0], before - 1e-9 if single else LOWER[1], 0.0, LOWER[3], LOWER[4])
    upper = (UPPER[0], before + 1e-9 if single else UPPER[1], 1e-12, 1.0, UPPER[4])
    numbers = solve(terms[~out], measured[~out], lower=lower, upper=upper)
    errors = Errors.of(terms[out] @ numbers, measured[out])
    serving = serving_of(numbers, fitted(source, int((~out).sum()), errors))
    return calibration.model_copy(update={"serving": serving})


def _pairs(steps: pd.DataFrame) -> list[tuple[int, int]]:
    return list(zip(steps["sequences"].astype(int), steps["context_tokens"].astype(int), strict=True))


def _load(deployment: Deployment, sequences: int, context: int) -> StepLoad:
    # The file tells the sum alone: all contexts are taken as equal.
    least, longer = divmod(context, sequences)
    contexts = [least + 1] * longer + [least] * (sequences - longer)
    return StepLoad(1, sequences, deployment.attention.step_work(ContextArray(contexts), 1))


def _terms(calibration: Calibration, deployment: Deployment, sequences: int, context: int) -> Vector:
    """Return what each of the five numbers is multiplied with in the time of one step."""

    def seconds(kernel: float, reduce: float) -> float:
        unit = unit_serving(kernel, reduce, 0.0, 0.0, 0.0)
        bound = BoundCalibrated(calibration.model_copy(update={"serving": unit}), deployment)
        return float(bound.step_seconds(_load(deployment, sequences, context)))

    nothing = seconds(0.0, 0.0)
    layers = float(deployment.architecture.layers)
    # The traffic of the norms is no number of the fit; it counts as kernels.
    return np.array([seconds(1.0, 0.0), seconds(0.0, 1.0) - nothing, layers, 1.0, float(sequences)])
