"""The figures that ``vllm bench serve`` puts before its lists, from the lists.

Source: ``calculate_metrics`` of ``vllm/benchmarks/serve.py`` (vLLM 0.25.1): means and percentiles (linear
between ranks) and population deviations over the answered requests, in ms; tokens and requests in flight are
counted in whole seconds from the first request on, and a request counts in every second that it touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

PERCENTS: Final = (50, 90, 99)
"""Percentiles that are written."""

MS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Lists:
    """What the client saw of the answered requests; times in s, shape (requests,).

    Parameters
    ----------
    starts, ttfts, latencies : when each was sent, its time to the first token and to the last.
    gaps : times between its tokens.
    inputs, outputs : tokens.
    duration : of the whole run.
    """

    starts: Vector
    ttfts: Vector
    latencies: Vector
    gaps: Sequence[Vector]
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    duration: float


def totals(lists: Lists) -> dict[str, object]:
    """Return counts and rates in the tool's order."""
    inputs, outputs = int(lists.inputs.sum()), int(lists.outputs.sum())
    return {
        "total_input_tokens": inputs,
        "total_output_tokens": outputs,
        "request_throughput": len(lists.starts) / lists.duration,
        "request_goodput": None,
        "output_throughput": outputs / lists.duration,
        "total_token_throughput": (inputs + outputs) / lists.duration,
    }


def peaks(lists: Lists) -> dict[str, object]:
    """Return the most tokens and requests in one second, in the tool's order."""
    first = float(lists.starts.min())
    seconds = ceil(float((lists.starts + lists.latencies).max()) - first) + 1
    tokens = np.zeros(seconds, dtype=np.int64)
    in_flight = np.zeros(seconds, dtype=np.int64)
    for start, ttft, latency, gaps in zip(
        lists.starts.tolist(), lists.ttfts.tolist(), lists.latencies.tolist(), lists.gaps, strict=True
    ):
        # One after the other, as the tool adds them: a sum in another order may fall into another second.
        moments = np.cumsum(np.concatenate(([start + ttft], gaps)))
        places = (moments - first).astype(np.int64)
        tokens += np.bincount(places[places < seconds], minlength=seconds)
        in_flight[int(start - first) : int(start + latency - first) + 1] += 1
    return {
        "max_output_tokens_per_s": float(tokens.max()),
        "max_concurrent_requests": int(in_flight.max()),
        "rtfx": 0.0,
    }


def statistics(lists: Lists) -> dict[str, object]:
    """Return means, medians, deviations and percentiles in ms, in the tool's order."""
    several = lists.outputs > 1
    tpots = (lists.latencies - lists.ttfts)[several] / (lists.outputs[several] - 1)
    found: dict[str, object] = {}
    for name, values in (
        ("ttft", lists.ttfts),
        ("tpot", tpots),
        ("itl", np.concatenate(lists.gaps)),
        ("e2el", lists.latencies),
    ):
        # As the tool does: of no values all are 0.
        counted = values if len(values) else np.zeros(1)
        found[f"mean_{name}_ms"] = float(counted.mean()) * MS_PER_S
        found[f"median_{name}_ms"] = float(np.median(counted)) * MS_PER_S
        found[f"std_{name}_ms"] = float(counted.std()) * MS_PER_S
        for percent, value in zip(PERCENTS, np.percentile(counted, PERCENTS).tolist(), strict=True):
            found[f"p{percent}_{name}_ms"] = value * MS_PER_S
    return found
