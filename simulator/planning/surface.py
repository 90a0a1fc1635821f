"""A response surface: what the runs made so far tell of candidates that were not run.

Each figure, by its logarithm, is a Gaussian process over the choices: candidates that share choices have like
figures.  Worth the next run is who most probably meets all limits and beats the best found: the probability
of improvement (Kushner, 1964) under constraints (Gardner et al., Bayesian optimization with inequality
constraints, 2014).  With several goals to beat the best is to be ahead of each known candidate in one of
them (maximin improvement, Svenson and Santner, 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import log
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from simulator.planning.evaluating import Candidate, Evaluated, Evaluator
from simulator.planning.gaussian import FLAT, Matrix, Process, Vector
from simulator.planning.goals import Goal
from simulator.planning.ranking import front_of, ranked
from simulator.planning.space import Space, is_ordered, place_of, told
from simulator.scenario.sweeps import Axis, Choices

Mask = NDArray[np.bool_]

MOST_LOOKED_AT: Final = 8192
"""Candidates among which the most promising are chosen: all of a space, else some from all over it."""

MOST_LEARNED_FROM: Final = 400
"""Candidates that are learned from, half of them the best: time grows with their cube."""

LOOKED_AROUND: Final = 5
"""Best candidates whose neighbours are looked at where not all of a space is."""

LEAST_CHANCE: Final = 0.02
"""Least probability that a candidate has a figure at all: few failures do not rule out a choice."""

LEAST_GAIN: Final = 1e-3
"""Part by which a goal must be better to count."""

FRONT_STEP: Final = 0.1
"""Part of the spread of a goal by which a candidate must be ahead of the front."""

FAINT: Final = 1e-3
"""Weight of steps smaller than that beside its chance."""

DRAWS: Final = 64
"""Draws of figures by which the chance to be ahead of the front is told."""


class Surface:
    """What is known of all candidates of a space from those that were run.

    Parameters
    ----------
    space : all candidates.
    evaluator : those that were run; read anew each time.
    seed : of what is looked at where not all of a space is.
    """

    def __init__(self, space: Space, evaluator: Evaluator, seed: int = 0) -> None:
        self._space = space
        self._evaluator = evaluator
        self._is_whole = space.size <= MOST_LOOKED_AT
        self._pool = list(space.all() if self._is_whole else islice(space.sampled(seed), MOST_LOOKED_AT))
        self._process = Process([*map(is_ordered, space.axes), *([False] if len(space.variants) > 1 else [])])

    def most_promising(self, most: int) -> list[Candidate]:
        """Return at most `most` candidates without runs, the most promising first.

        None is left where all that are looked at have runs.
        """
        order, ledger = ranked(self._evaluator), self._evaluator.ledger
        unknown = [each for each in self._looked_at(order) if each.key not in ledger]
        if most <= 0 or not unknown:
            return []
        score = self._score(order, self._places(unknown))
        return [unknown[place] for place in np.argsort(-score, kind="stable")[:most]]

    def _looked_at(self, order: Sequence[Evaluated]) -> Sequence[Candidate]:
        if self._is_whole:
            return self._pool
        around = [one for each in order[:LOOKED_AROUND] for one in self._space.neighbours(each.candidate)]
        return list({each.key: each for each in (*around, *self._pool)}.values())

    def _places(self, candidates: Sequence[Candidate]) -> Matrix:
        """Return where candidates lie on each axis, shape (candidates, axes)."""
        space = self._space
        columns = [_along(axis, [each.point.labels[axis.name] for each in candidates]) for axis in space.axes]
        if len(space.variants) > 1:
            columns.append(np.array([float(space.variants.index(each.variant)) for each in candidates]))
        return np.column_stack(columns)

    def _score(self, order: Sequence[Evaluated], places: Matrix) -> Vector:
        """Return the log-probability that candidates are what is looked for, shape (candidates,)."""
        wanted = self._evaluator.wanted
        learned = _learned_from(order)
        known = _Known(learned, self._places([each.candidate for each in learned]))
        runs = np.array([not each.reason for each in learned])
        score = self._chance(known, runs, places)
        ran = known.those(runs)
        for bound in wanted.bounds:
            score += self._chance_of_more(ran, bound.path, bound.value, bound.sign, places)
        best = [each for each in ran.candidates if each.meets(wanted)]
        if not best:
            return score
        if len(wanted.goals) > 1:
            return score + self._chance_to_lead(ran, front_of(best, wanted.goals), wanted.goals, places)
        goal = wanted.goals[0]
        least = best[0].mean(goal.path)
        least += goal.sign * LEAST_GAIN * abs(least)
        return score + self._chance_of_more(ran, goal.path, least, goal.sign, places)

    def _chance(self, known: _Known, holds: Mask, places: Matrix) -> Vector:
        """Return the log-probability of what holds for some of those that are known."""
        if holds.all():
            return np.zeros(len(places))
        mean, _ = self._process.told(known.places, holds.astype(np.float64), places)
        chance: Vector = np.log(np.clip(mean, LEAST_CHANCE, 1.0))
        return chance

    def _chance_of_more(self, ran: _Known, path: str, value: float, sign: int, places: Matrix) -> Vector:
        """Return the log-probability that a figure is more than `value`, or less where `sign` is -1."""
        figures = _Figures.of(ran, path, also=value)
        score = self._chance(ran, figures.there, places)
        if not len(figures.values):
            return score
        mean, deviation = self._process.told(figures.places, figures.values, places)
        chance: Vector = score + log_ndtr(sign * (mean - figures.scaled(value)) / deviation)
        return chance

    def _chance_to_lead(
        self, ran: _Known, leading: Sequence[Evaluated], goals: Sequence[Goal], places: Matrix
    ) -> Vector:
        """Return the log-probability to be ahead of each of those that lead in some goal.

        Steps of a tenth of what a goal varies by count; smaller ones decide where no larger one is likely.
        """
        generator = np.random.default_rng(0)
        drawn, reached = [], []
        for goal in goals:
            figures = _Figures.of(ran, goal.path)
            spread = float(figures.values.std())
            if spread <= FLAT * max(abs(float(figures.values.mean())), 1.0):
                continue  # no choice changes it
            mean, deviation = self._process.told(figures.places, figures.values, places)
            unit = -goal.sign * spread
            drawn.append((mean + deviation * generator.standard_normal((DRAWS, len(mean)))) / unit)
            reached.append([figures.scaled(each.mean(goal.path)) / unit for each in leading])
        if not drawn:
            return np.zeros(len(places))
        gain = np.full_like(drawn[0], np.inf)
        for its in zip(*reached, strict=True):
            ahead = [theirs - own for own, theirs in zip(drawn, its, strict=True)]
            gain = np.minimum(gain, np.maximum.reduce(ahead))
        less = FAINT * (FAINT + np.clip(gain, 0.0, 1.0).mean(axis=0))
        chance: Vector = np.log((gain > FRONT_STEP).mean(axis=0) + less)
        return chance


class _Known(NamedTuple):
    """Candidates that are learned from, and where they lie."""

    candidates: list[Evaluated]
    places: Matrix

    def those(self, mask: Mask) -> _Known:
        """Return some of them."""
        kept = [each for each, wanted in zip(self.candidates, mask, strict=True) if wanted]
        return _Known(kept, self.places[mask])


class _Figures(NamedTuple):
    """A figure of the candidates that have it, by its logarithm where it has one.

    Parameters
    ----------
    there : who has it, of those asked.
    places : of those that have it.
    values : of each of these.
    by_log : whether they are logarithms.
    """

    there: Mask
    places: Matrix
    values: Vector
    by_log: bool

    @classmethod
    def of(cls, ran: _Known, path: str, *, also: float = 1.0) -> _Figures:
        """Return the figure at `path`; `also` must have a logarithm, too, for logarithms."""
        means = np.array([each.mean(path) for each in ran.candidates], dtype=np.float64)
        there = np.isfinite(means)
        values = means[there]
        by_log = also > 0.0 and bool((values > 0.0).all())
        return cls(there, ran.places[there], np.log(values) if by_log else values, by_log)

    def scaled(self, value: float) -> float:
        """Return a value of the figure as `values` are."""
        return log(value) if self.by_log else value


def _learned_from(order: Sequence[Evaluated]) -> list[Evaluated]:
    """Return whom to learn from, of all by rank: the best, and some of the rest, as failures tell, too."""
    if len(order) <= MOST_LEARNED_FROM:
        return list(order)
    best = MOST_LEARNED_FROM // 2
    others = np.linspace(best, len(order) - 1, MOST_LEARNED_FROM - best).round().astype(int)
    return [*order[:best], *(order[place] for place in others.tolist())]


def _along(axis: Axis, labels: Sequence[Any]) -> Vector:
    """Return where labels lie on an axis, from 0 to 1."""
    if isinstance(axis, Choices):
        places = place_of(axis)
        return np.array([places[told(label)] for label in labels], dtype=np.float64) / max(len(places) - 1, 1)
    values: Vector = np.array([axis.low, axis.high, *labels], dtype=np.float64)
    if axis.log:
        values = np.log(values)
    along: Vector = (values[2:] - values[0]) / (values[1] - values[0])
    return along
