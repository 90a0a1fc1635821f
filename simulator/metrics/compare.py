"""Several seeds of several variants: means with intervals, ratios to the first variant, the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from statistics import fmean
from typing import Any

from simulator.metrics.headline import headline
from simulator.metrics.intervals import Interval, paired_difference, paired_ratio, t_interval, wilson
from simulator.metrics.measures import MEASURES, Measure, look_up, number

Summary = Mapping[str, object]
IntervalDict = dict[str, float | int | str | None]


def _defined(summaries: Sequence[Summary], path: str) -> list[float] | None:
    """Return the figure of every seed, None if a seed has none: the others would be a biased choice."""
    values = [number(summary, path) for summary in summaries]
    defined = [value for value in values if value is not None]
    return defined if defined and len(defined) == len(values) else None


def _pooled(intervals: Sequence[Mapping[str, Any]], confidence: float) -> Interval:
    """Return one proportion over the trials of all seeds, which are as independent as those of one."""
    trials = sum(interval["samples"] for interval in intervals)
    successes = round(sum(interval["estimate"] * interval["samples"] for interval in intervals))
    return wilson(successes, trials, confidence)


def _measured(summaries: Sequence[Summary], measure: Measure, confidence: float) -> IntervalDict | None:
    """Return a figure over all seeds; no figure here can be negative, no ratio above 1."""
    values = _defined(summaries, measure.path)
    if values is None:
        return None
    if measure.over_seeds == "max":
        return Interval(max(values), None, None, len(values), "largest of the seeds").to_dict()
    if measure.interval is not None:
        found = [look_up(summary, measure.interval) for summary in summaries]
        intervals = [interval for interval in found if isinstance(interval, Mapping)]
        if len(intervals) == len(values) and intervals[0]["method"] == "wilson":
            return _pooled(intervals, confidence).to_dict()
        if len(values) == len(intervals) == 1:
            return dict(intervals[0])
    mean = t_interval(values, confidence)
    if mean.low is None or mean.high is None:
        return mean.to_dict()
    most = 1.0 if measure.unit == "ratio" else inf
    return replace(mean, low=max(0.0, mean.low), high=min(most, mean.high)).to_dict()


def _against(
    reference: Sequence[Summary], other: Sequence[Summary], measure: Measure, confidence: float
) -> dict[str, IntervalDict | None] | None:
    first, second = _defined(reference, measure.path), _defined(other, measure.path)
    if first is None or second is None or len(first) != len(second):
        return None
    ratio: Interval | None = paired_ratio(first, second, confidence)
    return {
        "ratio": None if ratio is None else ratio.to_dict(),
        "difference": paired_difference(first, second, confidence).to_dict(),
    }


def mean_parts(summaries: Sequence[Summary]) -> dict[str, dict[str, float | str | None]]:
    """Return the parts of the step time, averaged over seeds, the largest first.

    A part that a seed did not have took no time there.  `seconds_per_output_token` is replica time.
    """
    tables = [look_up(summary, "hardware.parts") for summary in summaries]
    parts = [table for table in tables if isinstance(table, Mapping)]
    tokens = [number(summary, "throughput.output_tokens") or 0.0 for summary in summaries]
    names = dict.fromkeys(name for table in parts for name in table)
    averaged: dict[str, dict[str, float | str | None]] = {}
    for name in names:
        rows = [table.get(name) for table in parts]
        present = [row for row in rows if row is not None]
        bounds = [row["bound_ratio"] for row in present if row["bound_ratio"] is not None]
        per_token = [row["seconds"] / t if row and t else 0.0 for row, t in zip(rows, tokens, strict=True)]
        averaged[name] = {
            "share_ratio": fmean(row["share_ratio"] if row else 0.0 for row in rows),
            "bound_ratio": fmean(bounds) if bounds else None,
            "bound_by": present[0]["bound_by"],
            "seconds_per_output_token": fmean(per_token),
        }
    return dict(sorted(averaged.items(), key=lambda item: (-_share(item[1]), item[0])))


def _share(part: Mapping[str, float | str | None]) -> float:
    share = part["share_ratio"]
    return share if isinstance(share, float) else 0.0


def _notes(runs: Mapping[str, Sequence[Summary]]) -> list[dict[str, object]]:
    """Return each caveat with the variants it holds for, in the order of first appearance."""
    found: dict[str, list[str]] = {}
    for name, summaries in runs.items():
        for summary in summaries:
            notes = look_up(summary, "notes")
            for note in notes if isinstance(notes, Sequence) else ():
                variants = found.setdefault(str(note), [])
                if name not in variants:
                    variants.append(name)
    return [{"note": note, "variants": variants} for note, variants in found.items()]


def compare_runs(runs: Mapping[str, Sequence[Summary]], confidence: float) -> dict[str, object]:
    """Return the comparison of variants that ran with common seeds.

    Parameters
    ----------
    runs : summaries by variant, one per seed, the seeds of all variants in the same order; the first
        variant is what the others are compared with.
    confidence : level of the intervals, in (0, 1).

    Returns
    -------
    dict
        ``answer`` (a sentence), ``reference``, ``confidence_ratio``, ``seeds``, ``variants`` (per variant
        ``metrics`` by path and ``parts``), ``against_reference`` (per other variant: ratio and
        difference by path) and ``notes``.  A figure that is undefined for a seed is None.

    Raises
    ------
    ValueError
        If there are no runs, or the variants have different numbers of seeds.
    """
    counts = {name: len(summaries) for name, summaries in runs.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        message = f"every variant needs the same number of runs, at least one; got {counts}"
        raise ValueError(message)
    reference, *others = runs
    comparison: dict[str, object] = {
        "reference": reference,
        "confidence_ratio": confidence,
        "seeds": counts[reference],
        "variants": {
            name: {
                "metrics": {m.path: _measured(summaries, m, confidence) for m in MEASURES},
                "parts": mean_parts(summaries),
            }
            for name, summaries in runs.items()
        },
        "against_reference": {
            name: {m.path: _against(runs[reference], runs[name], m, confidence) for m in MEASURES}
            for name in others
        },
        "notes": _notes(runs),
    }
    return {"answer": headline(runs, comparison), **comparison}
