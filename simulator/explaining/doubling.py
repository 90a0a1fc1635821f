"""What would help: the same runs with each resource doubled, seed by seed.

Every doubling is really simulated, with the seeds of the original, so what they share in luck cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from simulator.api import Result, simulate
from simulator.errors import InfeasiblePlanError
from simulator.explaining.resources import RESOURCES, Resource
from simulator.metrics.intervals import Interval, paired_ratio
from simulator.metrics.keeping_up import TASK_TIME
from simulator.metrics.measures import HEADLINE, number
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
class Job:
    """One run.

    Parameters
    ----------
    scenario, seed : what to run.
    whole : whether all of the result is wanted, not the figures alone.
    """

    scenario: Scenario
    seed: int
    whole: bool = False


class Outcome(NamedTuple):
    """What came of a job: its figures or why it cannot run, and its result if that was wanted."""

    figures: Figures
    refusal: str = ""
    result: Result | None = None


def run_job(job: Job) -> Outcome:
    """Run a job; a doubled scenario that does not fit its hardware is an outcome, too.

    Raises
    ------
    InfeasiblePlanError
        If the run whose whole result is wanted does not fit.
    """
    try:
        result = simulate(job.scenario, seed=job.seed)
    except InfeasiblePlanError as why:
        if job.whole:
            raise
        return Outcome({}, str(why))
    return Outcome(figures_of(result.summary), result=result if job.whole else None)


def doublings(scenario: Scenario) -> list[tuple[Resource, Scenario]]:
    """Return each resource that a scenario has, with the scenario that has twice as much of it."""
    return [
        (resource, changed) for resource in RESOURCES if (changed := resource.double(scenario)) is not None
    ]


def gain_of(resource: Resource, base: Sequence[Figures], after: Sequence[Outcome], confidence: float) -> Gain:
    """Return what doubling a resource changes.

    Parameters
    ----------
    resource : what was doubled.
    base, after : figures of the original and outcomes of the doubled scenario, by seed.
    confidence : level of the intervals, in (0, 1).
    """
    refusal = next((outcome.refusal for outcome in after if outcome.refusal), "")
    ratios = {} if refusal else _ratios(base, [outcome.figures for outcome in after], confidence)
    return Gain(resource, ratios, (BY_TOKENS, False), refusal)


def ranked(gains: Sequence[Gain], target: tuple[str, bool]) -> list[Gain]:
    """Return gains by the figure that counts: the largest first, those that cannot run last.

    Parameters
    ----------
    gains : in the order of tables, which equal ones keep.
    target : path of the figure that counts, and whether less of it is better.
    """
    return sorted((gain._replace(target=target) for gain in gains), key=_rank)


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
