"""A user's own server: its serving numbers from benchmark results.

The kernel numbers stay those of the shipped calibration. How many serving numbers are fitted depends on what
the runs can tell apart (`LADDER`): all of them by one factor, then kernels, step and sequence on their own,
then every number. The estimate is that of `simulator.calibrate.serving`, and as there a run that cannot have
been measured as described is left out.

Not modelled: prefix caches, so prompts must differ; speculative decoding, which is refused; lengths beyond
their means. Steps of one model cannot tell time per layer from time per step, which takes both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.attention import AttentionWork
from simulator.calibrate.fitting import Errors, Mask, Vector, fit, fitted
from simulator.calibrate.runs import LONGEST_TTFT_S, ServingRun, believable
from simulator.calibrate.serving import LOWER, UPPER, estimate_terms, serving_of, solve
from simulator.calibrate.steps import FASTEST_RATIO, HOLD_OUT_ONE_IN, SLOWEST_RATIO
from simulator.deployment import Deployment
from simulator.errors import SimulatorError
from simulator.hardware import Calibration
from simulator.hardware.calibration import ServingFit
from simulator.latency import RooflineLatency, StepLoad
from simulator.latency.calibrated import KERNELS_ALONE
from simulator.measured import BenchRun, Known, first_token_seconds, requests_in_flight, token_seconds

NUMBERS: Final = tuple(name for name in ServingFit.model_fields if name != "fitted")
"""The serving numbers, in the order of the terms."""

MOST_LOST_RATIO: Final = 0.05
"""Failed requests over all: with more of them the load was not what the means say."""

SETTINGS_PER_OCTAVE: Final = 4
"""Runs whose requests in flight and lengths differ by less than about a fifth are one setting."""

FACTORS: Final = (0.2, 10.0)
"""Bounds of the one factor: a server beyond them is not the one that the shipped numbers describe."""


class BenchError(SimulatorError):
    """Benchmark results that cannot carry a fit; says which run and why, or what is missing."""


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
class Point:
    """A run as the fit takes it.

    Parameters
    ----------
    run : as its file has it.
    in_flight : mean requests in flight.
    token : mean time per output token, s.
    first_token_s : mean or median time to the first token.
    """

    run: BenchRun
    in_flight: Known
    token: Known
    first_token_s: float

    @property
    def prompt_tokens(self) -> int:
        """Mean length of the prompts."""
        return max(1, round(self.run.prompt_tokens))

    @property
    def output_tokens(self) -> int:
        """Mean length of the outputs."""
        return max(2, round(self.run.output_tokens))

    @property
    def context_tokens(self) -> float:
        """Mean tokens in the cache of a sequence that decodes."""
        return self.run.prompt_tokens + self.run.output_tokens / 2.0

    def setting(self) -> tuple[int, ...]:
        """Return what runs of one setting share."""
        shape = (self.in_flight.value, self.run.prompt_tokens, self.run.output_tokens)
        return tuple(round(SETTINGS_PER_OCTAVE * math.log2(size)) for size in shape)


@dataclass(frozen=True, slots=True)
class BenchFit:
    """A calibration from benchmark results and how it came about.

    Parameters
    ----------
    calibration : with the fitted serving numbers.
    rung : what was fitted.
    missing : what the next rung would have needed; empty on the last one.
    bounded : numbers that, fitted on their own, end at a bound of what is allowed.
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


def points_of(runs: Sequence[BenchRun]) -> list[Point]:
    """Return the runs with their load.

    Raises
    ------
    SimulatorError
        If a file does not say what is needed: all faults at once.
    """
    found, faults = list[Point](), list[str]()
    for run in runs:
        try:
            found.append(_point(run))
        except SimulatorError as error:
            faults.append(str(error))
    if faults:
        raise BenchError("\n".join(faults))
    return found


def _point(run: BenchRun) -> Point:
    lost = run.failed / (run.completed + run.failed)
    if lost > MOST_LOST_RATIO:
        message = (
            f"{run.where}: {run.failed} requests failed or came back empty beside {run.completed} that the "
            f"tool counts as completed; at most {MOST_LOST_RATIO:.0%} may"
        )
        raise BenchError(message)
    if run.tokens_per_step is not None and run.tokens_per_step > 1.0:
        message = (
            f"{run.where}: {run.tokens_per_step:.3g} tokens per step: speculative decoding is not modelled; "
            "measure without it"
        )
        raise BenchError(message)
    first_s = first_token_seconds(run)
    if first_s is None:
        message = f"{run.where}: mean_ttft_ms is missing, and so is median_ttft_ms"
        raise BenchError(message)
    return Point(run, requests_in_flight(run), token_seconds(run), first_s)


