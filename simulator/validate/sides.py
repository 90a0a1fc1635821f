"""A run as it is compared, measured or simulated: the same figures of both, from the same definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.api import Result
from simulator.attention.work import FloatVector
from simulator.errors import TraceFormatError
from simulator.measured import BenchRun, Series, Statistics, statistics_of
from simulator.measured.statistics import PERCENTS
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import RunTables
from simulator.metrics.token_times import gaps_ns
from simulator.units import NS_PER_S

TIMES: Final = ("ttft", "tpot", "itl", "e2e")


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """What became of each request, shape (requests,) each.

    Parameters
    ----------
    start_s : when it was sent, from the first one on; NaN where that is unknown.
    prompt_tokens, output_tokens : lengths.
    ttft_s, tpot_s, e2e_s : times; NaN where there is none.
    """

    start_s: FloatVector
    prompt_tokens: FloatVector
    output_tokens: FloatVector
    ttft_s: FloatVector
    tpot_s: FloatVector
    e2e_s: FloatVector

    def of(self, name: str) -> FloatVector:
        """Return one of ``ttft``, ``tpot`` and ``e2e``, s."""
        found: FloatVector = getattr(self, f"{name}_s")
        return found

    def in_flight(self) -> FloatVector:
        """Return how many requests were in flight when each was sent, itself included."""
        starts, ends = np.sort(self.start_s), np.sort(self.start_s + self.e2e_s)
        sent = np.searchsorted(starts, self.start_s, side="right")
        counts: FloatVector = (sent - np.searchsorted(ends, self.start_s, side="right")).astype(np.float64)
        return counts


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs.

    Parameters
    ----------
    stats : of the quantities in `TIMES`, s.
    requests : each request that is compared; None where the file has a summary alone.
    output_tokens_per_s, requests_per_s : over the whole run; None where unknown.
    series : running, waiting and KV use over time; None where not recorded.
    """

    stats: dict[str, Statistics]
    requests: RequestTimes | None
    output_tokens_per_s: float | None
    requests_per_s: float | None
    series: Series | None


def measured_side(run: BenchRun, rows: tuple[int, ...] | None) -> tuple[Side, NDArray[np.bool_]]:
    """Return the measured side, and which of the replayed requests are compared.

    Parameters
    ----------
    run : as read.
    rows : of its requests in the order of the simulated tasks, as in `simulator.validate.replay.Replay`.

    Raises
    ------
    TraceFormatError
        If every request failed.
    """
    listed = run.requests
    if listed is None or rows is None:
        side = Side(dict(run.stats), None, run.output_rate(), run.request_rate(), run.series)
        return side, np.ones(0, dtype=np.bool_)
    order = np.array(rows, dtype=np.int64)
    kept = ~np.array(listed.failed, dtype=np.bool_)[order]
    if not kept.any():
        message = f"{run.where}: no request was answered: nothing is left to compare"
        raise TraceFormatError(message)
    order = order[kept]
    starts = np.full(len(order), np.nan) if listed.start_s is None else np.array(listed.start_s)[order]
    columns = (
        listed.prompt_tokens,
        listed.output_tokens,
        listed.ttft_s,
        listed.token_seconds(),
        listed.ends_s(),
    )
    requests = RequestTimes(starts, *(np.array(column, dtype=np.float64)[order] for column in columns))
    stats = _stats(requests)
    if "itl" in run.stats:
        stats["itl"] = run.stats["itl"]
    tokens, rate = _rates(requests) or (run.output_rate(), run.request_rate())
    return Side(stats, requests, tokens, rate, run.series), kept


