"""vLLM's ``/metrics``: two scrapes of one server, differenced, for its counters run since it was started.

Names of V0 and V1 are known. Percentiles are interpolated within the buckets of a histogram; the edges are
told. A scrape does not say when it was made: the time between the two has to be given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.bench import BenchRun
from simulator.measured.faults import Faults
from simulator.measured.fields import told
from simulator.measured.opening import opened_result, result_lines
from simulator.measured.plausible import check_plausible
from simulator.measured.statistics import PERCENTS, Statistics
from simulator.measured.summaries import Place, run_of
from simulator.text_files import CONTROL, Source

TOOL: Final = "vLLM /metrics"
LINE: Final = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? +(?P<value>\S+)(?: +-?\d+)?")
LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
START: Final = "process_start_time_seconds"

HISTOGRAMS: Final = {
    "ttft": ("time_to_first_token_seconds",),
    "tpot": ("request_time_per_output_token_seconds",),
    # V0 called the time between tokens "per output token"; V1's name of that is the first.
    "itl": ("inter_token_latency_seconds", "time_per_output_token_seconds"),
    "e2e": ("e2e_request_latency_seconds",),
    "prompt_tokens": ("request_prompt_tokens",),
    "output_tokens": ("request_generation_tokens",),
}
"""vLLM's names, those of the newer version first."""

KV_USE: Final = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")


@dataclass(frozen=True, slots=True)
class Scrape:
    """One scrape: values by name and labels, and the labels of the one-valued ``..._info``.

    Parameters
    ----------
    path : of the file.
    values : sums over engines, by name and ``le``, the upper edge of a bucket ("" where there is none).
    lines : where each name stands first.
    info : labels of ``vllm:cache_config_info``.
    models : names of the models.
    """

    path: Path
    values: dict[tuple[str, str], float]
    lines: dict[str, int]
    info: dict[str, str]
    models: tuple[str, ...]

    def value(self, name: str) -> float | None:
        """Return the value of a name that has no buckets."""
        return self.values.get((name, ""))


def knows(text: str) -> bool:
    """Say whether a text is a scrape of vLLM."""
    return text.lstrip().startswith("#") and "\nvllm:" in text


def read(source: Source) -> list[BenchRun]:
    """Refuse a single scrape.

    Raises
    ------
    TraceFormatError
        Always: what one scrape counts began with the server.
    """
    scrape_in(source)
    message = (
        f"{source.path}:1: is one scrape of a server's /metrics, whose counters began with the server: give "
        "the one before the run and the one after it, --measured BEFORE --measured AFTER"
    )
    raise TraceFormatError(message)


