"""The search for the best candidates: all of them where that is affordable, else Optuna and its neighbours.

One seed tells candidates roughly apart; the best ones are run again with more seeds before any of them is
called the best.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from simulator.errors import SimulatorError
from simulator.planning.evaluating import Candidate, Evaluated, Evaluator
from simulator.planning.goals import Goal
from simulator.scenario.plans import PlanSpec
from simulator.scenario.sweeps import Axis, Choice, Choices, Interval
from simulator.sweeps.design import Point

if TYPE_CHECKING:
    import optuna

LOCAL_RATIO: Final = 0.3
"""Part of the runs that is kept for the neighbours of the best candidate found."""

AT_ONCE: Final = 4
"""Candidates asked of the sampler at a time: more keep more workers busy and learn less from each other.

The number does not depend on the workers, so the answer does not either.
"""

FRONT: Final = 4
"""Times as many candidates that get all seeds where there are several goals."""

LIMITS: Final = "limits"
"""Name of the constraint that samplers see: the parts by which limits are missed, 0 where they are met."""

WORST: Final = 1e300
"""Stands for an infinite loss, which samplers do not take."""


class StorageError(SimulatorError):
    """A storage of a study that cannot be used."""


@dataclass(frozen=True)
class Space:
    """All candidates: one value of each axis, one of the variants.

    Parameters
    ----------
    axes : what may be chosen.
    variants : names of the scenario's variants, or one empty name.
    """

    axes: tuple[Axis, ...]
    variants: tuple[str, ...]

    @property
    def size(self) -> float:
        """Number of candidates; infinite where an axis is an interval of fractions."""
        return prod(_size(axis) for axis in self.axes) * len(self.variants)

    def all(self) -> Iterator[Candidate]:
        """Yield every candidate of a finite space."""
        for choices in product(*(_choices(axis) for axis in self.axes)):
            for variant in self.variants:
                yield self.candidate(choices, variant)

    def sampled(self) -> Iterator[Candidate]:
        """Yield candidates drawn from all over the space, the same each time, without end."""
        generator = np.random.default_rng(0)
        while True:
            choices = [axis.at(float(generator.random())) for axis in self.axes]
            yield self.candidate(choices, self.variants[0])

    def candidate(self, choices: Sequence[Choice], variant: str) -> Candidate:
        """Return the candidate with these values."""
        labels = {axis.name: choice.label for axis, choice in zip(self.axes, choices, strict=True)}
        changes = {path: value for choice in choices for path, value in choice.changes.items()}
        return Candidate(Point(labels, changes), variant)

    def neighbours(self, candidate: Candidate) -> Iterator[Candidate]:
        """Yield candidates that differ in one axis: by a place of ordered values, by any of the others."""
        current = [self._current(axis, candidate) for axis in self.axes]
        for place, axis in enumerate(self.axes):
            for choice in _beside(axis, current[place]):
                yield self.candidate([*current[:place], choice, *current[place + 1 :]], candidate.variant)
        for variant in self.variants:
            if variant != candidate.variant:
                yield self.candidate(current, variant)

    @staticmethod
    def _current(axis: Axis, candidate: Candidate) -> Choice:
        label = candidate.point.labels[axis.name]
        if isinstance(axis, Interval):
            return Choice(label, {axis.name: label})
        return next(choice for choice in axis.choices if choice.label == label)


def _size(axis: Axis) -> float:
    if isinstance(axis, Choices):
        return len(axis.choices)
    return axis.high - axis.low + 1 if axis.whole else inf


def _choices(axis: Axis) -> Sequence[Choice]:
    if isinstance(axis, Choices):
        return axis.choices
    return [Choice(value, {axis.name: value}) for value in range(int(axis.low), int(axis.high) + 1)]


def is_ordered(axis: Axis) -> bool:
    """Say whether the values of an axis are numbers in ascending or descending order."""
    if isinstance(axis, Interval):
        return True
    labels = [choice.label for choice in axis.choices]
    numbers = [label for label in labels if isinstance(label, int | float) and not isinstance(label, bool)]
    return len(numbers) == len(labels) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _beside(axis: Axis, current: Choice) -> list[Choice]:
    if isinstance(axis, Interval):
        steps = [float(current.label) * ratio for ratio in (0.9, 1.1)]  # an interval's labels are numbers
        if axis.whole:
            steps = [float(current.label) - 1, float(current.label) + 1]
        kept = [round(step) if axis.whole else step for step in steps if axis.low <= step <= axis.high]
        return [Choice(value, {axis.name: value}) for value in kept]
    place = next(at for at, choice in enumerate(axis.choices) if choice.label == current.label)
    if is_ordered(axis):
        return [axis.choices[at] for at in (place - 1, place + 1) if 0 <= at < len(axis.choices)]
    return [choice for choice in axis.choices if choice.label != current.label]


def search(
    space: Space,
    spec: PlanSpec,
    evaluator: Evaluator,
    *,
    storage: Any = None,  # noqa: ANN401 - Optuna's storages, by URL or object
    name: str = "plan",
) -> str:
    """Evaluate candidates until the runs of the plan are used up, or all are known; return how.

    Parameters
    ----------
    space : all candidates.
    spec : how many runs, which sampler.
    evaluator : simulates and remembers them.
    storage : of an Optuna study, so that it can be continued or shared; None keeps it in memory.
    name : of the study.

    Raises
    ------
    SimulatorError
        If Optuna is needed and not installed, or its storage cannot be used.
    """
    if spec.sampler == "exhaustive" or (spec.sampler == "auto" and space.size <= spec.runs):
        if space.size == inf:
            message = "plan.sampler: exhaustive needs lists of values, not intervals"
            raise SimulatorError(message)
        evaluator.evaluate(space.all())
        return f"all {space.size:,.0f} candidates"
    sampler = spec.sampler
    if sampler == "auto":
        sampler = "nsga2" if len(spec.goals) > 1 else "tpe"
    told = _by_optuna(space, spec, evaluator, _Shared(sampler, storage, name))
    _around_best(space, spec, evaluator)
    return f"{len(evaluator.ledger):,} of {space.size:,.0f} candidates, {told}, then neighbours of the best"


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


def _around_best(space: Space, spec: PlanSpec, evaluator: Evaluator) -> None:
    """Evaluate the neighbours of the best candidate until none is better, or the runs are used up."""
    looked = set[tuple[str, str]]()
    while evaluator.runs < spec.runs:
        best = next(
            (each for each in ranked(evaluator)[: spec.finalists] if each.candidate.key not in looked), None
        )
        if best is None:
            return
        looked.add(best.candidate.key)
        new = [each for each in space.neighbours(best.candidate) if each.key not in evaluator.ledger]
        evaluator.evaluate(new[: spec.runs - evaluator.runs])


@dataclass(frozen=True)
class _Shared:
    """Which study is searched: its sampler, storage and name."""

    sampler: str
    storage: Any
    name: str


def _by_optuna(space: Space, spec: PlanSpec, evaluator: Evaluator, shared: _Shared) -> str:
    try:
        import optuna  # noqa: PLC0415 - an extra, and slow to load
    except ImportError as error:
        message = (
            f'plan: {space.size:,.0f} candidates are searched with Optuna: pip install "kinesim[plan]"; or '
            f"let plan.runs reach all of them (it is {spec.runs})"
        )
        raise SimulatorError(message) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _study(optuna, spec, shared)
    budget = max(AT_ONCE, int(spec.runs * (1.0 - LOCAL_RATIO)))
    fruitless = 0
    while _spent(study, evaluator, shared=shared.storage is not None) < budget and fruitless < budget:
        trials = [study.ask() for _ in range(AT_ONCE)]
        asked = [_suggested(space, trial) for trial in trials]
        before = evaluator.runs
        for trial, each in zip(trials, evaluator.evaluate(asked), strict=True):
            trial.set_constraint(LIMITS, each.violation(evaluator.wanted.bounds))
            study.tell(trial, [min(each.loss(goal), WORST) for goal in evaluator.wanted.goals])
        fruitless = fruitless + AT_ONCE if evaluator.runs == before else 0
    if shared.storage is not None:
        evaluator.evaluate(_best_of_all(optuna, space, spec, study))
    return f"Optuna's {'NSGA-II' if shared.sampler == 'nsga2' else 'TPE'}"


def _spent(study: optuna.Study, evaluator: Evaluator, *, shared: bool) -> int:
    """Return the runs made so far, by all processes where they share a study."""
    return len(study.get_trials(deepcopy=False)) if shared else evaluator.runs


def _best_of_all(module: Any, space: Space, spec: PlanSpec, study: optuna.Study) -> list[Candidate]:  # noqa: ANN401 - the module
    """Return the best candidates that any process has found."""
    done = study.get_trials(deepcopy=False, states=(module.trial.TrialState.COMPLETE,))
    best = sorted(done, key=lambda trial: (trial.constraints.get(LIMITS, 0.0), trial.values))
    found = [_suggested(space, module.trial.FixedTrial(trial.params)) for trial in best]
    return list({each.key: each for each in found}.values())[: spec.finalists]


def _study(module: Any, spec: PlanSpec, shared: _Shared) -> optuna.Study:  # noqa: ANN401 - the module
    if shared.sampler == "nsga2":
        chosen: Any = module.samplers.NSGAIISampler(seed=spec.search_seed)
    else:
        startup = max(10, spec.runs // 8)
        with warnings.catch_warnings():  # both options are called experimental
            warnings.simplefilter("ignore", module.exceptions.ExperimentalWarning)
            chosen = module.samplers.TPESampler(
                seed=spec.search_seed, multivariate=True, constant_liar=True, n_startup_trials=startup
            )
    try:
        study: optuna.Study = module.create_study(
            study_name=shared.name,
            storage=_opened(module, shared.storage),
            sampler=chosen,
            directions=["minimize"] * len(spec.goals),
            load_if_exists=True,
        )
    except Exception as error:
        logging.getLogger("kinesim").debug("storage", exc_info=True)
        message = f"--storage {shared.storage}: cannot be used for a study: {error}"
        raise StorageError(message) from error
    return study


def _opened(module: Any, storage: object) -> Any:  # noqa: ANN401 - Optuna's storages have no common type
    """Return a storage: a URL as it is, the path of a ``.log`` file as a journal."""
    if isinstance(storage, str) and storage.endswith(".log"):
        return module.storages.JournalStorage(module.storages.journal.JournalFileBackend(storage))
    return storage


def _suggested(space: Space, trial: optuna.Trial) -> Candidate:
    choices = []
    for axis in space.axes:
        if isinstance(axis, Choices):
            count = len(axis.choices)
            if is_ordered(axis):
                choices.append(axis.choices[trial.suggest_int(axis.name, 0, count - 1)])
            else:
                choices.append(axis.choices[trial.suggest_categorical(axis.name, list(range(count)))])
        elif axis.whole:
            value = trial.suggest_int(axis.name, int(axis.low), int(axis.high), log=axis.log)
            choices.append(Choice(value, {axis.name: value}))
        else:
            fraction = trial.suggest_float(axis.name, float(axis.low), float(axis.high), log=axis.log)
            choices.append(Choice(fraction, {axis.name: fraction}))
    variant = space.variants[0]
    if len(space.variants) > 1:
        variant = trial.suggest_categorical("variant", list(space.variants))
    return space.candidate(choices, variant)


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
