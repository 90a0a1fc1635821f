"""The highest or lowest value under which all limits hold, by halving a bracket.

One end of the bracket is known to meet the limits, the other to miss one.  Values whose figures are within
chance of a limit get more seeds before they count as one or the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

from simulator.planning.evaluating import Candidate, Evaluated, Evaluator
from simulator.planning.goals import Bound
from simulator.scenario.plans import Extreme
from simulator.sweeps.design import Point

MOST_HALVINGS: Final = 60


@dataclass(frozen=True)
class Try:
    """One value that was looked at.

    Parameters
    ----------
    value : of the path.
    known : what is known of it.
    holds : whether all limits hold in the mean.
    clear : whether no limit is within the interval of its figure; no where one seed gives no interval.
    """

    value: float
    known: Evaluated
    holds: bool
    clear: bool


@dataclass(frozen=True)
class Bracket:
    """The answer to a monotone question.

    Parameters
    ----------
    tries : all values that were looked at, in the order in which they were.
    good : the extreme value that holds; None if none does.
    bad : the nearest value that does not; None if all do.
    """

    tries: tuple[Try, ...]
    good: Try | None
    bad: Try | None


def bisect(
    extreme: Extreme,
    direction: Literal["highest", "lowest"],
    evaluator: Evaluator,
    *,
    step: int = 1,
    seeds: int,
    confidence: float,
) -> Bracket:
    """Return the extreme value and the bracket around it.

    Parameters
    ----------
    extreme : path, ends and tolerance.
    direction : which end is hard to meet: the high one for ``highest``.
    evaluator : simulates values.
    step : whole values differ from the ends by multiples of it.
    seeds : seeds that a value gets at most.
    confidence : level of the intervals that say whether a value is clear of its limits.
    """
    tries = list[Try]()

    def look(value: float) -> Try:
        candidate = _candidate(extreme, value)
        found = _tried(value, candidate, evaluator, seeds, confidence)
        tries.append(found)
        return found

    easy, hard = (extreme.low, extreme.high) if direction == "highest" else (extreme.high, extreme.low)
    good, bad = look(easy), look(hard)
    if not good.holds:
        return Bracket(tuple(tries), None, good)
    if bad.holds:
        return Bracket(tuple(tries), bad, None)
    for _ in range(MOST_HALVINGS):
        middle = _between(extreme, step, good.value, bad.value)
        if middle is None:
            break
        found = look(middle)
        good, bad = (found, bad) if found.holds else (good, found)
    return Bracket(tuple(tries), good, bad)


def _candidate(extreme: Extreme, value: float) -> Candidate:
    return Candidate(Point({extreme.path: value}, {extreme.path: value, **extreme.linked(value)}))


def _between(extreme: Extreme, step: int, one: float, other: float) -> float | None:
    """Return a value between two, by ratio; None where the bracket is as narrow as it is to be."""
    low, high = min(one, other), max(one, other)
    if extreme.whole:
        steps = round(((low * high) ** 0.5 - low) / step)
        middle = int(low) + step * min(max(steps, 1), (int(high - low) - 1) // step)
        return middle if low < middle < high else None
    if high - low <= extreme.tolerance_ratio * high:
        return None
    return float((low * high) ** 0.5)


def _tried(value: float, candidate: Candidate, evaluator: Evaluator, seeds: int, confidence: float) -> Try:
    """Simulate a value with as many seeds as it takes to tell, up to `seeds`."""
    bounds = evaluator.wanted.bounds
    for count in range(min(2, seeds), seeds + 1):
        known = evaluator.evaluate([candidate], count)[0]
        holds = not known.reason and not known.missed(bounds)
        clear = bool(known.reason) or all(_is_clear(known, bound, confidence) for bound in bounds)
        if clear:
            break
    return Try(value, known, holds, clear)


def _is_clear(known: Evaluated, bound: Bound, confidence: float) -> bool:
    """Say whether the interval of a figure lies on one side of its limit, or there is no such figure."""
    mean, half = known.mean(bound.path), known.half_width(bound.path, confidence)
    beyond = abs(mean - bound.value)
    return not isfinite(mean) or beyond > half or (half == 0.0 and beyond == 0.0)