def scrape_in(source: Source) -> Scrape:
    """Return a scrape.

    Raises
    ------
    TraceFormatError
        With the first line that is not of the format.
    """
    path = source.path
    values: dict[tuple[str, str], float] = {}
    lines: dict[str, int] = {}
    info: dict[str, str] = {}
    models: dict[str, None] = {}
    for number, line in enumerate(result_lines(source), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = LINE.fullmatch(stripped)
        labels = dict(LABEL.findall(match["labels"] or "")) if match else {}
        value = _value(match["value"]) if match else None
        if match is None or value is None:
            message = f"{path}:{number}: {told(stripped)} is no line of /metrics: was the file cut?"
            raise TraceFormatError(message)
        name = match["name"]
        if name == "vllm:cache_config_info":
            info = labels
        if name.startswith("vllm:") and "model_name" in labels:
            models.setdefault(labels["model_name"].translate(CONTROL))
        lines.setdefault(name, number)
        if not math.isfinite(value):  # not known, as of a gauge that was never set
            continue
        key = (name, labels.get("le", ""))
        values[key] = values.get(key, 0.0) + value
    return Scrape(path, values, lines, info, tuple(models))


def _value(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def scrape_of(path: Path) -> Scrape:
    """Return the scrape in a file; raises as `scrape_in`."""
    with opened_result(path) as source:
        return scrape_in(source)


def difference(before: Path, after: Path) -> BenchRun:
    """Return what a server did between two scrapes.

    Raises
    ------
    TraceFormatError
        If they are of different servers or in the wrong order, or nothing was finished between them.
    """
    first, last = map(scrape_of, (before, after))
    faults = _mismatches(first, last)
    if faults:
        raise TraceFormatError("\n".join(faults))
    stats, notes = dict[str, Statistics](), list[str]()
    for ours, names in HISTOGRAMS.items():
        found = next((name for name in names if last.value(f"vllm:{name}_count") is not None), None)
        histogram = None if found is None else _histogram(first, last, f"vllm:{found}")
        if histogram is not None:
            stats[ours] = histogram
            notes += _told_bounds(ours, histogram)
    done = _gained(first, last, "vllm:e2e_request_latency_seconds_count")
    if not done:
        message = f"{after}: no request was finished since {before}: nothing is left to compare"
        raise TraceFormatError(message)
    run = run_of(Place(after), TOOL, stats)
    _check_units(run, last)
    tokens = {"prompt_tokens": "vllm:prompt_tokens_total", "output_tokens": "vllm:generation_tokens_total"}
    totals = {ours: _gained(first, last, name) for ours, name in tokens.items()}
    blocks = last.info.get("num_gpu_blocks")
    stated = {"kv_blocks": f"{blocks} of {last.info.get('block_size')} tokens"} if blocks else {}
    return replace(
        run,
        model=last.models[0] if len(last.models) == 1 else None,
        completed=round(done),
        prompt_tokens=run.prompt_tokens if run.prompt_tokens is not None else totals["prompt_tokens"] / done,
        output_tokens=run.output_tokens if run.output_tokens is not None else totals["output_tokens"] / done,
        stated=stated,
        notes=(*_gauges(first, last), *notes),
    )


def _check_units(run: BenchRun, last: Scrape) -> None:
    """Refuse times that no server has.

    Raises
    ------
    TraceFormatError
        With what to ask.
    """
    faults = Faults(run.path)
    names = {ours: f"vllm:{theirs[0]}_sum" for ours, theirs in HISTOGRAMS.items()}
    check_plausible(run, names, lambda name, told_: faults.add(last.lines.get(name, 1), name, told_))
    faults.check()


def _mismatches(first: Scrape, last: Scrape) -> list[str]:
    """Return why two scrapes cannot be differenced."""
    starts = [scrape.value(START) for scrape in (first, last)]
    where = f"{last.path}:{last.lines.get(START, 1)}: {START}"
    if None in starts:
        return [f"{where}: is missing in one of the two: nothing says that they are of one server process"]
    if starts[0] != starts[1]:
        return [f"{where}: {starts[1]:.12g}, but {starts[0]:.12g} in {first.path}: the server was restarted"]
    if first.models and first.models != last.models:
        return [f"{last.path}: serves {', '.join(last.models)}, but {first.path} {', '.join(first.models)}"]
    group = [name for names in HISTOGRAMS.values() for name in names]
    told_ = (_decreased(first, last, f"vllm:{name}_{kind}") for name in group for kind in ("count", "sum"))
    return [each for each in told_ if each]


def _decreased(first: Scrape, last: Scrape, name: str) -> str:
    """Return what is wrong with a counter that got smaller, or nothing."""
    before, after = first.value(name), last.value(name)
    if before is None or (after is not None and after >= before):
        return ""
    if after is None and name in last.lines:
        return (
            f"{last.path}:{last.lines[name]}: {name}: is no number, but {first.path} has one: scrape it again"
        )
    if after is None:
        return f"{last.path}: {name}: is missing, but {first.path} has it: give two scrapes of one server"
    where = f"{last.path}:{last.lines.get(name, 1)}: {name}: {after:g}"
    return f"{where} is less than the {before:g} of {first.path}: are they in the right order?"


def _gained(first: Scrape, last: Scrape, name: str) -> float:
    return (last.value(name) or 0.0) - (first.value(name) or 0.0)


def _histogram(first: Scrape, last: Scrape, name: str) -> Statistics | None:
    """Return mean and percentiles of what was counted between two scrapes; None if nothing was."""
    count = _gained(first, last, f"{name}_count")
    if count <= 0.0:
        return None
    edges = sorted(
        (math.inf if edge == "+Inf" else float(edge), value - first.values.get((of, edge), 0.0))
        for (of, edge), value in last.values.items()
        if of == f"{name}_bucket" and _value(edge.replace("+Inf", "inf")) is not None
    )
    percents, bounds = {}, {}
    for percent in PERCENTS:
        found = _quantile(edges, count * percent / 100.0)
        if found is not None:
            value, bounds[percent] = found
            if value is not None:
                percents[percent] = value
    return Statistics(_gained(first, last, f"{name}_sum") / count, None, percents, bounds)


def _quantile(
    edges: Iterable[tuple[float, float]], rank: float
) -> tuple[float | None, tuple[float, float]] | None:
    """Return where `rank` is reached and the edges of its bucket; no value in the last, which has no end.

    Examples
    --------
    >>> _quantile([(0.1, 0.0), (0.2, 10.0), (math.inf, 10.0)], 5.0)
    (0.15000000000000002, (0.1, 0.2))
    """
    low, below = 0.0, 0.0
    for edge, reached in edges:
        if reached >= rank and reached > below:
            if math.isinf(edge):
                return None, (low, edge)
            return low + (edge - low) * (rank - below) / (reached - below), (low, edge)
        low, below = edge, reached
    return None


def _told_bounds(name: str, found: Statistics) -> list[str]:
    if name in ("prompt_tokens", "output_tokens") or not found.bounds:
        return []
    told_ = ", ".join(
        f"p{percent:g} in {low:g} to {high:g} s" for percent, (low, high) in found.bounds.items()
    )
    return [f"{name} percentiles are interpolated within buckets: {told_}"]


def _gauges(first: Scrape, last: Scrape) -> list[str]:
    """Return what the gauges said at the two moments."""
    told_ = []
    for scrape, when in ((first, "first"), (last, "second")):
        running, waiting = (scrape.value(f"vllm:num_requests_{name}") for name in ("running", "waiting"))
        kv = next((scrape.value(name) for name in KV_USE if scrape.value(name) is not None), None)
        if running is not None and waiting is not None:
            use = "" if kv is None else f", KV use {kv:.1%}"
            told_.append(f"at the {when} scrape: {running:g} running, {waiting:g} waiting{use}")
    return told_
