"""The answer to the scenario's question as a sentence, built from the numbers and no surer than they are.

Why a variant wins is told by splitting the rate exactly: solved tasks per second = replicas busy x output
tokens per busy replica second / output tokens per solved task.  The factor that moved most is named.  Speed
is mean batch x tokens per second of a sequence; where the latter moved more, the part whose time per output
token changed most is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, log
from statistics import fmean
from typing import Any

from simulator.metrics.keeping_up import TASK_TIME, keeps_up
from simulator.metrics.measures import HEADLINE, look_up, number, text

Summary = Mapping[str, object]

PHRASES: Mapping[tuple[str, str], str] = {
    ("attention", "memory"): "reading KV",
    ("attention", "compute"): "computing attention",
    ("selection", "memory"): "scanning the selection keys",
    ("selection", "compute"): "scoring the selection keys",
    ("prefill_attention", "compute"): "attention of prompts",
    ("prefill_attention", "memory"): "reading the KV of prompts",
    ("allreduce", "latency"): "all-reduces",
    ("overhead", "latency"): "overhead of kernel launches and the host",
    ("norms", "memory"): "the traffic of the norms",
    ("lm_head", "memory"): "reading the output head",
    ("gate_up", "memory"): "reading the feed-forward weights (gate, up)",
    ("down", "memory"): "reading the feed-forward weights (down)",
    ("experts", "memory"): "reading the experts",
    ("constant", "latency"): "the constant step time",
}
"""What a part of the step time is called in a sentence, by part and bound."""


def times(ratio: float) -> str:
    """Return a ratio with the digits that it deserves.

    Examples
    --------
    >>> times(3.14159), times(0.5), times(26.2), times(123.4)
    ('3.14', '0.500', '26.2', '123')
    """
    return f"{ratio:.0f}" if ratio >= 99.95 else f"{ratio:#.3g}"  # noqa: PLR2004 - three digits


def phrase(part: str, bound: str) -> str:
    """Return what the time of `part` was spent on."""
    return PHRASES.get((part, bound), f"{part.replace('_', ' ')} ({bound}-bound)")


def _plan(summary: Summary) -> str:
    return f"{text(summary, 'plan.gpus')} x {text(summary, 'plan.gpu')}"


def _where(runs: Mapping[str, Sequence[Summary]]) -> str:
    plans = dict.fromkeys(_plan(summaries[0]) for summaries in runs.values())
    return f" on {next(iter(plans))}" if len(plans) == 1 else ""


def _labels(runs: Mapping[str, Sequence[Summary]]) -> str:
    """Return what the numbers rest on, in brackets: an optimistic latency, memory ignored."""
    labels = []
    first = [summaries[0] for summaries in runs.values()]
    if any(text(summary, "plan.latency") == "roofline" for summary in first):
        labels.append("optimistic bound: roofline step times")
    unlimited = [n for n, s in runs.items() if text(s[0], "plan.kv_capacity_source") == "unlimited"]
    if unlimited:
        whose = "" if len(unlimited) == len(runs) else f" for {', '.join(unlimited)}"
        labels.append(f"KV capacity unlimited{whose}")
    return f" ({'; '.join(labels)})" if labels else ""


def _mean(summaries: Sequence[Summary], path: str) -> float | None:
    values = [number(summary, path) for summary in summaries]
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined and len(defined) == len(values) else None


def _interval(found: object) -> tuple[float, float | None, float | None] | None:
    """Return (estimate, low, high) of an interval in a comparison."""
    if not isinstance(found, Mapping):
        return None
    return found["estimate"], found["low"], found["high"]


def _factors(summaries: Sequence[Summary]) -> dict[str, float] | None:
    """Return the factors of the solved tasks per second; None where one of them is undefined or zero."""
    busy = _mean(summaries, "load.busy_ratio")
    tokens = _mean(summaries, "throughput.output_tokens_per_s")
    solved = _mean(summaries, HEADLINE.path)
    if not busy or not tokens or not solved:
        return None
    return {"busy": busy, "speed": tokens / busy, "thrift": solved / tokens}


def _variant(comparison: Mapping[str, object], name: str) -> Mapping[str, Any]:
    """Return the tables of one variant; names may hold dots, so this is no path."""
    variants = look_up(comparison, "variants")
    if not isinstance(variants, Mapping):
        raise KeyError(name)
    found: Mapping[str, Any] = variants[name]
    return found


def _speed_reason(comparison: Mapping[str, object], first: str, second: str) -> str:
    """Name the part whose time per output token changed most the way the sum did; empty if none did."""
    tables = [_variant(comparison, name)["parts"] for name in (first, second)]
    per_token = [{n: part["seconds_per_output_token"] for n, part in table.items()} for table in tables]
    saved = {n: per_token[0].get(n, 0.0) - per_token[1].get(n, 0.0) for n in {**tables[0], **tables[1]}}
    direction = 1.0 if sum(saved.values()) > 0.0 else -1.0
    name = max(saved, key=lambda n: direction * saved[n], default="")
    if not direction * saved.get(name, 0.0) > 0.0:
        return ""
    bound = (tables[0].get(name) or tables[1][name])["bound_by"]
    shares = [table[name]["share_ratio"] if name in table else 0.0 for table in tables]
    return (
        f"{phrase(name, bound)} takes {shares[1]:.0%} of the step time of {second} and {shares[0]:.0%} of "
        f"that of {first}"
    )


def _batch_reason(before: Sequence[Summary], after: Sequence[Summary], speed: float) -> str:
    """Name the mean batch where it moved more of `speed`, a log ratio, than the pace of its sequences did."""
    batches = [
        (_mean(summaries, "load.batch_sequences.mean") or 0.0) * (_mean(summaries, "plan.dp") or 1.0)
        for summaries in (before, after)
    ]
    if not batches[0] or not batches[1]:
        return ""
    batch = log(batches[1] / batches[0])
    direction = 1.0 if speed > 0.0 else -1.0
    if direction * batch <= direction * (speed - batch):
        return ""
    return f"its mean batch over all replicas is {times(batches[1])} against {times(batches[0])}"


def _reason(
    runs: Mapping[str, Sequence[Summary]], comparison: Mapping[str, object], first: str, second: str
) -> str:
    """Return why `second` solves more or fewer tasks per second than `first`, or nothing if unknown."""
    before, after = _factors(runs[first]), _factors(runs[second])
    if before is None or after is None:
        return ""
    moved = {name: log(after[name] / before[name]) for name in before}
    direction = 1.0 if sum(moved.values()) > 0.0 else -1.0
    main = max(moved, key=lambda name: direction * moved[name])
    if main == "busy":
        return (
            f", because its replicas are busy {after['busy']:.0%} of the time instead of {before['busy']:.0%}"
        )
    if main == "thrift":
        return (
            f", because a solved task takes {1 / after['thrift']:,.0f} output tokens instead of "
            f"{1 / before['thrift']:,.0f}"
        )
    why = _batch_reason(runs[first], runs[second], moved["speed"])
    if not why and _mean(runs[first], "plan.dp") == _mean(runs[second], "plan.dp"):
        # Step time per token says where a replica's time went; with other replicas it cannot be compared.
        why = _speed_reason(comparison, first, second)
    return f", because {why}" if why else ""


def _single(name: str, runs: Mapping[str, Sequence[Summary]], comparison: Mapping[str, object]) -> str:
    row = _variant(comparison, name)
    found = _interval(row["metrics"][HEADLINE.path])
    if found is None or not found[0]:
        return f"{name} solves no task in the window{_where(runs)}{_labels(runs)}."
    rate, low, high = found
    reach = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
    why = ""
    if row["parts"]:
        part, values = next(iter(row["parts"].items()))
        why = (
            f"; most of the step time, {values['share_ratio']:.0%}, goes to "
            f"{phrase(part, values['bound_by'])}"
        )
    return f"{name} solves {rate:.4g} tasks per second{reach}{_where(runs)}{why}{_labels(runs)}."


def _ratio_of(
    other: str, path: str, comparison: Mapping[str, object]
) -> tuple[float, float | None, float | None] | None:
    table = look_up(comparison, "against_reference")
    row = table[other][path] if isinstance(table, Mapping) else None
    return None if row is None else _interval(row["ratio"])


def _sureness(ratio: tuple[float, float | None, float | None]) -> tuple[str, bool]:
    """Return the interval in words, and whether it leaves open which of the two is larger."""
    _, low, high = ratio
    if low is None or high is None:
        return "one seed, no interval", False
    return f"{times(low)} to {times(high)}", low <= 1.0 <= high


def _keeping_up(
    runs: Mapping[str, Sequence[Summary]], comparison: Mapping[str, object], reference: str, others: list[str]
) -> str:
    """Return the answer where the arrivals set the rate of all variants: who answers sooner."""
    best = min(others, key=lambda name: _mean(runs[name], TASK_TIME) or inf)
    start = f"All variants keep up with the arrivals{_where(runs)}, so their rates say nothing"
    ratio = _ratio_of(best, TASK_TIME, comparison)
    if ratio is None:
        return f"{start}{_labels(runs)}."
    sureness, is_open = _sureness(ratio)
    time = f"{times(ratio[0])} times the time that {reference} takes ({sureness})"
    if is_open:
        return f"{start}; no difference in task time can be told: {best} takes {time}{_labels(runs)}."
    same = _mean(runs[reference], "plan.dp") == _mean(runs[best], "plan.dp")
    # Where a replica's time went says nothing about other replicas.
    why = _speed_reason(comparison, reference, best) if same else ""
    return f"{start}; {best} answers a task in {time}{', as ' if why else ''}{why}{_labels(runs)}."


def _undefined(runs: Mapping[str, Sequence[Summary]], reference: str, other: str) -> str:
    rates = {name: _mean(runs[name], HEADLINE.path) for name in (reference, other)}
    none = [name for name, rate in rates.items() if rate == 0.0]
    if len(none) > 1:
        return f"Neither {reference} nor {other} solves a task in the window: no ratio can be told"
    if none:
        return f"{none[0]} solves no task in the window: no ratio can be told"
    return f"{reference} and {other} cannot be compared: some seed solves no task in the window"


def headline(runs: Mapping[str, Sequence[Summary]], comparison: Mapping[str, object]) -> str:
    """Return the answer: how the best other variant does against the first, how surely, and why.

    Parameters
    ----------
    runs : summaries by variant, one per seed; the first variant is the reference.
    comparison : the tables of `simulator.metrics.compare.compare_runs`.

    Notes
    -----
    An interval that includes 1 is reported as no difference; one seed has no interval and the
    sentence says so.  Where all variants keep up with open arrivals, task times are compared instead.
    """
    reference, *others = runs
    if not others:
        return _single(reference, runs, comparison)
    if all(map(keeps_up, runs.values())):
        return _keeping_up(runs, comparison, reference, others)
    best = max(others, key=lambda name: _mean(runs[name], HEADLINE.path) or 0.0)
    ratio = _ratio_of(best, HEADLINE.path, comparison)
    where, labels = _where(runs), _labels(runs)
    if ratio is None:
        return f"{_undefined(runs, reference, best)}{where}{labels}."
    sureness, is_open = _sureness(ratio)
    if ratio[0] == 1.0:
        return f"{best} solves exactly as many tasks per second as {reference}{where}{labels}."
    if is_open:
        return (
            f"No difference can be told between {best} and {reference}{where}: {best} solves "
            f"{times(ratio[0])} times as many tasks per second ({sureness}){labels}."
        )
    why = _reason(runs, comparison, reference, best)
    return (
        f"{best} solves {times(ratio[0])} times as many tasks per second as {reference} ({sureness}){where}"
        f"{why}{labels}."
    )
