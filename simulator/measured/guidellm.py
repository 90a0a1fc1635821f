"""guidellm: one JSON object with a benchmark for every load; three layouts (without metadata, 1 and 2).

Percentiles and means are of the successful requests.  ``time_per_output_token_ms`` counts the first token in
and is not read; ``inter_token_latency_ms`` weighs every token alike except in the oldest layout.  Where the
list of requests is a sample of them, the summary alone is taken.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulator.measured.bench import BenchRun, Requests
from simulator.measured.columns import Ragged, floats, in_order, whole
from simulator.measured.faults import Faults
from simulator.measured.fields import MOST, MS, Fields, told
from simulator.measured.json_objects import JsonObject
from simulator.measured.layouts import each_read
from simulator.measured.statistics import Statistics
from simulator.measured.summaries import Place, check_means, run_of, with_requests

METRICS: Final = {
    "ttft": ("time_to_first_token_ms", MS),
    "gap": ("inter_token_latency_ms", MS),
    "e2e": ("request_latency", 1.0),
    "prompt_tokens": ("prompt_token_count", 1.0),
    "output_tokens": ("output_token_count", 1.0),
}
"""The tool's names of its metrics, and their units in s or tokens."""

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9}
LAYOUTS: Final = (1, 2)
"""Values of ``metadata.version`` that are known; a file without metadata is older."""

LISTED: Final = {
    "benchmarks": frozenset[str](),
    "successful": frozenset(
        {
            *("start_time", "request_start_time", "prompt_tokens", "output_tokens", "request_latency"),
            *("time_to_first_token_ms", "inter_token_latency_ms"),
        }
    ),
}
"""Lists of objects in a report, and what is kept of each: of a request all but its texts and its chunks."""

NAMES: Final = {
    "ttft": "time_to_first_token_ms",
    "tpot": "inter_token_latency_ms",
    "e2e": "request_latency",
    "prompt_tokens": "prompt_token_count",
    "output_tokens": "output_token_count",
}