def simulated_side(result: Result, kept: NDArray[np.bool_], moments_s: FloatVector | None) -> Side:
    """Return the simulated side.

    Parameters
    ----------
    result : of the replay, with the times of its tokens.
    kept : which tasks are compared; empty for all of them.
    moments_s : when to look at the server; None does not look.
    """
    trials = RunTables.of(result.records).trials
    chosen = kept if len(kept) else np.ones(len(trials["task"]), dtype=np.bool_)
    submitted, first, ended = (
        trials[name].astype(np.int64) for name in ("submitted_ns", "first_token_ns", "ended_ns")
    )
    origin, tokens = submitted.min(), trials["output_tokens"]
    gaps = np.where(tokens > 1, tokens - 1, 1)
    per_token = np.where(tokens > 1, (ended - first) / gaps / NS_PER_S, np.nan)
    columns = (
        (submitted - origin) / NS_PER_S,
        trials["prompt_tokens"].astype(np.float64),
        tokens.astype(np.float64),
        (first - submitted) / NS_PER_S,
        per_token,
        (ended - submitted) / NS_PER_S,
    )
    requests = RequestTimes(*(column[chosen] for column in columns))
    stats = _stats(requests)
    gaps_s = _gaps_s(result, chosen)
    if len(gaps_s):
        percents = dict(zip(PERCENTS, np.percentile(gaps_s, PERCENTS).tolist(), strict=True))
        stats["itl"] = Statistics(float(gaps_s.mean()), float(gaps_s.std()), percents)
    tokens_per_s, rate = _rates(requests) or (None, None)
    series = None if moments_s is None else state_at(result, moments_s)
    return Side(stats, requests, tokens_per_s, rate, series)


def _stats(requests: RequestTimes) -> dict[str, Statistics]:
    found = {name: statistics_of(requests.of(name).tolist()) for name in TIMES if name != "itl"}
    return {name: value for name, value in found.items() if value is not None}


def _gaps_s(result: Result, chosen: NDArray[np.bool_]) -> FloatVector:
    """Return the times between tokens of the chosen requests, s."""
    pairs = zip(gaps_ns(result.records), chosen.tolist(), strict=True)
    gaps: FloatVector = np.concatenate([gaps for gaps, is_chosen in pairs if is_chosen]) / NS_PER_S
    return gaps


def _rates(requests: RequestTimes) -> tuple[float, float] | None:
    """Return output tokens and requests per second from the first request to the last token."""
    if not len(requests.start_s) or np.isnan(requests.start_s).any():
        return None
    span = float(np.max(requests.start_s + requests.e2e_s) - np.min(requests.start_s))
    if span <= 0.0:
        return None
    return float(requests.output_tokens.sum()) / span, len(requests.start_s) / span


def state_at(result: Result, moments_s: FloatVector) -> Series:
    """Return what the simulated server would have reported at some moments.

    A preempted sequence counts as waiting, as in vLLM's gauges; one whose prompt is computed as running.

    Parameters
    ----------
    result : of a run.
    moments_s : from the first request on, shape (moments,), s.
    """
    tables = RunTables.of(result.records)
    trials, parts = tables.trials, StepParts.of(tables.steps)
    at = trials["submitted_ns"].min() + np.asarray(moments_s) * NS_PER_S
    ones = np.ones(len(trials["task"]))
    present = _held(trials["submitted_ns"], trials["ended_ns"], ones, at)
    prefilling = _held(trials["started_ns"], trials["first_token_ns"], ones, at)
    decoding = _held(parts.start_ns, parts.end_ns, parts.decode_sequences, at)
    running = np.minimum(present, prefilling + decoding)
    blocks = _held(parts.start_ns, parts.end_ns, parts.kv_blocks, at)
    replicas = result.scenario.parallelism.dp
    limit = result.capacity.blocks * replicas if result.capacity.limited else np.nan
    columns = (running, present - running, blocks / limit)
    return Series(tuple(np.asarray(moments_s).tolist()), *(tuple(column.tolist()) for column in columns))


def _held(
    start: NDArray[np.int64], end: NDArray[np.int64], level: NDArray[np.generic], at: FloatVector
) -> FloatVector:
    """Return the sum of the levels that are held at each moment, from their start on to before their end."""

    def reached(times: NDArray[np.int64]) -> FloatVector:
        order = np.argsort(times, kind="stable")
        sums = np.concatenate(([0.0], np.cumsum(np.asarray(level, dtype=np.float64)[order])))
        found: FloatVector = sums[np.searchsorted(times[order], at, side="right")]
        return found

    return reached(start) - reached(end)
