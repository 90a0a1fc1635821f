"""Which candidates are better: by limits first, then by the goal, or by the front of several goals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.planning.evaluating import Evaluated, Evaluator
from simulator.planning.goals import Goal


def ranked(evaluator: Evaluator, *, fewest_seeds: int = 1) -> list[Evaluated]:
    """Return the candidates with enough seeds, the best first; those that miss a limit after all others.

    With several goals those that no other one beats come first, then those that only they beat, and so on.
    """
    bounds, goals = evaluator.wanted.bounds, evaluator.wanted.goals
    found = [each for each in evaluator.ledger.values() if each.reason or each.seeds >= fewest_seeds]
    if len(goals) > 1:
        met = [each for each in found if not each.violation(bounds)]
        fronts = {id(each): place for place, front in enumerate(_fronts(met, goals)) for each in front}
    else:
        fronts = {}
    return sorted(
        found,
        key=lambda each: (
            each.violation(bounds),
            fronts.get(id(each), 0),
            *(each.loss(goal) for goal in goals),
        ),
    )


def beats(one: Evaluated, other: Evaluated, goals: Sequence[Goal]) -> bool:
    """Say whether a candidate is no worse in any goal and better in one."""
    pairs = [(one.loss(goal), other.loss(goal)) for goal in goals]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _fronts(candidates: Sequence[Evaluated], goals: Sequence[Goal]) -> Iterator[list[Evaluated]]:
    """Yield those that none beats, then those that none of the rest beats, and so on."""
    left = list(candidates)
    while left:
        front = [each for each in left if not any(beats(other, each, goals) for other in left)]
        yield front
        kept = {id(each) for each in front}
        left = [each for each in left if id(each) not in kept]
