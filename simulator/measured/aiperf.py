"""AIPerf: ``profile_export.jsonl``, a line a request, and the summary ``profile_export_aiperf.json``.

GenAI-Perf's summary has the same layout.  Every figure stands beside its unit, which is read, not assumed.
``inter_token_latency`` is a mean over a request, so it is our time per output token; ``inter_chunk_latency``
holds the single gaps.  Warm-up requests are left out.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

import numpy as np

from simulator.errors import TraceFormatError
from simulator.frozen import MOST_TOKENS
from simulator.measured.bench import BenchRun, Requests
from simulator.measured.columns import Column, Ragged, floats, whole
from simulator.measured.faults import Faults
from simulator.measured.fields import MOST, TOO_LONG, Fields, told
from simulator.measured.json_objects import JsonObject, objects_in
from simulator.measured.layouts import each_read
from simulator.measured.opening import opened_result
from simulator.measured.plausible import check_plausible, doubt
from simulator.measured.statistics import Statistics
from simulator.measured.summaries import (
    SECONDS,
    Place,
    check_means,
    lengths_from_rates,
    run_of,
    with_requests,
)

NAMES: Final = {
    "ttft": "time_to_first_token",
    "tpot": "inter_token_latency",
    "itl": "inter_chunk_latency",
    "e2e": "request_latency",
    "prompt_tokens": "input_sequence_length",
    "output_tokens": "output_sequence_length",
    "requests_per_s": "request_throughput",
    "output_tokens_per_s": "output_token_throughput",
}
"""The tool's names of what is read."""

SLACK: Final = 1.001
"""A first token may come this factor after the last by rounding, not more."""

SAME_RATIO: Final = 0.02
"""How far the time per token may be from what the request's other times give."""

NS: Final = 1e-9
MOST_NS: Final = 2**62
"""Latest time since 1970 that is taken, ns: the year 2116."""

MOST_FAULTS: Final = 5
"""Faults of requests that are told one by one."""

UNITS: Final = {
    "requests_per_s": ("requests/sec", "per sec"),
    "output_tokens_per_s": ("tokens/sec", "per sec"),
    "prompt_tokens": ("tokens", ""),
    "output_tokens": ("tokens", ""),
}
"""Units that figures other than times may have."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Reader of the summaries of AIPerf and GenAI-Perf."""

    tool: str = "AIPerf and GenAI-Perf summaries"
    marks: frozenset[str] = frozenset({NAMES["ttft"], NAMES["e2e"], NAMES["output_tokens"], "input_config"})

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return the runs of objects, one each.

        Raises
        ------
        TraceFormatError
            With all that is missing, wrong, or not of a unit that is known.
        """
        return each_read(sources, lambda source: [_summary(source)])


@dataclass(frozen=True, slots=True)
class Records:
    """Reader of AIPerf's lines, a request each, which make one run."""

    tool: str = "AIPerf profile_export"
    marks: frozenset[str] = frozenset({"metadata", "metrics"})

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return the one run of all lines.

        Raises
        ------
        TraceFormatError
            With the lines that are wrong.
        """
        run = _records(sources)
        beside = run.path.with_name("profile_export_aiperf.json")
        if not beside.is_file():
            return [run]
        with opened_result(beside) as source:
            summaries = SUMMARY.read(islice(objects_in(source, {}), 1))
        return [_beside(run, summaries[0])] if summaries else [run]


SUMMARY: Final = Summary()
RECORDS: Final = Records()


def _beside(run: BenchRun, summary: BenchRun) -> BenchRun:
    """Return `run` with the model of the summary beside it, and a note where that counts other requests."""
    notes = run.notes
    if summary.completed is not None and summary.completed != run.completed:
        note = (
            f"{summary.path.name} beside it counts {summary.completed} requests, but {run.completed} are here"
        )
        notes = (*notes, note)
    return replace(run, model=summary.model, notes=notes)


def _summary(source: JsonObject) -> BenchRun:
    fields = Fields(source)
    figures = {ours: _figure(fields, ours, theirs) for ours, theirs in NAMES.items()}
    stats = {ours: found for ours, found in figures.items() if found is not None}
    if not {"ttft", "e2e"} & stats.keys():
        fields.fault(NAMES["ttft"], "is missing, and so is request_latency: nothing is left to compare")
    fields.check()
    config = source.values.get("input_config")
    config = config if isinstance(config, Mapping) else {}
    is_aiperf = "aiperf_version" in source.values or "loadgen" in config or "endpoint" in config
    run = run_of(
        Place(source.path, source.line, source.number), "AIPerf" if is_aiperf else "GenAI-Perf", stats
    )
    count = _scalar(fields, "request_count")
    run = replace(
        run,
        model=_model(config),
        max_concurrency=_whole(_found(config, "concurrency")),
        request_rate_per_s=_number(_found(config, "request_rate")),
        gap_cv=0.0 if _found(config, "arrival_pattern") == "constant" else 1.0,
        completed=None if count is None else _whole_number(count),
        failed=_whole_number(_scalar(fields, "error_request_count")),
        duration_s=_scalar(fields, "benchmark_duration"),
        requests_per_s=_mean(stats, "requests_per_s"),
        output_tokens_per_s=_mean(stats, "output_tokens_per_s"),
    )
    if run.duration_s is None and run.completed and run.requests_per_s:
        run = replace(run, duration_s=run.completed / run.requests_per_s)
    fields.check()
    check_means(run, NAMES, fields.fault)
    fields.check()
    return lengths_from_rates(run)


def _mean(stats: Mapping[str, Statistics], name: str) -> float | None:
    return stats[name].mean if name in stats else None


def _figure(fields: Fields, ours: str, theirs: str) -> Statistics | None:
    """Return the statistics of a metric in s, tokens or 1/s; one of another unit is a fault."""
    inner = fields.inner(theirs)
    if inner is None:
        if fields.run.values.get(theirs) is not None:
            fields.fault(
                theirs, f"{told(fields.run.values[theirs])} is no table of unit, avg and percentiles"
            )
        return None
    scale = _scale(inner, ours, inner.run.values.get("unit"))
    percents = {
        float(key[1:]): value * scale
        for key in inner.run.values
        if key[:1] == "p"
        and key[1:].isdigit()
        and (value := inner.number_or_none(key, zero=True)) is not None
    }
    mean, std = inner.number_or_none("avg", zero=True), inner.number_or_none("std", zero=True)
    return Statistics(None if mean is None else mean * scale, None if std is None else std * scale, percents)


def _scale(fields: Fields, ours: str, unit: object) -> float:
    """Return the size of a figure's unit in ours."""
    allowed = UNITS.get(ours, tuple(SECONDS))
    if not isinstance(unit, str) or unit not in allowed:
        names = ", ".join(name for name in allowed if name)
        fields.fault("unit", f"{told(unit)} is not known here; allowed: {names}")
        return math.nan
    return SECONDS.get(unit, 1.0) if ours not in UNITS else 1.0


