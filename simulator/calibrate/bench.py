"""A user's own server: its serving numbers from benchmark results.

The kernel numbers stay those of the shipped calibration. How many serving numbers are fitted depends on what
the runs can tell apart (`LADDER`): all of them by one factor, then kernels, step and sequence on their own,
then every number. The estimate is that of `simulator.calibrate.serving`; `simulator.calibrate.points` judges
the runs.

Not modelled: prefix caches, so prompts must differ; speculative decoding, which is refused; lengths beyond
their means. Steps of one model cannot tell time per layer from time per step, which takes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from simulator.calibrate.fitting import Errors, Mask, Vector, fit, fitted
from simulator.calibrate.points import BenchError, Point, terms_of, unusable
from simulator.calibrate.steps import HOLD_OUT_ONE_IN
from simulator.calibrate.unknowns import NUMBERS, UNIT, Bounds, bounds_of, ends, folded, serving_of, solve
from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.hardware.calibration import Bound
from simulator.latency.calibrated import KERNELS_ALONE

PRIOR: Final = 0.1
"""How firmly ratios stay where they were: the ladder lets few runs say no more than they can."""

FACTORS: Final = (0.2, 10.0)
"""Bounds of the one factor: a server beyond them is not the one that the shipped numbers describe."""


@dataclass(frozen=True, slots=True)
class Rung:
    """How many numbers are fitted, and what that takes of the runs that are not held out.

    Parameters
    ----------
    what : in words.
    free : the numbers that are fitted on their own; none: all by one factor.
    runs : fewest runs.
    loads : fewest different numbers of requests in flight.
    load_spread, context_spread : the largest over the smallest, of requests in flight and of tokens in cache
        per sequence.
    """

    what: str
    free: frozenset[str]
    runs: int
    loads: int
    load_spread: float
    context_spread: float


LADDER: Final = (
    Rung("one factor on all serving numbers", frozenset(), 1, 1, 1.0, 1.0),
    Rung(
        "kernels, step and sequence apart",
        frozenset({"kernel_ratio", "step_s", "sequence_s"}),
        6,
        3,
        8.0,
        2.0,
    ),
    Rung("every number apart", frozenset(NUMBERS) - {"layer_s"}, 8, 4, 8.0, 2.0),
)
"""Time per layer counts as time per step wherever numbers are fitted on their own; without tensor parallelism
nothing is learnt of all-reduces, and the last rung is left out.

