"""Serving numbers from whole runs: each run is simulated again and again until the simulation meets it.

A mean time per token says what a step takes only where the requests in flight are known.  In a run with
arrivals of its own they follow from the steps: a little time per step more and a queue grows.  So the whole
run is replayed, and four numbers are chosen by least squares on the times per token, to the first token and
end to end of requests in the order of their arrival, and on how many were running and waiting over time.

One run cannot tell these numbers apart: more time per step and slower kernels make much the same run.  So a
number leaves what was expected of it only as far as the runs say so (`EXPECTED`, `MISS`), and `Told.left`
says how much of the doubt about it is left.

Not fitted: time per layer, which a model alone cannot tell from time per step; all-reduces.  Decode attention
moves with the other kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from simulator.api import simulate
from simulator.attention.work import FloatVector
from simulator.calibrate.fitting import fitted, rounded
from simulator.calibrate.points import BenchError
from simulator.calibrate.unknowns import BOUNDS, NOTHING, bounds_of, folded
from simulator.hardware import Calibration
from simulator.hardware.calibration import ServingFit
from simulator.latency.calibrated import KERNELS_ALONE, CalibratedLatency
from simulator.measured import BenchRun
from simulator.scenario.schema import Scenario
from simulator.validate.least_squares import newton, slopes_of
from simulator.validate.replay import Replay, replay
from simulator.validate.sides import Side, measured_side, simulated_side
from simulator.validate.told_load import ToldLoad

FREE: Final = ("kernel_ratio", "prompt_ratio", "step_s", "sequence_s")
"""The numbers that are fitted."""

EXPECTED: Final = {
    "kernel_ratio": (1.0, 0.1),
    "prompt_ratio": (1.03, 0.1),
    "step_s": (1.2e-3, 1.0e-3),
    "sequence_s": (3.3e-5, 1.8e-5),
}
"""What is expected of a number where no running engine was measured, and how far off that may well be.

Mean and standard deviation of the calibrations of B200, H100 and H200 under vLLM, whose serving numbers were
fitted to tables of means; those of B300 come from runs that are judged here.  Kernels take 0.95 of what they
take alone there, alike within 0.01; on other cards timings of kernels alone are 7 % off in the median, and
more where they were carried over: a tenth is taken for both ratios."""

MISS: Final = 0.05
"""Relative error of a replay that is as good as can be expected: engine steps at equal batch and context
differ by up to 5 % (docs/measured-servers.md)."""

GROUPS: Final = 10
"""Requests are compared in so many groups of neighbours by arrival: whether one of them just missed a step,
and waits for the next, is chance."""

STEP: Final = 0.5
"""Differences are taken over this part of a number's spread: single events move by whole steps."""

ROUNDS: Final = 8
HALVINGS: Final = 4
SETTLED: Final = 0.02
"""The search ends where no number moves by more than this part of its spread."""

TOLD: Final = 0.5
"""A number of whose spread less than this is left was told by the runs."""


@dataclass(frozen=True, slots=True)
class Served:
    """A measured run and the server that it was measured on.

    Parameters
    ----------
    run : with each request.
    scenario : hardware, model and engine; its workload is replaced.
    said : what the file does not say of the load.
    """

    run: BenchRun
    scenario: Scenario
    said: ToldLoad


@dataclass(frozen=True, slots=True)
class Told:
    """A number and what the runs said of it.

    Parameters
    ----------
    name : of a `ServingFit`.
    expected, found : before and after.
    left : standard deviation of what is still not known of it, over that of what was expected.
    """

    name: str
    expected: float
    found: float
    left: float


@dataclass(frozen=True, slots=True)
class Misses:
    """By how much the means of a replay are off; None where they were not measured."""

    ttft: float | None
    tpot: float | None
    e2e: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """A run as it is met by numbers that have not seen it.

    Parameters
    ----------
    served : the run.
    before : by the numbers to start from.
    others : by the numbers fitted to the other runs; None where there are none.
    after : by the numbers fitted to all runs, this one too.
    """

    served: Served
    before: Misses
    others: Misses | None
    after: Misses


@dataclass(frozen=True, slots=True)
class ReplayFit:
    """A calibration from whole runs and how it came about.

    Parameters
    ----------
    calibration : with the fitted serving numbers.
    told : of each number.
    scores : of each run.
    simulations : how many it took.
    """

    calibration: Calibration
    told: tuple[Told, ...]
    scores: tuple[Score, ...]
    simulations: int


