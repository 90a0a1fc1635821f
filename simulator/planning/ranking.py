"""Which candidates are better: by limits first, then by the goal, or by the front of several goals."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from simulator.planning.evaluating import Evaluated, Evaluator
from simulator.planning.goals import Goal

Losses = tuple[float, ...]


def ranked(evaluator: Evaluator, *, fewest_seeds: int = 1) -> list[Evaluated]:
    """Return the candidates with enough seeds, the best first; those that miss a limit after all others.

    With several goals those that no other one beats come first, then those that only they beat, and so on.
    """
    bounds, goals = evaluator.wanted.bounds, evaluator.wanted.goals
    found = [each for each in evaluator.ledger.values() if each.reason or each.seeds >= fewest_seeds]
    violations = [each.violation(bounds) for each in found]
    losses = [losses_of(each, goals) for each in found]
    fronts = [0] * len(found)
    if len(goals) > 1:
        met = [place for place, violation in enumerate(violations) if not violation]
        for place, front in zip(met, fronts_of([losses[place] for place in met]), strict=True):
            fronts[place] = front
    order = sorted(range(len(found)), key=lambda place: (violations[place], fronts[place], losses[place]))
    return [found[place] for place in order]


def losses_of(one: Evaluated, goals: Sequence[Goal]) -> Losses:
    """Return the figures of the goals, so that less is better."""
    return tuple(one.loss(goal) for goal in goals)


def beats(one: Losses, other: Losses) -> bool:
    """Say whether losses are no worse in any goal and better in one."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def front_of(candidates: Sequence[Evaluated], goals: Sequence[Goal]) -> list[Evaluated]:
    """Return those that no other one beats."""
    fronts = fronts_of([losses_of(each, goals) for each in candidates])
    return [each for each, front in zip(candidates, fronts, strict=True) if not front]


def fronts_of(losses: Sequence[Losses]) -> list[int]:
    """Return in which front each is: none beats those of 0, only those of 0 beat those of 1, and so on.

    In lexicographic order only earlier ones beat one, and who is beaten in a front is beaten in all before
    it: the first front in which nobody beats it is bisected for (ENS-BS: Zhang et al., 2015).
    """
    fronts = list[list[Losses]]()
    found = [0] * len(losses)
    for place in sorted(range(len(losses)), key=losses.__getitem__):
        own = losses[place]
        number = bisect_left(
            fronts, 1, key=lambda front: not any(beats(each, own) for each in reversed(front))
        )
        if number == len(fronts):
            fronts.append([])
        fronts[number].append(own)
        found[place] = number
    return found
