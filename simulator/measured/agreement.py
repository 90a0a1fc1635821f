"""Whether the parts of a run's file can be true together, above all their units.

Means are in milliseconds and lists in seconds, so a factor near 1000 between two numbers that should be
equal is a unit; any other difference says that the file was changed or that its parts are of two runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.measured.bench import BenchRun, Requests
from simulator.measured.columns import floats
from simulator.measured.fields import Fields
from simulator.measured.plausible import check_plausible, doubt

SAME: Final = 1.02
"""Numbers of which the tool computes one from the other."""

CLOSE: Final = 1.1
"""A mean over all requests beside one without the few whose answer was empty."""

ALIKE: Final = 3.0
"""Numbers that the file's means tie together only roughly."""

OVER_LIMIT: Final = 1.2
"""How far requests in flight, from means, may be above the client's limit.

Never more than the limit are in flight, so the latencies of all requests over the duration are at most the
limit (Little's law).  Where the file has no mean latency the product of mean output and mean time per token
stands in: with both varying by 0.4 of their mean, all against each other, that product is 1 / (1 - 0.4 * 0.4)
= 1.19 times the mean of the products."""

UNIT: Final = 1000.0
UNIT_WITHIN: Final = 3.2
"""How far from `UNIT` a factor may be to be called one: half an order of magnitude."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two numbers that should be equal: their names, their values and the factor that may lie between."""

    field: str
    other: str
    value: float
    expected: float
    within: float


def check_agreement(run: BenchRun, fields: Fields, e2e: str) -> None:
    """Note in `fields` what contradicts itself in `run`.

    Parameters
    ----------
    run : as read, every number of it valid.
    fields : of the file.
    e2e : the file's name of the end-to-end latency.
    """
    check_plausible(run, _names(e2e), fields.fault)
    for pair in (*_totals(run, fields), *_lists(run, fields, e2e), *_means(run, e2e)):
        if not (pair.value > 0.0 and pair.expected > 0.0):
            continue
        factor = pair.value / pair.expected
        if 1.0 / pair.within <= factor <= pair.within:
            continue
        size = max(factor, 1.0 / factor)
        told = f"{pair.value:.4g}, but {pair.other} {pair.expected:.4g}"
        if UNIT / UNIT_WITHIN <= size <= UNIT * UNIT_WITHIN:
            told += f", {size:.3g} times off: one of them is not in its unit (lists are in s, *_ms in ms)"
        fields.fault(pair.field, told)


def _names(e2e: str) -> dict[str, str]:
    lengths = {"prompt_tokens": "total_input_tokens", "output_tokens": "total_output_tokens"}
    return lengths | {
        "ttft": "mean_ttft_ms",
        "tpot": "mean_tpot_ms",
        "itl": "mean_itl_ms",
        "e2e": f"mean_{e2e}_ms",
    }


def _totals(run: BenchRun, fields: Fields) -> Iterator[Pair]:
    """Yield rates beside the counts and the duration that they were computed from."""
    if run.completed is None or run.output_tokens is None or not run.duration_s:
        return
    tokens = run.output_tokens * run.completed
    for field, count, name in (
        ("output_throughput", tokens, "total_output_tokens"),
        ("request_throughput", run.completed, "completed"),
    ):
        rate = fields.number_or_none(field, zero=True)
        if rate:
            yield Pair(field, f"{name} / duration is", rate, count / run.duration_s, SAME)


def _lists(run: BenchRun, fields: Fields, e2e: str) -> Iterator[Pair]:
    """Yield means beside what the lists of requests give."""
    requests = run.requests
    if requests is None:
        return
    # The tool of 2024 takes empty answers into its mean, with a first token after 0 s.
    counted = _counted(requests, fields)
    ttfts = floats(np.array(requests.ttft_s)[counted])
    gaps, ends = requests.gaps_s(counted), requests.end_to_end_s()
    for quantity, field, values in (("ttft", "ttfts", ttfts), ("itl", "itls", gaps)):
        asked = doubt(quantity, _mean(values) if len(values) else None)
        if asked:
            fields.fault(field, f"the mean of {asked}")
    for field, mean, name, values, within in (
        ("mean_ttft_ms", run.ttft_s, "ttfts", ttfts, SAME),
        ("mean_itl_ms", run.itl_s, "itls", gaps, SAME),
        (f"mean_{e2e}_ms", run.e2e_s, "ttfts + itls", ends, CLOSE),
        ("mean_tpot_ms", run.tpot_s, "itls", gaps, ALIKE),
    ):
        if mean is not None and len(values):
            yield Pair(field, f"the mean of {name} in ms is", mean * UNIT, _mean(values) * UNIT, within)


def _counted(requests: Requests, fields: Fields) -> NDArray[np.bool_]:
    """Return which requests the means hold: those without an error and with an answer."""
    answered: NDArray[np.bool_] = (np.array(requests.output_tokens) > 0) | (np.array(requests.ttft_s) > 0.0)
    said = fields.truths("errors")
    return answered if said is None else answered & (np.frombuffer(said, dtype=np.uint8) == 0)


def _means(run: BenchRun, e2e: str) -> Iterator[Pair]:
    """Yield means beside each other, and the requests in flight beside their limit."""
    if run.ttft_s is None or run.tpot_s is None or run.output_tokens is None:
        return
    end_s = run.ttft_s + (run.output_tokens - 1.0) * run.tpot_s
    if run.e2e_s is not None:
        told = "mean_ttft_ms + (output tokens - 1) * mean_tpot_ms is"
        yield Pair(f"mean_{e2e}_ms", told, run.e2e_s * UNIT, end_s * UNIT, ALIKE)
    if not run.is_closed_loop or run.completed is None or not run.duration_s:
        return
    if run.max_concurrency is not None:
        limit = float(min(run.max_concurrency, run.completed))
        mean = run.completed * (run.e2e_s or end_s) / run.duration_s
        # Few requests do not fill the limit; only more than it, or next to none, is impossible.
        told = "requests in flight by completed * (mean_ttft_ms + output * mean_tpot_ms) / duration are"
        yield Pair("max_concurrency", told, limit, mean, OVER_LIMIT if mean > limit else UNIT / UNIT_WITHIN)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
