"""What a run shows of the load: requests in flight, and the time that each of them waits for a token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.bench import BenchRun

LONGEST_FIRST_RATIO: Final = 0.1
"""Share of the end-to-end latency up to which a median of the first token may stand for its mean."""

LEAST_FILLED_RATIO: Final = 0.5
"""Below this part of the limit a closed loop was never full, and the limit says nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """A number of a run, and what it was taken from."""

    value: float
    basis: str


def requests_in_flight(run: BenchRun) -> Known:
    """Return the mean number of requests in flight, at least 1.

    Notes
    -----
    By Little's law it is the latencies of all requests, summed, over the duration. The limit of a closed
    loop is better where single requests are unknown: the mean over a run holds its beginning and end too.

    Raises
    ------
    TraceFormatError
        If nothing in the file gives it.
    """
    if run.requests is not None and run.duration_s and (ends := run.requests.end_to_end_s()):
        return Known(max(1.0, math.fsum(ends) / run.duration_s), "latency of each request")
    end_s, rate = _end_to_end_s(run), run.request_rate()
    mean = None if end_s is None or rate is None else max(1.0, rate * end_s)
    if run.is_closed_loop and run.max_concurrency is not None:
        limit = float(min(run.max_concurrency, run.completed or run.max_concurrency))
        if mean is None or mean >= LEAST_FILLED_RATIO * limit:
            return Known(limit, "max_concurrency")
    if mean is None:
        message = (
            f"{run.where}: nothing says how many requests were in flight: max_concurrency is missing with a "
            "request_rate of infinity, and so is the mean end-to-end latency (of vLLM: --percentile-metrics "
            "ttft,tpot,itl,e2el), or mean_ttft_ms and mean_tpot_ms in its place"
        )
        raise TraceFormatError(message)
    return Known(mean, "mean latency / duration")


def token_seconds(run: BenchRun) -> Known:
    """Return the mean time per output token after the first, s.

    Raises
    ------
    TraceFormatError
        If nothing in the file gives it.
    """
    if run.output_tokens is None:
        message = f"{run.where}: says nothing of the output tokens, without which no time per token follows"
        raise TraceFormatError(message)
    if run.output_tokens <= 1.0:
        message = (
            f"{run.where}: total_output_tokens: {run.output_tokens:.3g} tokens per request; the time per "
            "token needs more than 1 (a benchmark without a tokenizer counts 1)"
        )
        raise TraceFormatError(message)
    if run.tpot_s is not None:
        return Known(run.tpot_s, "mean_tpot_ms")
    first_s = first_token_seconds(run)
    if run.e2e_s is not None and first_s is not None and first_s < run.e2e_s:
        exact = run.ttft_s is not None or first_s <= LONGEST_FIRST_RATIO * run.e2e_s
        if exact:
            return Known((run.e2e_s - first_s) / (run.output_tokens - 1.0), "latency less first token")
    message = f"{run.where}: mean_tpot_ms is missing, and no mean latency and mean_ttft_ms stand in for it"
    raise TraceFormatError(message)


def first_token_seconds(run: BenchRun) -> float | None:
    """Return the mean time to the first token, else its median, s."""
    return run.ttft_s if run.ttft_s is not None else run.ttft_median_s


def _end_to_end_s(run: BenchRun) -> float | None:
    if run.e2e_s is not None:
        return run.e2e_s
    first_s = first_token_seconds(run)
    if first_s is None or run.tpot_s is None or run.output_tokens is None:
        return None
    return first_s + (run.output_tokens - 1.0) * run.tpot_s
