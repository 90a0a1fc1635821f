"""InferenceX (InferenceMAX) aggregates: one JSON object a run, times in seconds, hardware named inside.

Fixed lengths: ``isl`` and ``osl`` are the most that the tool draws, so mean lengths are taken from the
latencies and the throughputs.  Agentic runs state mean lengths; an older layout of them is flat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from simulator.measured.bench import BenchRun
from simulator.measured.fields import Fields
from simulator.measured.json_objects import JsonObject
from simulator.measured.layouts import each_read
from simulator.measured.plausible import doubt
from simulator.measured.statistics import Statistics
from simulator.measured.summaries import Place, check_means, run_of

PERCENTILE: Final = re.compile(r"p(\d+(?:\.\d+)?)")
FLAT: Final = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2e": "e2el"}
LEAST_PART: Final = 0.3
MOST_PART: Final = 1.1
"""Mean output over ``osl``: the tool draws evenly from a part of it up to all of it; means are not exact."""

STATED: Final = {"gpu": "hw", "tp": "tp", "precision": "precision", "engine": "framework"}
"""The file's names of what it says of the server."""


@dataclass(frozen=True, slots=True)
class InferenceX:
    """Reader of the aggregates."""

    tool: str = "InferenceX"
    marks: frozenset[str] = frozenset({"hw", "framework", "precision", "infmax_model_prefix"})

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return the runs of objects, one each.

        Raises
        ------
        TraceFormatError
            With all that is missing or wrong.
        """
        return each_read(sources, lambda source: [_run(source)])


INFERENCEX: Final = InferenceX()


def _run(source: JsonObject) -> BenchRun:
    fields = Fields(source)
    nested = fields.inner("request_metrics")
    if nested is not None:
        run, names = _nested(fields, nested)
    else:
        agentic = source.values.get("scenario_type") is not None
        e2e = "ttlt" if agentic else FLAT["e2e"]
        names = {name: f"mean_{theirs}" for name, theirs in (FLAT | {"e2e": e2e}).items()}
        run = _flat_agentic(fields) if agentic else _fixed(fields)
    run = replace(
        run,
        model=fields.text("model"),
        max_concurrency=fields.count_or_none("users" if "users" in source.values else "conc"),
        stated={
            ours: str(source.values[theirs])
            for ours, theirs in STATED.items()
            if isinstance(source.values.get(theirs), str | int) and str(source.values[theirs]).isprintable()
        },
    )
    if source.values.get("spec_decoding") not in (None, "none") and run.itl_s and run.tpot_s:
        # A chunk holds the tokens of one step.
        run = replace(run, tokens_per_step=run.itl_s / run.tpot_s)
    if not run.stats:
        fields.fault("mean_ttft", "is missing, and so is every other latency")
    fields.check()
    check_means(run, names, fields.fault)
    fields.check()
    return run


def _flat(fields: Fields, theirs: str) -> Statistics | None:
    """Return the statistics of ``mean_X``, ``median_X``, ``std_X`` and ``pNN_X``."""
    mean = fields.number_or_none(f"mean_{theirs}", zero=True)
    if mean is None:
        return None
    percents = {}
    for key in fields.run.values:
        front, _, back = key.partition("_")
        match = PERCENTILE.fullmatch(front)
        if back != theirs or not (match or front == "median"):
            continue
        value = fields.number_or_none(key, zero=True)
        if value is not None:
            percents[float(match[1]) if match else 50.0] = value
    return Statistics(mean, fields.number_or_none(f"std_{theirs}", zero=True), percents)


def _stats(fields: Fields, names: Mapping[str, str]) -> dict[str, Statistics]:
    found = {ours: _flat(fields, theirs) for ours, theirs in names.items()}
    for ours, theirs in names.items():
        stats = found[ours]
        if asked := doubt(ours, None if stats is None else stats.mean):
            fields.fault(f"mean_{theirs}", asked)
    return {ours: value for ours, value in found.items() if value is not None}


def _place(fields: Fields) -> Place:
    return Place(fields.run.path, fields.run.line, fields.run.number)


def _fixed(fields: Fields) -> BenchRun:
    """Return a run of fixed lengths, with mean lengths that follow from its figures."""
    run = run_of(_place(fields), "InferenceX", _stats(fields, FLAT))
    longest = {"prompt": fields.tokens("isl"), "output": fields.tokens("osl")}
    gpus = fields.count("tp")
    output_rate = fields.number("output_tput_per_gpu") * gpus
    input_rate = fields.number("input_tput_per_gpu") * gpus
    run = replace(run, output_tokens_per_s=output_rate)
    if None in (run.ttft_s, run.tpot_s, run.e2e_s) or not run.tpot_s:
        return replace(run, prompt_tokens=float(longest["prompt"]), output_tokens=float(longest["output"]))
    output = 1.0 + ((run.e2e_s or 0.0) - (run.ttft_s or 0.0)) / run.tpot_s
    part = output / max(1, longest["output"])
    if not LEAST_PART <= part <= MOST_PART:
        told = (
            f"{run.tpot_s:.4g} s gives {output:.4g} output tokens a request, but osl is {longest['output']}"
        )
        fields.fault("mean_tpot", f"{told}: are all times in seconds?")
    prompt = output * input_rate / output_rate if output_rate else float(longest["prompt"])
    note = (
        f"isl {longest['prompt']} and osl {longest['output']} are the most that is drawn; latencies and "
        f"throughputs give means of {prompt:.0f} and {output:.0f} tokens, which are taken"
    )
    return replace(run, prompt_tokens=prompt, output_tokens=output, notes=(note,))


def _flat_agentic(fields: Fields) -> BenchRun:
    names = {"ttft": "ttft", "itl": "itl", "e2e": "ttlt"}
    lengths = {"prompt_tokens": "input_tokens", "output_tokens": "output_tokens_actual"}
    return replace(
        run_of(_place(fields), "InferenceX", _stats(fields, names | lengths)),
        completed=fields.count("num_requests_successful"),
        failed=_unanswered(fields),
        duration_s=fields.number("duration_seconds"),
        output_tokens_per_s=fields.number_or_none("output_tput_tps"),
    )


def _unanswered(fields: Fields) -> int:
    total = fields.count_or_none("num_requests_total", zero=True) or 0
    return max(0, total - (fields.count_or_none("num_requests_successful", zero=True) or 0))


def _nested(fields: Fields, metrics: Fields) -> tuple[BenchRun, dict[str, str]]:
    latency, tokens, rates = (metrics.inner(name) for name in ("latency", "tokens", "throughput"))
    if latency is None or tokens is None or rates is None:
        metrics.fault("latency", "is missing, or tokens or throughput beside it are")
        return run_of(_place(fields), "InferenceX", {}), {}
    found = {ours: _table(latency, theirs) for ours, theirs in FLAT.items()}
    found |= {"prompt_tokens": _table(tokens, "input"), "output_tokens": _table(tokens, "output_actual")}
    stats = {ours: value for ours, value in found.items() if value is not None}
    output = rates.inner("output")
    accounting = fields.inner("request_accounting")
    run = replace(
        run_of(_place(fields), "InferenceX", stats),
        completed=fields.count("num_requests_successful"),
        # Requests of the warm-up were never part of the run.
        failed=accounting.count_or_none("records_error_dropped", zero=True) or 0 if accounting else 0,
        duration_s=rates.number("duration_seconds"),
        output_tokens_per_s=output.number_or_none("tokens_per_second") if output else None,
    )
    return run, {ours: f"request_metrics.latency.{theirs}.mean" for ours, theirs in FLAT.items()}


def _table(fields: Fields, name: str) -> Statistics | None:
    inner = fields.inner(name)
    if inner is None:
        return None
    percents = {
        float(match[1]): value
        for key in inner.run.values
        if (match := PERCENTILE.fullmatch(key))
        and (value := inner.number_or_none(key, zero=True)) is not None
    }
    mean, std = inner.number_or_none("mean", zero=True), inner.number_or_none("std", zero=True)
    return Statistics(mean, std, percents)
