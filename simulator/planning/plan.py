"""One call from a scenario to the answer of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from simulator.errors import ScenarioError
from simulator.planning.answering import Answer, Effect, binding_limits, effects_of, nearest_miss
from simulator.planning.bisecting import Bracket, bisect
from simulator.planning.evaluating import Evaluator
from simulator.planning.goals import Bound, wanted_of
from simulator.planning.searching import Space, confirm, search
from simulator.scenario.loader import Resolved
from simulator.scenario.overrides import Overrides
from simulator.scenario.plans import PlanSpec
from simulator.scenario.sweeps import Axis, SweepSpec
from simulator.sweeps.checking import refuse_wrong_values
from simulator.sweeps.design import overlaps
from simulator.sweeps.files import anchored
from simulator.sweeps.jobs import Base, base_of
from simulator.sweeps.running import open_pool
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
    spec = spec_of(resolved.scenario.plan, asked or {})
    wanted = wanted_of(spec)
    variants = base.variants or ("",)
    axes = _checked_axes(spec, base, resolved)
    confidence = resolved.scenario.report.confidence_ratio
    kept = None if store is None else Store(Path(store))
    with open_pool(workers, dask, executor) as pool:
        evaluator = Evaluator(base, wanted, pool, kept, progress)
        if not spec.goals:
            return _monotone(spec, evaluator, variants[0], confidence)
        name = f"kinesim-{base.sha256[:16]}"
        space = Space(axes, variants)
        how = search(space, spec, evaluator, storage=storage, name=name)
        more = Evaluator(base, wanted, pool, kept, _after(progress, evaluator))
        return _best(space, spec, how, (evaluator, more), confidence)


def _best(
    space: Space, spec: PlanSpec, how: str, evaluators: tuple[Evaluator, Evaluator], confidence: float
) -> Answer:
    """Return the answer to a search: `evaluators` are that of the candidates, and one for other inputs."""
    evaluator, more = evaluators
    wanted = evaluator.wanted
    confirmed = [each for each in confirm(spec, evaluator) if not each.missed(wanted.bounds)]
    ledger = tuple(evaluator.ledger.values())
    binding: Mapping[Bound, float] = {}
    effects: tuple[Effect, ...] = ()
    if confirmed:
        binding = binding_limits(evaluator, confirmed[0])
        effects = effects_of(space, spec, more, confirmed[0], wanted.goals[0])
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


MOST_TRIED: Final = 20
"""Candidates beside whose values a wrong one is tried."""


def _after(progress: Callable[[int], None] | None, first: Evaluator) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda more: progress(first.runs + more)


def _monotone(spec: PlanSpec, evaluator: Evaluator, variant: str, confidence: float) -> Answer:
    direction: Literal["highest", "lowest"] = "highest" if spec.highest is not None else "lowest"
    extreme = spec.highest or spec.lowest
    if extreme is None:
        message = "plan: says neither what is to be made small or large, nor highest or lowest"
        raise ScenarioError(message)
    bracket: Bracket = bisect(
        extreme, direction, evaluator, seeds=spec.seeds, confidence=confidence, variant=variant
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


def spec_of(own: PlanSpec | None, asked: Mapping[str, object]) -> PlanSpec:
    """Return what is asked: what the scenario says, with what is given over it.

    Raises
    ------
    ScenarioError
        If it is incomplete or contradicts itself.
    """
    start: dict[str, Any] = {} if own is None else own.model_dump(by_alias=True, exclude_unset=True)
    given = {name: value for name, value in asked.items() if value is not None}
    questions = ("minimise", "maximise", "highest", "lowest")
    if given.keys() & set(questions):
        start = {name: value for name, value in start.items() if name not in questions}
    for name in ("constraints", "choices"):
        if name in given:
            given[name] = {**(start.get(name) or {}), **given[name]}  # type: ignore[dict-item] # checked below
    try:
        return PlanSpec.model_validate({**start, **given})
    except ValidationError as error:
        faults = []
        for each in error.errors():
            where = ".".join(["plan", *map(str, each["loc"])])
            faults.append(f"{where}: {each['msg'].removeprefix('Value error, ')}")
        raise ScenarioError(faults) from error


def _checked_axes(spec: PlanSpec, base: Base, resolved: Resolved) -> tuple[Axis, ...]:
    """Return the axes of a plan; refuse paths and values that the scenario cannot have."""
    paths = {} if spec.choices is None else dict(spec.choices)
    for extreme in (spec.highest, spec.lowest):
        if extreme is not None:
            ends = [extreme.low, extreme.high]
            paths[extreme.path] = ends
            paths |= {path: [end * factor for end in ends] for path, factor in extreme.with_.items()}
    if not paths:
        return ()
    axes = anchored(SweepSpec(axes=paths).parsed, resolved)
    faults = list(overlaps(axes))
    if faults:
        raise ScenarioError([fault.replace("sweep.axes", "plan.choices") for fault in faults])
    points = [each.point for each in islice(Space(axes, ("",)).sampled(), MOST_TRIED)]
    refuse_wrong_values(base, axes, points, resolved, section=("plan", "choices"), option="--choice")
    return axes if spec.choices is not None else ()