class Rerun:
    """A run that is simulated with one calibration after the other."""

    def __init__(self, served: Served, engine: str) -> None:
        self.served, self.engine, self.count = served, engine, 0
        scenario = served.scenario
        timed = scenario.engine.model_copy(update={"latency": CalibratedLatency(engine=engine)})
        asked = scenario.model_copy(update={"engine": timed, "variants": {}})
        self.replay: Replay = replay(asked, served.run, served.said)
        self.measured, self.kept = measured_side(served.run, self.replay.rows)
        if self.measured.requests is None:
            message = (
                f"{served.run.where}: holds no single requests, so a replay has little to be held against: "
                "leave out --server and say what ran with --model"
            )
            raise BenchError(message)

    @cached_property
    def moments_s(self) -> FloatVector | None:
        """When the server was looked at, s."""
        series = self.measured.series
        return None if series is None else np.array(series.t_s)

    @cached_property
    def phase_s(self) -> float:
        """How far chance moves a first token, s: a request comes at any time of a step, evenly."""
        mean = self.measured.stats["tpot"].mean if "tpot" in self.measured.stats else None
        return (mean or 0.0) / math.sqrt(12.0)

    def side(self, calibration: Calibration) -> Side:
        """Return the run as `calibration` has it."""
        self.count += 1
        hardware = self.replay.scenario.hardware
        gpu = hardware.gpu
        own = gpu.model_copy(update={"calibrations": gpu.calibrations | {self.engine: calibration}})
        changes = {"hardware": hardware.model_copy(update={"gpu": own})}
        return simulated_side(
            simulate(self.replay.scenario.model_copy(update=changes), token_times=True),
            self.kept,
            self.moments_s,
        )

    def differences(self, calibration: Calibration) -> FloatVector:
        """Return how far the run is off in each group of requests and each moment; a kind counts as one mean.

        Differences are over the measured mean of all: times to the first token, and requests that wait, come
        down to nothing.
        """
        found, side = list[FloatVector](), self.side(calibration)
        if self.measured.requests is not None and side.requests is not None:
            for name in ("ttft", "tpot", "e2e"):
                ours, theirs = side.requests.of(name), self.measured.requests.of(name)
                known = ~np.isnan(ours) & ~np.isnan(theirs)
                if not known.any():
                    continue
                groups = np.array_split((ours - theirs)[known], min(GROUPS, int(known.sum())))
                mean = max(float(theirs[known].mean()), NOTHING)
                chance = self.phase_s / MISS if name == "ttft" else 0.0
                found.append(
                    np.array(
                        [
                            float(group.mean()) / math.hypot(mean, chance / len(group) ** 0.5)
                            for group in groups
                        ]
                    )
                )
        if self.measured.series is not None and side.series is not None:
            present = np.array(self.measured.series.running) + np.array(self.measured.series.waiting)
            for name in ("running", "waiting"):
                off = np.array(getattr(side.series, name)) - np.array(getattr(self.measured.series, name))
                found.append(off / max(float(np.nanmean(present)), 1.0))
        kinds = [kind[~np.isnan(kind)] for kind in found]
        return np.concatenate([kind / np.sqrt(len(kind)) for kind in kinds if len(kind)])

    def misses(self, calibration: Calibration) -> Misses:
        """Return by how much the means are off."""
        side = self.side(calibration)
        off = {}
        for name in ("ttft", "tpot", "e2e"):
            means = [each.stats[name].mean if name in each.stats else None for each in (side, self.measured)]
            off[name] = means[0] / means[1] - 1.0 if means[0] is not None and means[1] else None
        return Misses(**off)


def fit_replays(calibration: Calibration, served: Sequence[Served], source: str) -> ReplayFit:
    """Return `calibration` with serving numbers fitted to whole runs.

    Parameters
    ----------
    calibration : kernel numbers of the GPU and engine, and the serving numbers that are expected, if any.
    served : the runs, on that GPU.
    source : names of the files.

    Raises
    ------
    SimulatorError
        If a run cannot be replayed, or holds no single requests.
    """
    base = _folded(calibration, served)
    reruns = [Rerun(each, calibration.engine) for each in served]
    numbers, told = _solved(base, reruns)
    result = _with(base, numbers)
    alone = [
        None if len(reruns) == 1 else _with(base, _solved(base, [one for one in reruns if one is not out])[0])
        for out in reruns
    ]
    scores = tuple(
        Score(
            rerun.served,
            rerun.misses(calibration),
            None if others is None else rerun.misses(others),
            rerun.misses(result),
        )
        for rerun, others in zip(reruns, alone, strict=True)
    )
    return ReplayFit(
        calibration=_named(result, source, len(reruns)),
        told=told,
        scores=scores,
        simulations=sum(rerun.count for rerun in reruns),
    )