def check_points(points: Sequence[Point], deployment: Deployment) -> None:
    """Refuse times that the deployment cannot have taken.

    Raises
    ------
    BenchError
        With the factor by which they miss what the data sheet allows.
    """
    bound = RooflineLatency(layer_overhead_s=0.0).bind(deployment)
    faults = []
    for point in points:
        sequences = max(1, round(point.in_flight.value))
        context = max(1, round(sequences * point.context_tokens))
        least = float(bound.step_seconds(StepLoad(1, sequences, AttentionWork(context, context))))
        ratio = point.token.value / least
        if not FASTEST_RATIO <= ratio <= SLOWEST_RATIO:
            faults.append(
                f"{point.run.where}: {point.token.basis}: {point.token.value:.3g} s per token is {ratio:.3g} "
                f"times what the data sheet allows, but {FASTEST_RATIO:g} to {SLOWEST_RATIO:g} times is "
                "possible: is its unit another one, or the model, its format or the number of GPUs?"
            )
    if faults:
        raise BenchError("\n".join(faults))


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
    left = [(point, why) for point in points if (why := _unusable(point, deployment))]
    points = [point for point in points if not _unusable(point, deployment)]
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
    solutions = [solved(rung, terms[~out], measured[~out], before, source) for rung in ladder[: reached + 1]]
    # Numbers at their bounds may fit worse than one factor on all of them, which has wider ones.
    misses = [_miss(terms[~out] @ numbers, measured[~out]) for numbers in solutions]
    chosen = max(place for place, miss in enumerate(misses) if miss <= misses[0])
    rung, numbers = ladder[chosen], solutions[chosen]
    by = fitted(f"{source}; {rung.what}", len(seen), Errors.of(terms[out] @ numbers, measured[out]))
    return BenchFit(
        calibration=calibration.model_copy(update={"serving": serving_of(numbers, by)}),
        rung=rung,
        missing=tuple(lacks(ladder[reached + 1], seen)) if reached + 1 < len(ladder) else (),
        bounded=_bounded(ladder[reached], solutions[reached]),
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


def solved(rung: Rung, terms: Vector, measured: Vector, before: Vector, source: str) -> Vector:
    """Return the serving numbers of a rung.

    Parameters
    ----------
    rung : which of them are fitted, and how.
    terms : shape (runs, numbers), as `terms_of` returns.
    measured : times per token, s.
    before : the numbers to start from.
    source : names of the files.
    """
    if not rung.free:
        return _factor(terms @ before, measured, source) * before
    pinned = {name: number for name, number in zip(NUMBERS, before, strict=True) if name not in rung.free}
    pinned["layer_s"] = 0.0
    least = dict(zip(NUMBERS, LOWER, strict=True)) | {name: max(0.0, x - 1e-9) for name, x in pinned.items()}
    most = dict(zip(NUMBERS, UPPER, strict=True)) | {name: x + 1e-9 for name, x in pinned.items()}
    most |= {"layer_s": 1e-12, "step_s": 1.0}
    with np.errstate(divide="ignore"):  # the solver divides by the slope of a number that is pinned
        return solve(terms, measured, lower=tuple(least.values()), upper=tuple(most.values()))


def _miss(estimate: Vector, measured: Vector) -> float:
    """Return the mean size of the error in logarithms."""
    return float(np.abs(np.log(estimate / measured)).mean())


def _bounded(rung: Rung, numbers: Vector) -> tuple[str, ...]:
    """Return which numbers of a rung end at a bound; a time of 0 is none, and a step may take any."""
    return tuple(
        name
        for name, number, least, most in zip(NUMBERS, numbers, LOWER, UPPER, strict=True)
        if name in rung.free - {"step_s"} and (number < 1.001 * least or number > 0.999 * most)
    )


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


def _unusable(point: Point, deployment: Deployment) -> str:
    """Say why a run tells nothing of a step, or nothing."""
    run = _serving_run(point, deployment, max(1, round(point.in_flight.value)))
    if believable(run, deployment.architecture.active_parameters, deployment.gpu):
        return ""
    if point.first_token_s > LONGEST_TTFT_S:
        return (
            f"requests waited {point.first_token_s:.3g} s for their first token, so fewer ran than were in "
            f"flight; at most {LONGEST_TTFT_S:g} s is taken"
        )
    return (
        f"the matrix products of {point.prompt_tokens} prompt tokens a request leave no time to decode: were "
        "prefixes cached?"
    )


def terms_of(calibration: Calibration, deployment: Deployment, point: Point) -> Vector:
    """Return the terms of a point: between two whole numbers of requests in flight on the line."""
    below = max(1, math.floor(point.in_flight.value))
    part = max(0.0, point.in_flight.value - below)

    def at(concurrency: int) -> Vector:
        run = _serving_run(point, deployment, concurrency)
        return np.array(estimate_terms(calibration, deployment.gpu, run, deployment.architecture))

    return at(below) if part == 0.0 else (1.0 - part) * at(below) + part * at(below + 1)


def _serving_run(point: Point, deployment: Deployment, concurrency: int) -> ServingRun:
    return ServingRun(
        row=point.run.where,
        gpu=deployment.gpu.name,
        engine=point.run.backend or "",
        version="",
        model=deployment.architecture.name,
        weight_dtype=deployment.weight_dtype,
        kv_dtype=deployment.kv_dtype,
        tp=deployment.tp,
        prompt_tokens=point.prompt_tokens,
        output_tokens=point.output_tokens,
        concurrency=concurrency,
        tpot_s=point.token.value,
        ttft_s=point.first_token_s,
    )