@dataclass(frozen=True, slots=True)
class Guidellm:
    """Reader of guidellm's reports."""

    tool: str = "guidellm"
    marks: frozenset[str] = frozenset({"benchmarks"})

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return a run for every benchmark of the reports.

        Raises
        ------
        TraceFormatError
            With all that is missing or wrong, or if the layout is not known.
        """
        return each_read(sources, _runs)


GUIDELLM: Final = Guidellm()


def _runs(source: JsonObject) -> list[BenchRun]:
    faults = Faults(source.path)
    found = enumerate(_benchmarks(source, faults), start=1)
    runs = [_run(fields, number, version) for number, (fields, version) in found]
    faults.check()
    return runs


def _benchmarks(source: JsonObject, faults: Faults) -> list[tuple[Fields, int]]:
    """Return the fields of each benchmark and the version of the layout, 0 for the oldest."""
    fields = Fields(source, faults=faults)
    metadata = source.values.get("metadata")
    version = metadata.get("version") if isinstance(metadata, Mapping) else 0
    if version not in (0, *LAYOUTS) or isinstance(version, bool):
        fields.fault("metadata", f"version {told(version)} is not known; read are: 1, 2 and none")
        return []
    found = source.values["benchmarks"]
    if not isinstance(found, list) or not found:
        fields.fault("benchmarks", f"{told(found)} is no list of benchmarks")
        return []
    benchmarks = []
    for number, values in enumerate(found, start=1):
        if not isinstance(values, dict):
            fields.fault("benchmarks", f"entry {number}, {told(values)}, is no object")
            continue
        inner = JsonObject(source.path, number, source.line, "", values)
        benchmarks.append((Fields(inner, prefix=f"benchmarks[{number}].", faults=faults), int(version)))
    return benchmarks


def _run(fields: Fields, number: int, version: int) -> BenchRun:
    values, metrics = fields.run.values, fields.inner("metrics")
    place = Place(fields.run.path, fields.run.line, number)
    if metrics is None:
        fields.fault("metrics", "is missing or no object")
        return run_of(place, "guidellm", {})
    found = {ours: _successful(metrics, *theirs) for ours, theirs in METRICS.items()}
    stats = {ours: value for ours, value in found.items() if value is not None}
    for name in {"ttft", "e2e", "prompt_tokens", "output_tokens"} - stats.keys():
        metrics.fault(METRICS[name][0], "is missing, or has no successful part")
    gap = stats.pop("gap", None)
    if gap is not None:
        # Per request in the oldest layout, per token since.
        stats["tpot" if version == 0 else "itl"] = gap
    totals = fields.inner("request_totals") or metrics.inner("request_totals")
    completed = totals.count_or_none("successful", zero=True) if totals else None
    failed = sum(totals.count_or_none(kind, zero=True) or 0 for kind in ("errored",)) if totals else 0
    concurrency, rate, gap_cv = _load(
        _inner(values, "config", "strategy") or _inner(values, "args", "strategy")
    )
    run = replace(
        run_of(place, "guidellm", stats),
        model=_text(values, "worker", "backend_model") or _text(values, "config", "backend", "model"),
        completed=completed,
        failed=failed,
        duration_s=fields.number_or_none("duration"),
        max_concurrency=concurrency,
        request_rate_per_s=rate,
        gap_cv=gap_cv,
    )
    check_means(run, NAMES, metrics.fault)
    return _with_list(run, fields, version)


def _successful(metrics: Fields, name: str, unit: float) -> Statistics | None:
    both = metrics.inner(name)
    inner = both.inner("successful") if both else None
    if inner is None:
        return None
    mean, std = inner.number_or_none("mean", zero=True), inner.number_or_none("std_dev", zero=True)
    percentiles = inner.inner("percentiles")
    percents = {
        percent: value * unit
        for key, percent in PERCENTILES.items()
        if percentiles and (value := percentiles.number_or_none(key, zero=True)) is not None
    }
    return Statistics(None if mean is None else mean * unit, None if std is None else std * unit, percents)


def _inner(values: Mapping[str, object], *keys: str) -> dict[str, object]:
    found: object = values
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, dict) else {}


def _text(values: Mapping[str, object], *keys: str) -> str | None:
    found = _inner(values, *keys[:-1]).get(keys[-1])
    return found if isinstance(found, str) and found.isprintable() else None


def _load(strategy: Mapping[str, object]) -> tuple[int | None, float | None, float]:
    """Return requests at once, rate and variation of the gaps of a strategy."""
    kind = strategy.get("type_")
    streams, rate = strategy.get("streams") or strategy.get("max_concurrency"), strategy.get("rate")
    if kind == "synchronous":
        return 1, math.inf, 1.0
    if kind in ("concurrent", "throughput"):
        return streams if isinstance(streams, int) and streams > 0 else None, math.inf, 1.0
    if isinstance(rate, int | float) and 0 < rate <= MOST:
        return None, float(rate), 0.0 if kind == "constant" else 1.0
    return None, None, 1.0


def _with_list(run: BenchRun, fields: Fields, version: int) -> BenchRun:
    """Return `run` with its requests if the report lists all of them."""
    listed = _inner(fields.run.values, "requests").get("successful")
    rows = listed if isinstance(listed, list) else []
    if not rows or run.completed is None:
        return run
    if len(rows) < run.completed:
        note = f"the report lists {len(rows)} of {run.completed} requests: its summary alone is taken"
        return replace(run, notes=(*run.notes, note))
    read = array("d")
    for number, row in enumerate(rows, start=1):
        read.extend(_request(row, number, fields, version))
    if fields.faults:
        return run
    start, prompt, output, ttft, end, token = in_order(read, width=6)
    requests = Requests(
        prompt_tokens=whole(np.round(prompt)),
        output_tokens=whole(np.round(output)),
        ttft_s=floats(ttft),
        itl_s=Ragged.empty(len(start)),
        failed=tuple((output < 1.0).tolist()),
        start_s=floats(start - start[0]),
        e2e_s=floats(end),
        tpot_s=floats(token),
    )
    return with_requests(run, requests)


def _request(row: object, number: int, fields: Fields, version: int) -> tuple[float, ...]:
    """Return start, prompt, output, first token, end to end and time per token of a request, s and tokens."""
    values = row if isinstance(row, dict) else {}
    inner = Fields(
        JsonObject(fields.run.path, number, fields.run.line, "", values),
        prefix=f"{fields.prefix}requests.successful[{number}].",
        faults=fields.faults,
    )
    start = inner.number("request_start_time" if version else "start_time")
    prompt, output = inner.length("prompt_tokens"), inner.length("output_tokens")
    ttft, end = inner.number("time_to_first_token_ms") * MS, inner.number("request_latency")
    gap = inner.number_or_none("inter_token_latency_ms", zero=True)
    token = math.nan if gap is None or not output > 1.0 else gap * MS
    if ttft > end:
        told_end = f"{ttft:.4g} s is after the whole request, {end:.4g} s: is its unit right?"
        inner.fault("time_to_first_token_ms", told_end)
    return start, prompt, output, ttft, end, token