def _scalar(fields: Fields, name: str) -> float | None:
    """Return the one figure of a metric that has no percentiles: a count or a time in s."""
    inner = fields.inner(name)
    if inner is None:
        return None
    unit = inner.run.values.get("unit")
    value = inner.number_or_none("avg", zero=True)
    if value is None:
        return None
    if unit in ("requests", "count", "tokens"):
        return value
    return value * _scale(inner, "duration", unit)


def _found(config: object, name: str, depth: int = 4) -> object:
    """Return the first value called `name` anywhere in the tool's own configuration."""
    if not isinstance(config, Mapping) or depth == 0:
        return None
    if config.get(name) is not None and not isinstance(config[name], Mapping):
        return config[name]
    inner = (_found(value, name, depth - 1) for value in config.values())
    return next((value for value in inner if value is not None), None)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST:
        return None
    return float(value)


def _model(config: Mapping[str, object]) -> str | None:
    names = _found(config, "model_names") or _found(config, "model")
    first = names[0] if isinstance(names, list) and names else names
    return (
        first.encode("ascii", "replace").decode() if isinstance(first, str) and first.isprintable() else None
    )


def _records(sources: Iterable[JsonObject]) -> BenchRun:
    place, faults, found = None, None, _Rows()
    for source in sources:
        if place is None or faults is None:
            place, faults = Place(source.path, source.line), Faults(source.path, MOST_FAULTS)
        found.add(Fields(source, faults=faults))
    if place is None or faults is None:
        message = "no records"
        raise TraceFormatError(message)
    faults.check()
    if not any(found.answered):
        message = f"{place.path}:{place.line}: no request of the profiling phase was answered"
        raise TraceFormatError(message)
    notes = (f"{found.warm} warm-up requests are left out",) if found.warm else ()
    run = replace(with_requests(run_of(place, "AIPerf", {}), found.requests()), notes=notes)
    check_plausible(run, NAMES, partial(faults.add, place.line))
    faults.check()
    return run


