"""What readers of summaries share: units by their names, a run out of statistics, and its agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.measured.agreement import ALIKE, SAME, UNIT, UNIT_WITHIN, Pair
from simulator.measured.bench import BenchRun, Requests
from simulator.measured.columns import Column, floats
from simulator.measured.plausible import Fault, check_plausible
from simulator.measured.statistics import Statistics, statistics_of

SECONDS: Final = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "us": 1e-6, "ns": 1e-9}
"""Length of a unit of time as the tools write it, s."""

TIMES: Final = ("ttft", "tpot", "itl", "e2e")
"""Quantities that are times, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands: its file, its line and its number in the file, both from 1."""

    path: Path
    line: int = 1
    number: int = 1


def run_of(place: Place, tool: str, stats: Mapping[str, Statistics]) -> BenchRun:
    """Return a run of which only the statistics are known; more is added by `dataclasses.replace`.

    Parameters
    ----------
    place : where it stands.
    tool : that wrote it.
    stats : of the times in `TIMES`, s, and of ``prompt_tokens`` and ``output_tokens``.
    """

    def mean(name: str) -> float | None:
        found = stats.get(name)
        return None if found is None else found.mean

    ttft = stats.get("ttft")
    return BenchRun(
        tool=tool,
        path=place.path,
        line=place.line,
        number=place.number,
        model=None,
        backend=None,
        request_rate_per_s=None,
        max_concurrency=None,
        completed=None,
        failed=0,
        prompt_tokens=mean("prompt_tokens"),
        output_tokens=mean("output_tokens"),
        duration_s=None,
        tpot_s=mean("tpot"),
        ttft_s=mean("ttft"),
        ttft_median_s=None if ttft is None else ttft.percentiles.get(50.0),
        itl_s=mean("itl"),
        e2e_s=mean("e2e"),
        stats={name: stats[name] for name in TIMES if name in stats},
    )


def with_requests(run: BenchRun, requests: Requests) -> BenchRun:
    """Return `run` with its requests and the figures that follow from those that did not fail.

    Statistics that the run has already are kept; lengths, counts and the duration are those of the requests.
    """
    good = requests.answered()
    ends, tokens = requests.ends_s(), requests.token_seconds()
    found = {
        "ttft": statistics_of(_column(requests.ttft_s).taken(good)),
        "tpot": statistics_of(tokens.taken(good)),
        "itl": statistics_of(requests.gaps_s(good)),
        "e2e": statistics_of(ends.taken(good)),
    }
    stats = {name: value for name, value in found.items() if value is not None} | run.stats
    span = None
    if requests.start_s is not None and good.any():
        starts = _column(requests.start_s).array()
        span = float((starts + ends.array())[good].max() - starts.min())
    fresh = run_of(Place(run.path, run.line, run.number), run.tool, stats)
    return replace(
        run,
        completed=int(good.sum()),
        failed=int((~good).sum()),
        prompt_tokens=_mean(requests.prompt_tokens, good),
        output_tokens=_mean(requests.output_tokens, good),
        duration_s=run.duration_s if run.duration_s is not None else span,
        tpot_s=fresh.tpot_s,
        ttft_s=fresh.ttft_s,
        ttft_median_s=fresh.ttft_median_s,
        itl_s=fresh.itl_s,
        e2e_s=fresh.e2e_s,
        stats=fresh.stats,
        requests=requests,
    )


def _column(values: Sequence[float]) -> Column[float]:
    return values if isinstance(values, Column) else floats(values)


def _mean(values: Sequence[int], good: NDArray[np.bool_]) -> float | None:
    return int(np.array(values)[good].sum()) / int(good.sum()) if good.any() else None


def check_means(run: BenchRun, names: Mapping[str, str], fault: Fault) -> None:
    """Note what cannot be together in a summary, above all times in another unit than their name says.

    Parameters
    ----------
    run : as read.
    names : of the fields, by the names in `TIMES` and ``output_tokens_per_s``, ``requests_per_s``.
    fault : notes one.
    """
    check_plausible(run, names, fault)
    for pair in _pairs(run, names):
        if not (pair.value > 0.0 and pair.expected > 0.0):
            continue
        factor = pair.value / pair.expected
        if 1.0 / pair.within <= factor <= pair.within:
            continue
        told = f"{pair.value:.4g}, but {pair.other} {pair.expected:.4g}"
        size = max(factor, 1.0 / factor)
        if UNIT / UNIT_WITHIN <= size <= UNIT * UNIT_WITHIN:
            told += f", {size:.3g} times off: one of them is not in its unit"
        fault(pair.field, told)


def _pairs(run: BenchRun, names: Mapping[str, str]) -> Iterator[Pair]:
    told = {name: names.get(name, name) for name in (*TIMES, "output_tokens_per_s", "requests_per_s")}
    output = run.output_tokens
    if None not in (run.ttft_s, run.tpot_s, run.e2e_s, output):
        end_s = (run.ttft_s or 0.0) + ((output or 1.0) - 1.0) * (run.tpot_s or 0.0)
        sum_ = f"{told['ttft']} + (output tokens - 1) * {told['tpot']}, in s, is"
        yield Pair(told["e2e"], sum_, run.e2e_s or 0.0, end_s, ALIKE)
    elif run.ttft_s is not None and run.e2e_s is not None and run.ttft_s > run.e2e_s:
        yield Pair(told["ttft"], f"{told['e2e']}, both in s, is", run.ttft_s, run.e2e_s, SAME)
    if run.e2e_s is not None and run.duration_s and run.e2e_s > run.duration_s:
        yield Pair(told["e2e"], "the whole run, in s, took", run.e2e_s, run.duration_s, ALIKE)
    if run.completed and run.duration_s:
        rate = run.completed / run.duration_s
        if run.requests_per_s is not None:
            other = "requests / duration is"
            yield Pair(told["requests_per_s"], other, run.requests_per_s, rate, ALIKE)
        if run.output_tokens_per_s is not None and output is not None:
            other = "output tokens / duration is"
            yield Pair(told["output_tokens_per_s"], other, run.output_tokens_per_s, rate * output, ALIKE)


def lengths_from_rates(run: BenchRun) -> BenchRun:
    """Return `run` with mean output tokens from its rates where the file has none, and a note of that."""
    tokens, requests = run.output_tokens_per_s, run.requests_per_s
    if run.output_tokens is not None or not tokens or not requests:
        return run
    note = f"output tokens a request, {tokens / requests:.4g}, are the tokens per second over the requests"
    return replace(run, output_tokens=tokens / requests, notes=(*run.notes, note))
