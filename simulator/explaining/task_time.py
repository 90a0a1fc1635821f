"""Where the time of the mean task went, from arrival to answer: parts that sum to it.

A task ends with one of its trials.  From that trial the chain of what it waited for is followed back to the
task's arrival: the trial was submitted when the task arrived, when the verdict on another trial of the
task was there, or a tool's time after that.  The links of the chain fill the task's time without gap or
overlap, so the parts are exact, in whole nanoseconds; only stragglers are a rule: what a link decodes beyond
the mean end of the trials that were submitted with it and finished.

Not told apart: pauses after a preemption, which are in decode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, NamedTuple

from simulator.api import Result
from simulator.engine.records import SequenceState
from simulator.metrics.tables import RunTables
from simulator.metrics.window import window_of
from simulator.units import NS_PER_S, to_ns
from workloads.verifier import Verifier

PARTS: Final[Mapping[str, str]] = {
    "queueing": "queueing: submission to admission",
    "prefill": "prefill: admission to first token",
    "decode": "decode, to the mean trial's end",
    "stragglers": "stragglers: last trial beyond mean",
    "verdicts": "verdicts: a trial's end to its verdict",
    "tools": "tools between trials",
}
"""Every part, and what it is called in tables."""


class _Trial(NamedTuple):
    node: int
    parent: int
    submitted_ns: int
    started_ns: int
    first_token_ns: int
    ended_ns: int
    judged_ns: int


@dataclass(frozen=True, slots=True)
class TaskTime:
    """How the mean task spent its time.

    Parameters
    ----------
    seconds : mean s by part, in the order of `PARTS`; none is negative and they sum to `mean_s`.
    mean_s : mean time from arrival to answer, s: ``latency.task_s.mean`` of the summary.
    tasks : tasks behind the means: those that arrived in the window and were answered.
    """

    seconds: Mapping[str, float]
    mean_s: float
    tasks: int


def task_time(result: Result) -> TaskTime | None:
    """Return how the tasks that arrived in the window spent their time; None where none was answered."""
    tables = RunTables.of(result.records)
    window = window_of(result.scenario, tables)
    tasks = tables.tasks
    answered = tables.ended & window.starts_inside(tasks["arrival_ns"])
    count = int(answered.sum())
    if not count:
        return None
    chosen = dict(
        zip(
            tasks["task"][answered].tolist(),
            zip(tasks["arrival_ns"][answered].tolist(), tasks["ended_ns"][answered].tolist(), strict=True),
            strict=True,
        )
    )
    totals = dict.fromkeys(PARTS, 0.0)
    for task, trials in _by_task(tables, result.scenario.workload.verifier):
        if task in chosen:
            for name, spent_ns in _parts(trials, *chosen[task]):
                totals[name] += spent_ns
    whole_ns = sum(ended - arrival for arrival, ended in chosen.values())
    seconds = {name: total / NS_PER_S / count for name, total in totals.items()}
    return TaskTime(seconds, whole_ns / NS_PER_S / count, count)


def _by_task(tables: RunTables, verifier: Verifier | None) -> Iterator[tuple[int, list[_Trial]]]:
    """Yield each task with its finished trials, in the order of their nodes."""
    columns = tables.trials
    finished = columns["state"] == SequenceState.FINISHED
    names = ("task", "prompt_tokens", "output_tokens", *_Trial._fields[:-1])
    rows = zip(*(columns[name][finished].tolist() for name in names), strict=True)
    current, found = -1, list[_Trial]()
    for task, prompt_tokens, output_tokens, *times in rows:
        if task != current and found:
            yield current, found
            found = []
        current = task
        wait_ns = to_ns(verifier.verdict_s(prompt_tokens + output_tokens)) if verifier else 0
        found.append(_Trial._make([*times, times[-1] + wait_ns]))
    if found:
        yield current, found


def _parts(trials: Sequence[_Trial], arrival_ns: int, ended_ns: int) -> Iterator[tuple[str, float]]:
    """Yield the parts of one task's time, link by link from its end to its arrival, ns."""
    link: _Trial | None = max(trials, key=lambda trial: (trial.judged_ns <= ended_ns, trial.judged_ns))
    if link is None or link.judged_ns > ended_ns:
        yield "tools", ended_ns - arrival_ns
        return
    yield "tools", ended_ns - link.judged_ns  # nothing: a task ends with a trial
    while link is not None:
        yield "verdicts", link.judged_ns - link.ended_ns
        yield "queueing", link.started_ns - link.submitted_ns
        yield "prefill", link.first_token_ns - link.started_ns
        late = _late_ns(link, trials)
        yield "stragglers", late
        yield "decode", link.ended_ns - link.first_token_ns - late
        before = _before(link, trials)
        yield "tools", link.submitted_ns - (arrival_ns if before is None else before.judged_ns)
        link = before


def _late_ns(link: _Trial, trials: Sequence[_Trial]) -> float:
    """Return how long `link` decodes after the mean end of the trials submitted with it, ns."""
    mean = fmean(trial.ended_ns for trial in trials if trial.submitted_ns == link.submitted_ns)
    return max(0.0, link.ended_ns - max(mean, float(link.first_token_ns)))


def _before(link: _Trial, trials: Sequence[_Trial]) -> _Trial | None:
    """Return the trial whose verdict `link` was submitted at, or after; None if it came with the task.

    One that was judged at that very moment comes first, then the parent, then the last one to be judged
    before; of equal ones the parent.  A trial is caused by earlier ones only, so the way back ends.
    """
    earlier = [t for t in trials if t.node < link.node and t.judged_ns <= link.submitted_ns]
    return max(
        earlier,
        key=lambda t: (t.judged_ns == link.submitted_ns, t.node == link.parent, t.judged_ns, t.node),
        default=None,
    )
