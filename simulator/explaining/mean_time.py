"""Where time went in the mean over seeds, with intervals, and how sides differ in it, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from simulator.api import Result
from simulator.explaining.machine_time import MachineTime, machine_time
from simulator.explaining.task_time import TaskTime, task_time
from simulator.metrics.intervals import paired_difference, t_interval

Parts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Divided:
    """A whole by part, one mapping per seed each.

    Parameters
    ----------
    seconds, shares : s, and part of the whole.
    per_task : s for each task; None where a seed has none.
    """

    seconds: Sequence[Parts]
    shares: Sequence[Parts]
    per_task: Sequence[Parts] | None


def mean_times(runs: Mapping[str, Sequence[Result]], confidence: float) -> dict[str, dict[str, Any]]:
    """Return, by side, the GPU time of the window (``machine``) and the mean task's time (``task``) by part.

    Parameters
    ----------
    runs : results by side, one per seed, the seeds of all sides in the same order.
    confidence : level of the intervals, in (0, 1).

    Returns
    -------
    dict
        ``machine`` has ``gpu_seconds``, ``gpu_seconds_per_task`` and ``parts``, ``task`` has ``mean_s`` and
        ``parts``; it is None where a seed answered no task.  A part has its mean ``seconds``, its
        ``share_ratio`` of the whole (means of the seeds' shares) with ``share_low`` and ``share_high``, and
        for sides after the first the paired differences ``share_difference`` and ``per_task_difference``
        (s of a GPU per task that ended, or s of the mean task); None where a seed has none.
    """
    machines = {name: [machine_time(result) for result in results] for name, results in runs.items()}
    tasks = {name: _complete([task_time(result) for result in results]) for name, results in runs.items()}
    gpus = {name: _of_machines(found) for name, found in machines.items()}
    waits = {name: None if found is None else _of_tasks(found) for name, found in tasks.items()}
    first = next(iter(runs), "")
    table = {}
    for name in runs:
        is_first = name == first
        parts = _mean(gpus[name], None if is_first else gpus[first], confidence)
        for part, figures in parts.items():
            each = gpus[name].per_task
            figures["gpu_seconds_per_task"] = None if each is None else fmean(one[part] for one in each)
        machine = {"gpu_seconds": _sum(parts, "seconds"), "gpu_seconds_per_task": None, "parts": parts}
        if gpus[name].per_task is not None:
            machine["gpu_seconds_per_task"] = _sum(parts, "gpu_seconds_per_task")
        found, wait = tasks[name], waits[name]
        task = None
        if found is not None and wait is not None:
            mean_s = fmean(one.mean_s for one in found)
            task = {"mean_s": mean_s, "parts": _mean(wait, None if is_first else waits[first], confidence)}
        table[name] = {"machine": machine, "task": task}
    return table


def _complete(found: Sequence[TaskTime | None]) -> list[TaskTime] | None:
    """Return the times of all seeds, None if one has none: the others would be a biased choice."""
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else None


def _of_machines(found: Sequence[MachineTime]) -> _Divided:
    seconds = [{part: s * one.gpus_per_replica for part, s in one.seconds.items()} for one in found]
    each = [one.gpu_seconds_per(one.tasks_ended) for one in found]
    known = [one for one in each if one is not None]
    return _Divided(seconds, [one.share_ratios for one in found], known if len(known) == len(each) else None)


def _of_tasks(found: Sequence[TaskTime]) -> _Divided:
    seconds = [one.seconds for one in found]
    shares = [
        {part: s / one.mean_s if one.mean_s else 0.0 for part, s in one.seconds.items()} for one in found
    ]
    return _Divided(seconds, shares, seconds)


def _sum(parts: Mapping[str, Mapping[str, Any]], key: str) -> float:
    return sum(float(figures[key]) for figures in parts.values())


def _mean(found: _Divided, first: _Divided | None, confidence: float) -> dict[str, dict[str, Any]]:
    """Return the figures of each part: means over seeds, differences to another first side."""
    table = {}
    for part in found.seconds[0]:
        share = t_interval([one[part] for one in found.shares], confidence)
        table[part] = {
            "seconds": fmean(one[part] for one in found.seconds),
            "share_ratio": share.estimate,
            # No share leaves 0 to 1, whatever the interval of a mean of few would say.
            "share_low": None if share.low is None else max(0.0, share.low),
            "share_high": None if share.high is None else min(1.0, share.high),
            "share_difference": first and _difference(first.shares, found.shares, part, confidence),
            "per_task_difference": first and _difference(first.per_task, found.per_task, part, confidence),
        }
    return table


def _difference(
    first: Sequence[Parts] | None, found: Sequence[Parts] | None, part: str, confidence: float
) -> dict[str, Any] | None:
    """Return how a part differs from that of the first side, seed by seed; None where a seed has none."""
    if first is None or found is None:
        return None
    return paired_difference([one[part] for one in first], [one[part] for one in found], confidence).to_dict()
