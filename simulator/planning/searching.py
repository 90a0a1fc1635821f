"""The search for the best candidates: all where that is affordable, else Optuna and a response surface.

One seed tells candidates roughly apart; the best ones are run again with more seeds before any of them is
called the best.
"""

from __future__ import annotations

from math import ceil, inf
from typing import Any, Final

from simulator.errors import ScenarioError
from simulator.planning.evaluating import Evaluated, Evaluator
from simulator.planning.ranking import ranked
from simulator.planning.space import Space
from simulator.planning.studying import AT_ONCE, SURFACE_RATIO, by_optuna
from simulator.scenario.plans import PlanSpec

MOST_CANDIDATES: Final = 100_000
"""Candidates that are all tried: at ten a second three hours."""

FRONT: Final = 4
"""Times as many candidates that get all seeds where there are several goals."""


def search(
    space: Space,
    spec: PlanSpec,
    evaluator: Evaluator,
    *,
    storage: Any = None,  # noqa: ANN401 - Optuna's storages, by URL or object
) -> str:
    """Evaluate candidates until the runs of the plan are used up, or all are known; return how.

    Parameters
    ----------
    space : all candidates.
    spec : how many runs, which sampler.
    evaluator : simulates and remembers them.
    storage : of an Optuna study, so that it can be continued or shared; None keeps it in memory.

    Raises
    ------
    SimulatorError
        If Optuna is needed and not installed, its storage cannot be used, or there are too many candidates to
        try all.
    """
    if spec.sampler == "exhaustive" or (spec.sampler == "auto" and space.size <= spec.runs):
        _refuse_endless(space)
        evaluator.evaluate(space.all())
        return f"all {space.size:,.0f} candidates"
    told = by_optuna(space, spec, evaluator, storage)
    before = evaluator.runs
    # Who joins a study late has few runs of its own by now: the surface's part is left to it.
    part = spec.runs if storage is None else ceil(spec.runs * SURFACE_RATIO)
    _by_surface(space, spec, evaluator, min(spec.runs, before + part))
    then = ", then a response surface" if evaluator.runs > before else ""
    return f"{len(evaluator.ledger):,} of {space.size:,.0f} candidates, {told}{then}"


def _refuse_endless(space: Space) -> None:
    if space.size == inf:
        message = "plan.sampler: exhaustive needs lists of values, not intervals"
        raise ScenarioError(message)
    if space.size > MOST_CANDIDATES:
        message = (
            f"plan: all {space.size:,.0f} candidates are more than {MOST_CANDIDATES:,}; let a sampler look "
            "for the best of them (sampler: tpe, runs: 500), or give fewer choices"
        )
        raise ScenarioError(message)


def _by_surface(space: Space, spec: PlanSpec, evaluator: Evaluator, most: int) -> None:
    """Evaluate the candidates that promise most until runs or candidates that are looked at are used up.

    Parameters
    ----------
    space, spec, evaluator : as for `search`.
    most : runs, those made before among them.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415 - of the same extra

    from simulator.planning.surface import Surface  # noqa: PLC0415 - scipy is an extra, and slow to load

    surface = Surface(space, evaluator, spec.search_seed)
    while True:
        # Threads of the linear algebra spin as they wait: beside workers that takes ten times as long.
        with threadpool_limits(limits=1, user_api="blas"):
            new = surface.most_promising(min(AT_ONCE, most - evaluator.runs))
        if not new:
            return
        evaluator.evaluate(new)


def confirm(spec: PlanSpec, evaluator: Evaluator) -> list[Evaluated]:
    """Run the best candidates with all seeds until the best ones have them; return those, the best first.

    With more seeds the order of candidates may change, so it is asked again until the first
    `finalists` are all confirmed (with several goals, four times as many: a front has many members).
    Then those without all seeds are out of the question.
    """
    finalists = spec.finalists * (FRONT if len(evaluator.wanted.goals) > 1 else 1)
    while True:
        best = [each for each in ranked(evaluator) if not each.reason][:finalists]
        missing = [each.candidate for each in best if each.seeds < spec.seeds]
        if not missing:
            return [each for each in ranked(evaluator, fewest_seeds=spec.seeds) if not each.reason]
        evaluator.evaluate(missing, spec.seeds)