def fit_to(calibration: Calibration, served: Sequence[Served], source: str) -> Calibration:
    """Return `calibration` with serving numbers fitted to whole runs, without judging them.

    Parameters and errors are those of `fit_replays`.
    """
    base = _folded(calibration, served)
    numbers, _ = _solved(base, [Rerun(each, calibration.engine) for each in served])
    return _named(_with(base, numbers), source, len(served))


def as_expected(calibration: Calibration) -> Calibration:
    """Return `calibration` with the serving numbers that are expected before any run is seen.

    Examples
    --------
    >>> from simulator.scenario.catalog import find
    >>> from simulator.scenario.loader import load_part
    >>> shipped = load_part(find("calibration", "l40s.vllm"), Calibration)
    >>> as_expected(shipped).serving.step_s == EXPECTED["step_s"][0]
    True
    """
    return _named(_with(calibration, _expected(calibration)[0]), "expected of any GPU under this engine", 1)


def misses_of(calibration: Calibration, served: Served) -> Misses:
    """Return by how much the means of a run are off."""
    return Rerun(served, calibration.engine).misses(calibration)


def _folded(calibration: Calibration, served: Sequence[Served]) -> Calibration:
    """Return a calibration whose one set of serving numbers holds for all runs.

    Raises
    ------
    BenchError
        If runs of a mixture, or of linear attention, have serving numbers of their own and others not.
    """
    found = [folded(calibration, each.scenario.deployment()) for each in served]
    if any(each != found[0] for each in found):
        message = (
            f"{calibration.gpu} under {calibration.engine} has serving numbers of its own for some of these "
            "models, and others for the rest: fit runs of one model at a time"
        )
        raise BenchError(message)
    return found[0]


def _expected(base: Calibration) -> tuple[FloatVector, FloatVector]:
    """Return what is expected of the numbers and their spreads: the shipped numbers where there are some."""
    centres, spreads = (np.array([EXPECTED[name][place] for name in FREE]) for place in (0, 1))
    if base.serving is not None:
        centres = np.array([getattr(base.serving, name) for name in FREE], dtype=np.float64)
    return centres, spreads


def _with(base: Calibration, numbers: FloatVector) -> Calibration:
    """Return `base` with these numbers; decode attention moves with the other kernels, to its bound."""
    before = base.serving or KERNELS_ALONE
    named = dict(zip(FREE, (rounded(float(number)) for number in numbers), strict=True))
    least, most = bounds_of(base)["attention_ratio"]
    attention = before.attention_ratio * named["kernel_ratio"] / before.kernel_ratio
    named["attention_ratio"] = rounded(min(max(attention, least), most))
    return base.model_copy(update={"serving": before.model_copy(update=named)})


def _named(calibration: Calibration, source: str, runs: int) -> Calibration:
    serving: ServingFit = calibration.serving or KERNELS_ALONE
    by = fitted(f"{source}; whole runs, replayed", runs, None, {})
    return calibration.model_copy(update={"serving": serving.model_copy(update={"fitted": by})})


def _solved(base: Calibration, reruns: Sequence[Rerun]) -> tuple[FloatVector, tuple[Told, ...]]:
    """Return the numbers that meet the runs best, and what these said of them.

    Gauss-Newton with differences over `STEP`; a step that does not help is halved.
    """
    centres, spreads = _expected(base)
    lower, upper = (np.array([BOUNDS[name][end] for name in FREE]) for end in (0, 1))
    low, high = (lower - centres) / spreads, (upper - centres) / spreads

    def off(place: FloatVector) -> FloatVector:
        calibration = _with(base, centres + spreads * place)
        each = [rerun.differences(calibration) / MISS for rerun in reruns]
        return np.concatenate([*each, place])

    at = np.clip(np.zeros(len(FREE)), low, high)
    now = off(at)
    slopes = slopes_of(off, at, now, (STEP, high))
    for _ in range(ROUNDS):
        whole = newton(slopes, now, (at <= low, at >= high))
        moved, best = at, now
        for halving in range(HALVINGS):
            tried = np.clip(at + whole / 2.0**halving, low, high)
            there = off(tried)
            if there @ there < best @ best:
                moved, best = tried, there
                break
        change, at, now = float(np.abs(moved - at).max()), moved, best
        if change < SETTLED:
            break
        slopes = slopes_of(off, at, now, (STEP, high))
    doubt = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    numbers: FloatVector = centres + spreads * at
    told = zip(FREE, centres.tolist(), numbers.tolist(), doubt.tolist(), strict=True)
    return numbers, tuple(Told(*each) for each in told)
