"""One call from a scenario to the answer of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal

from simulator.errors import ScenarioError
from simulator.planning.answering import Answer, Effect, binding_limits, effects_of, nearest_miss
from simulator.planning.asking import Question, question_of
from simulator.planning.bisecting import Bracket, bisect
from simulator.planning.evaluating import Evaluator
from simulator.planning.goals import Bound
from simulator.planning.searching import confirm, search
from simulator.planning.space import Space
from simulator.scenario.overrides import Overrides
from simulator.sweeps.checking import unreached
from simulator.sweeps.handing_out import open_pool
from simulator.sweeps.jobs import base_of
from simulator.sweeps.store import Store


def plan(
    source: str | Path | Mapping[str, object],
    *,
    overrides: Overrides = (),
    asked: Mapping[str, object] | None = None,
    store: str | Path | None = None,
    storage: Any = None,  # noqa: ANN401 - Optuna's storages, by URL or object
    workers: int = 1,
    dask: str | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
) -> Answer:
    """Find the best choice under limits, or the extreme value that they allow.

    Parameters
    ----------
    source, overrides : the scenario, as for `load_scenario`; its section ``plan`` says what is asked.
    asked : fields of `PlanSpec`, in place of those of the scenario or added to its constraints and choices.
    store : folder that keeps every run; a plan that was ended goes on from there.
    storage : of the Optuna study: a URL, or the path of a ``.log`` file; for processes that share one.
    workers, dask, executor : where runs are made, as for `simulator.sweep`.
    progress : called with the number of runs made so far.

    Returns
    -------
    Answer
        The same for any number of workers, as long as `storage` is not shared.

    Raises
    ------
    ScenarioError
        If the scenario or what is asked is wrong or contradicts itself; before anything runs.
    StoreError, StorageError, ExecutorError
        If one of these cannot be used.

    Examples
    --------
    >>> from simulator import plan
    >>> answer = plan(
    ...     "quickstart",
    ...     overrides={"workload.tasks.repeats": 1, "variants": None},
    ...     asked={"minimise": ["cost"], "choices": {"workload.strategy.trials": [1, 4]}, "seeds": 1},
    ... )
    >>> answer.how, answer.best[0].candidate.labels
    ('all 2 candidates', {'workload.strategy.trials': 4})
    """
    base, resolved = base_of(source, overrides)
    question = question_of(base, resolved, asked or {})
    if idle := list(unreached(base, question.axes)):
        raise ScenarioError([f"a choice without effect: {each}" for each in idle])
    spec, wanted = question.spec, question.wanted
    confidence = resolved.scenario.report.confidence_ratio
    kept = None if store is None else Store(Path(store))
    with open_pool(workers, dask, executor) as pool:
        evaluator = Evaluator(base, wanted, pool, kept, progress)
        if not spec.goals:
            return _monotone(question, evaluator, confidence)
        space = Space(question.axes, base.variants or ("",))
        how = search(space, spec, evaluator, storage=storage)
        more = evaluator.beside(_after(progress, evaluator))
        return _best(space, question, how, (evaluator, more), confidence)


def _best(
    space: Space, question: Question, how: str, evaluators: tuple[Evaluator, Evaluator], confidence: float
) -> Answer:
    """Return the answer to a search: `evaluators` are that of the candidates, and one for other inputs."""
    evaluator, more = evaluators
    spec, wanted = question.spec, question.wanted
    confirmed = [each for each in confirm(spec, evaluator) if each.meets(wanted)]
    ledger = tuple(evaluator.ledger.values())
    binding: Mapping[Bound, float] = {}
    effects: tuple[Effect, ...] = ()
    if confirmed:
        binding = binding_limits(evaluator, confirmed[0])
        effects = effects_of(space, question, more, confirmed[0])
    return Answer(
        spec=spec,
        wanted=wanted,
        how=how,
        best=tuple(confirmed),
        nearest=None if confirmed else nearest_miss(evaluator),
        binding=binding,
        effects=effects,
        bracket=None,
        ledger=ledger,
        runs=evaluator.runs + more.runs,
        kept=evaluator.kept + more.kept,
        confidence_ratio=confidence,
    )


def _after(progress: Callable[[int], None] | None, first: Evaluator) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda more: progress(first.runs + more)


def _monotone(question: Question, evaluator: Evaluator, confidence: float) -> Answer:
    spec = question.spec
    direction: Literal["highest", "lowest"] = "highest" if spec.highest is not None else "lowest"
    extreme = spec.highest or spec.lowest
    if extreme is None:
        message = "plan: says neither what is to be made small or large, nor highest or lowest"
        raise ScenarioError(message)
    bracket: Bracket = bisect(
        extreme, direction, evaluator, step=question.step, seeds=spec.seeds, confidence=confidence
    )
    return Answer(
        spec=spec,
        wanted=evaluator.wanted,
        how=f"bisection, {len(bracket.tries)} values",
        best=(),
        nearest=None,
        binding={},
        effects=(),
        bracket=bracket,
        ledger=tuple(evaluator.ledger.values()),
        runs=evaluator.runs,
        kept=evaluator.kept,
        confidence_ratio=confidence,
    )
