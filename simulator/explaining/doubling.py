"""What would help: the same runs with each resource doubled, seed by seed.

Every doubling is really simulated, with the seeds of the original, so what they share in luck cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from simulator.api import simulate
from simulator.errors import InfeasiblePlanError
from simulator.explaining.resources import RESOURCES, Resource
from simulator.metrics.headline import TASK_TIME
from simulator.metrics.intervals import Interval, paired_ratio
from simulator.metrics.measures import HEADLINE, number
from simulator.processes import process_pool
from simulator.scenario.schema import Scenario

BY_TOKENS: Final = "solved_tasks_per_s_by_tokens"
"""Output tokens/s of the window over the tokens of a solved task in the whole run.

In the long run that is the rate of solved tasks.  A window holds many tokens and few ends of tasks, so it is
far less a matter of luck than counting these.  Undefined where a run was cut: ended tasks are short ones.
"""

FIGURES: Final[Mapping[str, str]] = {
    BY_TOKENS: "solved tasks/s",
    HEADLINE.path: "solved tasks/s, counted",
    "throughput.tasks_per_s": "tasks/s",
    "throughput.output_tokens_per_s": "output tokens/s",
    TASK_TIME: "mean task time",
}
"""Figures whose ratio to the original is told; the throughput is the first that is positive for all seeds."""

NO_CHANGE: Final = 0.01
"""A gain below this part is told as none, whatever its interval."""

RunProgress = Callable[[int, int], None]
"""Called with (runs ended, runs in all)."""

Figures = Mapping[str, float | None]


class Gain(NamedTuple):
    """What one doubling changes.

    Parameters
    ----------
    resource : what was doubled.
    ratios : ratio to the original by figure, paired by seed; None where a figure is undefined.
    target : the figure that counts, and whether less of it is better.
    refusal : why the doubled scenario cannot run; empty where it can.
    """

    resource: Resource
    ratios: Mapping[str, Interval | None]
    target: tuple[str, bool]
    refusal: str = ""

    @property
    def gain(self) -> Interval | None:
        """How many times better the target gets: its ratio, turned over where less is better."""
        path, less_is_better = self.target
        ratio = self.ratios.get(path)
        if ratio is None or not less_is_better:
            return ratio
        low = None if ratio.high is None else 1.0 / ratio.high
        high = None if ratio.low is None else 1.0 / ratio.low
        return Interval(1.0 / ratio.estimate, low, high, ratio.samples, ratio.method)

    @property
    def is_none(self) -> bool:
        """Whether no improvement worth naming can be told."""
        gain = self.gain
        return gain is None or gain.estimate < 1.0 + NO_CHANGE or self.may_be_luck

    @property
    def may_be_luck(self) -> bool:
        """Whether there seems to be a gain, but its interval includes none."""
        gain = self.gain
        return (
            gain is not None and gain.low is not None and gain.estimate >= 1.0 + NO_CHANGE and gain.low <= 1.0
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "resource": self.resource.name,
            "label": self.resource.label,
            "kind": self.resource.kind,
            "refusal": self.refusal,
            "target": self.target[0],
            "gain": None if self.gain is None else self.gain.to_dict(),
            "ratios": {path: None if r is None else r.to_dict() for path, r in self.ratios.items()},
        }


@dataclass(frozen=True, slots=True)
class _Job:
    """One run: which resource, by its place, and which seed."""

    place: int
    scenario: Scenario
    seed: int


def gains(
    scenario: Scenario,
    base: Sequence[Figures],
    target: tuple[str, bool],
    *,
    workers: int = 1,
    progress: RunProgress | None = None,
) -> list[Gain]:
    """Return what doubling each resource changes, the largest gain first, those that cannot run last.

    Parameters
    ----------
    scenario : the original; resources that it does not have are left out.
    base : figures of the original, one mapping per seed from the scenario's own seed on.
    target : path of the figure that counts, and whether less of it is better.
    workers : processes; 1 runs in this one.  The result does not depend on it.
    progress : called with (runs ended, runs in all).
    """
    doubled = [
        (resource, changed) for resource in RESOURCES if (changed := resource.double(scenario)) is not None
    ]
    jobs = [
        _Job(place, changed, scenario.seed + repetition)
        for place, (_, changed) in enumerate(doubled)
        for repetition in range(len(base))
    ]
    figures: list[list[Figures]] = [[] for _ in doubled]
    refusals = [""] * len(doubled)
    for done, (job, found, refusal) in enumerate(_run(jobs, workers), start=1):
        refusals[job.place] = refusals[job.place] or refusal
        figures[job.place].append(found)
        if progress is not None:
            progress(done, len(jobs))
    confidence = scenario.report.confidence_ratio
    results = [
        Gain(resource, {} if refused else _ratios(base, after, confidence), target, refused)
        for (resource, _), after, refused in zip(doubled, figures, refusals, strict=True)
    ]
    return sorted(results, key=_rank)


def _rank(gain: Gain) -> tuple[bool, float]:
    """Return what sorts gains: known ones first, the largest first; equal ones stay in order."""
    return gain.gain is None, -gain.gain.estimate if gain.gain else 0.0


def figures_of(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the figures of one run that ratios are taken of."""
    counted = {path: number(summary, path) for path in FIGURES if path != BY_TOKENS}
    tokens_per_solved = number(summary, "quality.output_tokens_per_solved_task")
    tasks = summary["conservation"]["tasks"]
    tokens_per_s = counted["throughput.output_tokens_per_s"]
    cut = tasks["running"] or tasks["waiting"] or tasks["pending"]
    known = tokens_per_s is not None and tokens_per_solved and not cut
    by_tokens = tokens_per_s / tokens_per_solved if known and tokens_per_s and tokens_per_solved else None
    return {BY_TOKENS: by_tokens, **counted}


def _ratios(
    base: Sequence[Figures], after: Sequence[Figures], confidence: float
) -> dict[str, Interval | None]:
    found: dict[str, Interval | None] = {}
    for path in FIGURES:
        pairs = [(one[path], other[path]) for one, other in zip(base, after, strict=True)]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        complete = len(known) == len(pairs)
        found[path] = (
            paired_ratio([a for a, _ in known], [b for _, b in known], confidence) if complete else None
        )
    return found


def _run(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[_Job, Figures, str]]:
    if workers == 1 or len(jobs) == 1:
        outcomes = map(_measured, jobs)
        yield from ((job, *outcome) for job, outcome in zip(jobs, outcomes, strict=True))
        return
    with process_pool(min(workers, len(jobs))) as pool:
        for job, outcome in zip(jobs, pool.map(_measured, jobs), strict=True):
            yield job, *outcome


def _measured(job: _Job) -> tuple[dict[str, float | None], str]:
    """Return the figures of one run, and why it cannot be run if it cannot."""
    try:
        return figures_of(simulate(job.scenario, seed=job.seed).summary), ""
    except InfeasiblePlanError as why:
        return {}, str(why)
