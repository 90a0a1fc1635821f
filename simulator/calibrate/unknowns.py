"""The serving numbers as unknowns: a step is linear in them, so every measured time is a row of terms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np

from simulator.calibrate.fitting import CORNER, NEAR, Vector, rounded
from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.hardware.calibration import Bound, Fitted, ServingFit
from simulator.latency.calibrated import BoundCalibrated

Bounds = Mapping[str, tuple[float, float]]
"""The least and the most of each serving number, in the order of the terms."""

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "kernel_ratio": (0.75, 1.5),
    "attention_ratio": (0.5, 2.5),
    "allreduce_ratio": (0.0, 3.0),
    "prompt_ratio": (0.75, 3.0),
    "layer_s": (0.0, 1e-4),
    "step_s": (0.0, 2e-2),
    "sequence_s": (0.0, 2e-4),
}
"""What each number of a `ServingFit` may be, in the order of the terms; of attention see `bounds_of`."""

NUMBERS: Final = tuple(BOUNDS)
START: Final = np.array((1.0, 1.0, 1.0, 1.0, 5e-6, 5e-4, 1e-5))
SCALE: Final = (1.0, 1.0, 1.0, 1.0, 1e-5, 1e-3, 1e-5)
NOTHING: Final = 1e-9
"""Numbers below this are at their bound of 0."""

UNIT: Final = Fitted(table="unit", rows=1, held_out_rows=0)


def bounds_of(calibration: Calibration) -> Bounds:
    """Return what each number may be beside these kernel numbers.

    Decode attention is nothing but reading: with a lower ratio than its kernels' part of the bandwidth it
    would read keys and values faster than the data sheet allows.
    """
    least, most = BOUNDS["attention_ratio"]
    return BOUNDS | {"attention_ratio": (max(least, fastest_read(calibration)), most)}


def fastest_read(calibration: Calibration) -> float:
    """Return the largest part of the bandwidth that decode attention reaches alone; 0 if none was timed."""
    return max((fit.memory_ratio for fit in calibration.decode_attention.values()), default=0.0)


def folded(calibration: Calibration, deployment: Deployment) -> Calibration:
    """Return a calibration that predicts the same of `deployment` with one set of serving numbers.

    What measured runs told of its experts moves into the numbers of their kernel and into `ServingFit`; what
    they told of models with linear attention takes its place.
    """
    bound = BoundCalibrated(calibration, deployment)
    linear = calibration.linear_attention
    if bound.hybrid and linear is not None:
        unserved = {d: fit.model_copy(update={"serving": None}) for d, fit in calibration.experts.items()}
        states = linear.model_copy(update={"serving": None})
        changes = {"experts": unserved, "linear_attention": states, "serving": bound.serving}
        return calibration.model_copy(update=changes)
    if bound.experts is None or bound.experts.serving is None:
        return calibration
    ratio, fit = bound.experts_ratio, bound.experts
    longer = {name: ratio * getattr(fit, name) for name in ("launch_s", "row_element_s", "token_s")}
    slower = {name: getattr(fit, name) / ratio for name in ("compute_ratio", "memory_ratio")}
    alone = fit.model_copy(update=longer | slower | {"serving": None})
    experts = calibration.experts | {deployment.expert_format: alone}
    return calibration.model_copy(update={"experts": experts, "serving": bound.serving})


def terms(
    calibration: Calibration,
    deployment: Deployment,
    seconds: Callable[[BoundCalibrated], Vector],
    names: Sequence[str] = NUMBERS,
) -> Vector:
    """Return what each number is multiplied with in some durations, shape (durations, names).

    Parameters
    ----------
    calibration : kernel numbers.
    deployment : what ran.
    seconds : works out the durations, s, shape (durations,), linear in the serving numbers.
    names : the numbers in question.
    """

    def of(*numbers: float) -> Vector:
        # Unchecked: a ratio of 0 is no real one.
        named: dict[str, Any] = dict(zip(NUMBERS, numbers, strict=True))
        unit = ServingFit.model_construct(**named, fitted=UNIT)
        return seconds(BoundCalibrated(calibration.model_copy(update={"serving": unit}), deployment))

    nothing = of(*(0.0 for _ in NUMBERS))
    # In their own scale: a whole second per layer would drown the rest.
    columns = [
        (of(*(s if n == at else 0.0 for n in NUMBERS)) - nothing) / s
        for at, s in zip(NUMBERS, SCALE, strict=True)
        if at in names
    ]
    # The traffic of the norms is no number of the fit; it counts as kernels, the first of the numbers.
    if NUMBERS[0] in names:
        columns[0] = columns[0] + nothing
    return np.stack(columns, axis=1)


def solve(
    rows: Vector,
    measured: Vector,
    *,
    weights: Vector | None = None,
    known: dict[str, float] | None = None,
    before: ServingFit | None = None,
    bounds: Bounds,
    prior: float,
) -> Vector:
    """Return the serving numbers for which ``rows @ numbers`` is nearest to `measured`.

    Parameters
    ----------
    rows : shape (durations, numbers), as `terms` returns.
    measured : durations, s.
    weights : of the durations; None: all count the same.
    known : numbers that are not fitted.
    before : ratios that are expected; None: kernels take what they take alone.
    bounds : as `bounds_of` returns.
    prior : what a ratio that is off by 1 from what was expected costs, as a relative error of one duration:
        durations that cannot tell two kinds of kernels apart leave them where they were.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415 - an extra, and slow to import

    given = known or {}
    free = np.array([name not in given for name in NUMBERS])
    fixed = np.array([given.get(name, 0.0) for name in NUMBERS])
    lower, upper = (np.array(ends)[free] for ends in zip(*bounds.values(), strict=True))
    base, unknown = rows[:, ~free] @ fixed[~free], rows[:, free]
    expected = np.array([getattr(before, name) if before else 1.0 for name in NUMBERS])[free]
    ratios = np.array([name.endswith("_ratio") for name in NUMBERS])[free]
    root = 1.0 if weights is None else np.sqrt(weights)

    def residuals(numbers: Vector) -> Vector:
        difference = root * np.log(np.maximum(base + unknown @ numbers, 1e-9) / measured)
        unlikely = prior * (numbers - expected)[ratios]
        return np.concatenate([difference, unlikely])

    end = least_squares(
        residuals,
        START[free],
        bounds=(lower, upper),
        x_scale=np.array(SCALE)[free],
        loss="soft_l1",
        f_scale=CORNER,
        ftol=1e-12,
        xtol=1e-12,
        gtol=1e-12,
        max_nfev=5000,
    )
    fixed[free] = end.x
    return fixed