The counts are measured, on published sweeps of dense models: docs/calibration.md."""


@dataclass(frozen=True, slots=True)
class BenchFit:
    """A calibration from benchmark results and how it came about.

    Parameters
    ----------
    calibration : with the fitted serving numbers.
    rung : what was fitted.
    missing : what the next rung would have needed; empty on the last one.
    bounded : numbers that, fitted on their own, end at a bound, where that met the runs worse than `rung`.
    points : the runs.
    before_s, after_s : estimates of their time per token, by the shipped and by the fitted numbers.
    held_out : which of them the fit has not seen.
    left_out : runs that say nothing of a step, and why.
    """

    calibration: Calibration
    rung: Rung
    missing: tuple[str, ...]
    bounded: tuple[str, ...]
    points: tuple[Point, ...]
    before_s: tuple[float, ...]
    after_s: tuple[float, ...]
    held_out: tuple[bool, ...]
    left_out: tuple[tuple[Point, str], ...]


def calibrate_bench(
    calibration: Calibration, deployment: Deployment, points: Sequence[Point], source: str
) -> BenchFit:
    """Return `calibration` with serving numbers fitted to benchmark results.

    Parameters
    ----------
    calibration : kernel numbers of the GPU and engine, and the serving numbers to start from.
    deployment : what ran.
    points : runs that `check_points` let pass, at least one.
    source : names of the files.

    Raises
    ------
    BenchError
        If no run is left, or the server is far from what the shipped numbers describe.
    """
    calibration = folded(calibration, deployment)
    judged = [(point, unusable(point, deployment)) for point in points]
    left = [(point, why) for point, why in judged if why]
    points = [point for point, why in judged if not why]
    if not points:
        raise BenchError("\n".join(f"{point.run.where}: {why}" for point, why in left))
    out = held_out(points)
    seen = [point for point, is_out in zip(points, out, strict=True) if not is_out]
    ladder = LADDER if deployment.tp > 1 else LADDER[:-1]
    reached = max(place for place, rung in enumerate(ladder) if not lacks(rung, seen))
    terms = np.array([terms_of(calibration, deployment, point) for point in points])
    measured = np.array([point.token.value for point in points])
    serving = calibration.serving or KERNELS_ALONE
    before = np.array([getattr(serving, name) for name in NUMBERS], dtype=np.float64)
    least_s = (serving.captured_prompt_s, serving.eager_prompt_s)
    bounds, tried = bounds_of(calibration), ladder[: reached + 1]
    solve_for = partial(solved, before=before, bounds=bounds, source=source)
    solutions = [solve_for(rung, terms[~out], measured[~out]) for rung in tried]
    # Numbers at their bounds may fit worse than one factor on all of them, which has wider ones.
    misses = [_miss(terms[~out] @ numbers, measured[~out]) for numbers in solutions]
    chosen = max(place for place, miss in enumerate(misses) if miss <= misses[0])
    rung, numbers = ladder[chosen], solutions[chosen]
    errors = Errors.of(terms[out] @ numbers, measured[out])
    by = fitted(f"{source}; {rung.what}", len(seen), errors, _ends(rung, numbers, bounds))
    largest = max(round(point.in_flight.value) for point in seen)
    found = serving_of(numbers, by, largest_batch=largest, least_s=least_s, launched_by=serving.launched_by)
    return BenchFit(
        calibration=calibration.model_copy(update={"serving": found}),
        rung=rung,
        missing=tuple(lacks(ladder[reached + 1], seen)) if reached + 1 < len(ladder) else (),
        bounded=tuple(_ends(ladder[reached], solutions[reached], bounds)) if chosen < reached else (),
        points=tuple(points),
        before_s=tuple((terms @ before).tolist()),
        after_s=tuple((terms @ numbers).tolist()),
        held_out=tuple(bool(is_out) for is_out in out),
        left_out=tuple(left),
    )


def held_out(points: Sequence[Point]) -> Mask:
    """Return which points judge the fit: one setting in three, but none of one or two."""
    settings = sorted({point.setting() for point in points})
    judges = set(settings[1::HOLD_OUT_ONE_IN]) if len(settings) >= HOLD_OUT_ONE_IN else set()
    return np.array([point.setting() in judges for point in points], dtype=np.bool_)


def lacks(rung: Rung, seen: Sequence[Point]) -> list[str]:
    """Return what the runs that are fitted lack for a rung, a phrase each."""
    loads = [point.in_flight.value for point in seen]
    contexts = [point.context_tokens for point in seen]
    different = len({point.setting()[0] for point in seen})
    found = []
    if len(seen) < rung.runs:
        found.append(f"{rung.runs} runs, not {len(seen)}")
    if different < rung.loads:
        found.append(f"{rung.loads} different numbers of requests in flight, not {different}")
    if max(loads) < rung.load_spread * min(loads):
        found.append(
            f"most requests in flight {rung.load_spread:g} times the fewest, not "
            f"{max(loads) / min(loads):.3g} times"
        )
    if max(contexts) < rung.context_spread * min(contexts):
        found.append(
            f"the longest context (prompt and half of the output) {rung.context_spread:g} times the "
            f"shortest, not {max(contexts) / min(contexts):.3g} times"
        )
    return found


def solved(
    rung: Rung, terms: Vector, measured: Vector, *, before: Vector, bounds: Bounds, source: str
) -> Vector:
    """Return the serving numbers of a rung.

    Parameters
    ----------
    rung : which of them are fitted, and how.
    terms : shape (runs, numbers), as `terms_of` returns.
    measured : times per token, s.
    before : the numbers to start from.
    bounds : what the numbers may be.
    source : names of the files.
    """
    if not rung.free:
        return _factor(terms @ before, measured, source) * before
    pinned = {name: number for name, number in zip(NUMBERS, before, strict=True) if name not in rung.free}
    known, start = pinned | {"layer_s": 0.0}, serving_of(before, UNIT)
    return solve(terms, measured, known=known, before=start, bounds=bounds, prior=PRIOR)


def _miss(estimate: Vector, measured: Vector) -> float:
    """Return the mean size of the error in logarithms."""
    return float(np.abs(np.log(estimate / measured)).mean())


def _ends(rung: Rung, numbers: Vector, bounds: Bounds) -> dict[str, Bound]:
    """Return which numbers that a rung fits on their own ended at a bound."""
    return ends(numbers, set(NUMBERS) - rung.free, bounds)


def _factor(estimate: Vector, measured: Vector, source: str) -> float:
    """Return the factor that brings estimates nearest to what was measured."""
    least, most = FACTORS
    (factor,), _ = fit(lambda x: x[0] * estimate, measured, starts=[(1.0,)], lower=[least], upper=[most])
    if not least < factor < most:
        ratio = float(np.median(measured / estimate))
        message = (
            f"{source}: the time per token is {ratio:.3g} times what the shipped numbers give in the median; "
            f"{least:g} to {most:g} times can be fitted: is it this GPU, engine, model, format and --tp?"
        )
        raise BenchError(message)
    return factor