class _Rows:
    """The requests of the profiling phase, as they are gathered; times of those that failed are NaN."""

    def __init__(self) -> None:
        self.warm = 0
        self.answered = bytearray()
        self._start_ns = array("q")
        self._values = array("d")
        self._gaps = array("d")
        self._offsets = array("q", [0])

    def add(self, fields: Fields) -> None:
        """Append the request of a line; what is wrong with it is noted."""
        metadata, metrics = fields.inner("metadata"), fields.inner("metrics")
        phase = metadata.run.values.get("benchmark_phase") if metadata else None
        if metadata is None or phase not in ("profiling", "warmup"):
            allowed = "is neither 'profiling' nor 'warmup'"
            fields.fault("metadata.benchmark_phase", f"{told(phase)} {allowed}")
        elif phase == "warmup":
            self.warm += 1
        elif metrics is None:
            fields.fault("metrics", "is no object, and neither is anything read without it")
        else:
            start, values, gaps = _row(fields, metadata, metrics)
            self._start_ns.append(start)
            self._values.extend(values)
            self._gaps.extend(gaps)
            self._offsets.append(len(self._gaps))
            self.answered.append(values[1] > 0.0 and not math.isnan(values[2]))  # tokens, first token

    def requests(self) -> Requests:
        """Return the requests in the order in which they were sent."""
        starts = np.frombuffer(self._start_ns, dtype=np.int64)
        order = np.argsort(starts, kind="stable")
        prompt, output, ttft, end, token = np.frombuffer(self._values).reshape(len(starts), -1)[order].T
        return Requests(
            prompt_tokens=whole(prompt),
            output_tokens=whole(output),
            ttft_s=floats(ttft),
            itl_s=Ragged(Column(self._gaps), self._offsets).taken(order.tolist()),
            failed=tuple(not self.answered[place] for place in order.tolist()),
            # Differences of whole nanoseconds: a float cannot hold the time since 1970 to the nanosecond.
            start_s=floats((starts[order] - starts[order[0]]) * NS),
            e2e_s=floats(end),
            tpot_s=floats(token),
        )


def _row(fields: Fields, metadata: Fields, metrics: Fields) -> tuple[int, tuple[float, ...], Iterable[float]]:
    """Return start (ns), the lengths and times (tokens, s) and the gaps (s) of a line's request."""
    start = metadata.run.values.get("request_start_ns")
    if not isinstance(start, int) or isinstance(start, bool) or not 1 <= start <= MOST_NS:
        metadata.fault("request_start_ns", f"{told(start)} is no time since 1970 in whole ns")
        start = 1
    prompt = _tokens(metrics, "prompt_tokens", _value(metrics, "prompt_tokens"))
    if fields.run.values.get("error") or metadata.run.values.get("was_cancelled"):
        # What the server worked for it before is replayed.
        got = _tokens(metrics, "output_tokens", _value(metrics, "output_tokens"))
        return start, (prompt, got, math.nan, math.nan, math.nan), ()
    values = {name: _value(metrics, name, needed=True) for name in ("output_tokens", "ttft", "e2e")}
    output, ttft, end = (math.nan if value is None else value for value in values.values())
    for name, value in (("ttft", ttft), ("e2e", end)):
        if asked := doubt(name, value, only_most=True):
            metrics.fault(NAMES[name], asked)
    if ttft > end * SLACK:
        metrics.fault(
            NAMES["ttft"], f"{ttft:.4g} s is after the whole request, {end:.4g} s: is its unit right?"
        )
    token, expected = _value(metrics, "tpot") or math.nan, math.nan
    if output > 1.0:
        expected = (end - ttft) / (output - 1.0)
        token = expected if math.isnan(token) else token
    if abs(token - expected) > SAME_RATIO * expected:
        told_ = f"{token:.4g} s, but the rest of the request gives {expected:.4g} s: is its unit right?"
        metrics.fault(NAMES["tpot"], told_)
    return start, (prompt, _tokens(metrics, "output_tokens", output), ttft, end, token), _gaps(metrics)


def _tokens(metrics: Fields, name: str, value: float | None) -> int:
    """Return a length in whole tokens; one that no model takes is a fault."""
    tokens = 0 if value is None or math.isnan(value) else round(value)
    if tokens > MOST_TOKENS:
        metrics.fault(NAMES[name], f"{tokens} tokens {TOO_LONG}")
        return 0
    return tokens


def _value(metrics: Fields, name: str, *, needed: bool = False) -> float | None:
    """Return the value of a metric in s or tokens; None where it is missing or null."""
    inner = metrics.inner(NAMES[name])
    value = None if inner is None else inner.number_or_none("value", zero=True)
    if value is None or inner is None:
        if needed:
            metrics.fault(
                NAMES[name], "is missing: was the answer streamed, and is it a version that is known?"
            )
        return None
    return value * _scale(inner, name, inner.run.values.get("unit"))


def _whole_number(value: float | None) -> int:
    return 0 if value is None or math.isnan(value) else round(value)


def _gaps(metrics: Fields) -> Iterator[float]:
    """Return the gaps between the chunks of a request, s."""
    inner = metrics.inner(NAMES["itl"])
    if inner is None or inner.run.values.get("value") is None:
        return iter(())
    scale = _scale(inner, "itl", inner.run.values.get("unit"))
    return (gap * scale for gap in inner.numbers("value") or ())