def ends(numbers: Vector, known: Collection[str], bounds: Bounds) -> dict[str, Bound]:
    """Return which fitted numbers ended at a bound, and at which.

    Parameters
    ----------
    numbers : as `solve` returns.
    known : numbers that were not fitted.
    bounds : as `bounds_of` returns.
    """
    found: dict[str, Bound] = {}
    for (name, (least, most)), scale, number in zip(bounds.items(), SCALE, numbers, strict=True):
        if name in known:
            continue
        if number <= least + NEAR * scale:
            found[name] = "least"
        elif number >= most - NEAR * scale:
            found[name] = "most"
    return found


def serving_of(
    numbers: Vector,
    by: Fitted,
    *,
    largest_batch: int | None = None,
    least_s: tuple[float, float] = (0.0, 0.0),
    launched_by: tuple[str, ...] = (),
) -> ServingFit:
    """Return a solution as serving numbers, rounded.

    Parameters
    ----------
    numbers : as `solve` returns.
    by : their provenance.
    largest_batch : most sequences that ran at once in what they were fitted to.
    least_s : least times of steps with prompts, captured and not, s.
    launched_by : models whose steps told them.
    """
    found = (rounded(float(number)) if number > NOTHING else 0.0 for number in numbers)
    named = dict(zip(NUMBERS, found, strict=True))
    captured_s, eager_s = least_s
    return ServingFit(
        **named,
        captured_prompt_s=captured_s,
        eager_prompt_s=eager_s,
        launched_by=launched_by,
        largest_batch=largest_batch,
        fitted=by,
    )


def known_numbers(
    tps: Collection[int], models: Collection[str], before: ServingFit | None
) -> dict[str, float]:
    """Return the numbers that measurements cannot tell apart, with the values they keep.

    Runs on single GPUs say nothing of all-reduces, whose ratio stays as it was. Runs of one model cannot
    tell time per layer from time per step, which takes both.

    Parameters
    ----------
    tps : GPUs per replica that were measured.
    models : models that were measured.
    before : serving numbers so far, if any.
    """
    known = {}
    if max(tps) == 1:
        known["allreduce_ratio"] = before.allreduce_ratio if before else 1.0
    if len(models) == 1:
        known["layer_s"] = 0.0
    return known
