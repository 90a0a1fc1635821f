"""Candidates of a plan, simulated in parallel and kept, each seed once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import copysign, inf, isfinite, nan, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.metrics.intervals import student_t_quantile
from simulator.planning.goals import LABELS, Bound, Goal, Wanted, values_of
from simulator.scenario.loader import vary
from simulator.scenario.schema import Scenario
from simulator.sweeps.design import Point
from simulator.sweeps.handing_out import Pool, computed
from simulator.sweeps.jobs import Base, Job, Outcome, changes_of, document_of
from simulator.sweeps.running import Jobs
from simulator.sweeps.store import Store

NOT_RUN: Final = 1e9
"""Violation of a candidate that cannot run, in the place of parts of limits."""


ROUNDING: Final = 1e-12
"""Relative spread of seeds that is none: equal numbers were added in another order."""


@dataclass(frozen=True)
class Candidate:
    """One choice of everything.

    Parameters
    ----------
    point : its labels and changes.
    variant : one of the scenario's variants; empty where it has none.
    """

    point: Point
    variant: str = ""

    @cached_property
    def key(self) -> tuple[str, str]:
        """What tells it from others: the changes that concern it as text, and its variant."""
        return json.dumps(changes_of(self.point.changes, self.variant), sort_keys=True), self.variant

    @property
    def labels(self) -> dict[str, str | int | float | bool]:
        """What a table shows of it."""
        return {**self.point.labels, **({"variant": self.variant} if self.variant else {})}


def scenario_of(base: Base, candidate: Candidate) -> tuple[Scenario, Any]:
    """Return the scenario of a candidate as it is run, and the same as plain values of a document.

    Raises
    ------
    ScenarioError, UnknownNameError
        If its values do not go together.
    """
    variant = candidate.variant
    changes = changes_of(candidate.point.changes, variant)
    found = vary(document_of(base.text, variant or None), changes, must_fit=False)
    if variant:
        return found.scenario.variants[variant], found.variants[variant].plain()
    return found.scenario, found.document.plain()


@dataclass
class Evaluated:
    """What is known of a candidate.

    Parameters
    ----------
    candidate : the choice.
    reason : why it cannot run; empty if it can.
    values : figures of each seed that was run, by path.
    """

    candidate: Candidate
    reason: str = ""
    values: list[Mapping[str, float]] = field(default_factory=list)

    @property
    def seeds(self) -> int:
        """Seeds that were run."""
        return len(self.values)

    def of(self, path: str) -> NDArray[np.float64]:
        """Return a figure seed by seed, shape (seeds,)."""
        return np.array([each.get(path, np.nan) for each in self.values], dtype=np.float64)

    def mean(self, path: str) -> float:
        """Return the mean of a figure over the seeds; NaN where a seed has none."""
        return float(self.of(path).mean()) if self.values and not self.reason else float("nan")

    def half_width(self, path: str, confidence: float) -> float:
        """Return half of the interval of the mean (Student's t); NaN with fewer than two seeds."""
        return _half_width(self.of(path), confidence)

    def beside(self, other: Evaluated, path: str, confidence: float) -> tuple[float, float]:
        """Return by what part a figure is above that of `other` over the seeds of both, half its interval.

        Both have the same tasks in each seed, so chance that they share cancels.  Infinite where the other's
        is 0 and this one is not.
        """
        count = min(self.seeds, other.seeds)
        own, its = self.of(path)[:count], other.of(path)[:count]
        reference = float(its.mean())
        difference = float((own - its).mean())
        if not reference:
            return copysign(inf, difference) if difference else 0.0, nan
        return difference / abs(reference), _half_width(own - its, confidence) / abs(reference)

    def missed(self, bounds: Iterable[Bound]) -> dict[Bound, float]:
        """Return the limits that the mean misses, and by what part of each."""
        if self.reason:
            return {}
        found = {bound: bound.missed_by(self.mean(bound.path)) for bound in bounds}
        return {bound: part for bound, part in found.items() if part > 0.0}

    def lacks(self, wanted: Wanted) -> list[str]:
        """Return the labels of goals and limits whose figure it does not have: no task was solved, say."""
        if self.reason:
            return []
        paths = dict.fromkeys([goal.path for goal in wanted.goals] + [bound.path for bound in wanted.bounds])
        return [LABELS[path] for path in paths if not isfinite(self.mean(path))]

    def meets(self, wanted: Wanted) -> bool:
        """Say whether it can run, meets all limits, and has all figures of the goals."""
        return not self.reason and not self.missed(wanted.bounds) and not self.lacks(wanted)

    def violation(self, bounds: Sequence[Bound]) -> float:
        """Return the sum of the parts by which limits are missed; 0 where all are met."""
        return NOT_RUN if self.reason else float(sum(self.missed(bounds).values()))

    def loss(self, goal: Goal) -> float:
        """Return the figure of a goal so that less is better; infinite where there is none."""
        value = -goal.sign * self.mean(goal.path)
        return value if isfinite(value) else inf


def _half_width(values: NDArray[np.float64], confidence: float) -> float:
    count = len(values)
    if count < 2:  # noqa: PLR2004 - a spread needs two
        return nan
    spread = float(values.std(ddof=1))
    if spread <= ROUNDING * float(abs(values).max()):
        return 0.0
    return float(student_t_quantile(confidence, count - 1) * spread / sqrt(count))


class Evaluator:
    """Runs candidates and remembers them.

    Parameters
    ----------
    base : the scenario.
    wanted : what is asked.
    pool : where runs are made.
    store : keeps what came of them; None keeps it in memory alone.
    progress : called with the number of runs made so far.

    Attributes
    ----------
    ledger : candidates by key, in the order in which they were asked for first.
    told : figures of each run by its key, or why it cannot be made.
    runs, kept : runs, and those of them that were in the store.
    """

    def __init__(
        self,
        base: Base,
        wanted: Wanted,
        pool: Pool,
        store: Store | None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.base = base
        self.wanted = wanted
        self.pool = pool
        self.ledger: dict[tuple[str, str], Evaluated] = {}
        self.runs = 0
        self.kept = 0
        self._jobs = Jobs(base)
        self._store = store
        self._progress = progress
        self.told: dict[str, Mapping[str, float] | str] = {}

    def beside(self, progress: Callable[[int], None] | None) -> Evaluator:
        """Return one with a ledger of its own, which neither makes nor counts again what is told."""
        other = Evaluator(self.base, self.wanted, self.pool, self._store, progress)
        other.told = self.told
        return other

    def evaluate(self, candidates: Iterable[Candidate], seeds: int = 1) -> list[Evaluated]:
        """Return candidates with at least `seeds` seeds run, in their order."""
        wanted = list(candidates)
        jobs: dict[str, tuple[Job, Evaluated]] = {}
        for candidate in wanted:
            known = self._known(candidate)
            for repetition in range(known.seeds, seeds if not known.reason else 0):
                job = self._jobs.of(candidate.point.changes, candidate.variant, repetition)
                jobs.setdefault(job.key, (job, known))
        self._run([job for job, _ in jobs.values() if job.key not in self.told])
        for key, (_, known) in jobs.items():  # in the order of seeds, whatever came first
            told = self.told[key]
            if isinstance(told, str):
                known.reason = known.reason or told
            else:
                known.values.append(told)
        return [self._known(candidate) for candidate in wanted]

    def _known(self, candidate: Candidate) -> Evaluated:
        return self.ledger.setdefault(candidate.key, Evaluated(candidate))

    def _run(self, jobs: Sequence[Job]) -> None:
        """Take from the store what is there, and simulate the rest."""
        missing = []
        for job in jobs:
            kept = None if self._store is None else self._store.get(job.key)
            if kept is None:
                missing.append(job)
            else:
                self._note(job, kept, kept=True)
        for job, outcome in computed(missing, self.pool):
            if self._store is not None:
                self._store.put(job, outcome)
            self._note(job, outcome, kept=False)

    def _note(self, job: Job, outcome: Outcome, *, kept: bool) -> None:
        ran = outcome.status == "ok"
        self.told[job.key] = values_of(outcome.summary) if ran else f"{outcome.status}: {outcome.reason}"
        self.runs += 1
        self.kept += kept
        if self._progress is not None:
            self._progress(self.runs)
