"""Benchmark runs as a fit takes them: their load, and whether the deployment can have made them.

A run that cannot have been measured as described is left out, by the rules of `simulator.calibrate.runs`; one
whose times the hardware cannot take is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simulator.calibrate.fitting import Vector
from simulator.calibrate.runs import LONGEST_TTFT_S, ServingRun, believable
from simulator.calibrate.serving import estimate_terms
from simulator.calibrate.step_checks import FASTEST_RATIO, SLOWEST_RATIO
from simulator.calibrate.told_contexts import ToldContexts
from simulator.deployment import Deployment
from simulator.errors import SimulatorError
from simulator.hardware import Calibration
from simulator.latency import RooflineLatency, StepLoad
from simulator.measured import BenchRun, Known, first_token_seconds, requests_in_flight, token_seconds

MOST_LOST_RATIO: Final = 0.05
"""Failed requests over all: with more of them the load was not what the means say."""

SETTINGS_PER_OCTAVE: Final = 4
"""Runs whose requests in flight and lengths differ by less than about a fifth are one setting."""


class BenchError(SimulatorError):
    """Benchmark results that cannot carry a fit; says which run and why, or what is missing."""


@dataclass(frozen=True, slots=True)
class Point:
    """A run as the fit takes it.

    Parameters
    ----------
    run : as its file has it.
    in_flight : mean requests in flight.
    token : mean time per output token, s.
    first_token_s : mean or median time to the first token.
    mean_prompt_tokens, mean_output_tokens : mean lengths, as the file has them.
    """

    run: BenchRun
    in_flight: Known
    token: Known
    first_token_s: float
    mean_prompt_tokens: float
    mean_output_tokens: float

    @property
    def prompt_tokens(self) -> int:
        """Mean length of the prompts."""
        return max(1, round(self.mean_prompt_tokens))

    @property
    def output_tokens(self) -> int:
        """Mean length of the outputs."""
        return max(2, round(self.mean_output_tokens))

    @property
    def context_tokens(self) -> float:
        """Mean tokens in the cache of a sequence that decodes."""
        return self.mean_prompt_tokens + self.mean_output_tokens / 2.0

    def setting(self) -> tuple[int, ...]:
        """Return what runs of one setting share."""
        shape = (self.in_flight.value, self.mean_prompt_tokens, self.mean_output_tokens)
        return tuple(round(SETTINGS_PER_OCTAVE * math.log2(size)) for size in shape)


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
    lengths = {"prompt": run.prompt_tokens, "output": run.output_tokens}
    if unsaid := " and ".join(name for name, tokens in lengths.items() if tokens is None):
        message = f"{run.where}: says nothing of the mean {unsaid} tokens, without which no load follows"
        raise BenchError(message)
    lost = run.failed / ((run.completed or 0) + run.failed) if run.failed else 0.0
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
    return Point(
        run,
        requests_in_flight(run),
        token_seconds(run),
        first_s,
        run.prompt_tokens or 0.0,
        run.output_tokens or 0.0,
    )


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
        work = deployment.attention.step_work(ToldContexts(sequences, context), 1)
        least = float(bound.step_seconds(StepLoad(1, sequences, work)))
        ratio = point.token.value / least
        if not FASTEST_RATIO <= ratio <= SLOWEST_RATIO:
            faults.append(
                f"{point.run.where}: {point.token.basis}: {point.token.value:.3g} s per token is {ratio:.3g} "
                f"times what the data sheet allows, but {FASTEST_RATIO:g} to {SLOWEST_RATIO:g} times is "
                "possible: is its unit another one, or the model, its format or the number of GPUs?"
            )
    if faults:
        raise BenchError("\n".join(faults))


def unusable(point: Point, deployment: Deployment) -> str:
    """Say why a run tells nothing of a step, or nothing."""
    run = _serving_run(point, deployment, max(1, round(point.in_flight.value)))
    if believable(run, deployment.architecture, deployment.gpu):
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
        found: Vector = estimate_terms(calibration, deployment.gpu, run, deployment.architecture)[0]
        return found

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
        expert_dtype=deployment.expert_dtype,
        expert_parallel=deployment.expert_parallel,
    )
