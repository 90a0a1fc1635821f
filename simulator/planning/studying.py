"""Candidates that a sampler of Optuna asks for, in a study that several processes may share."""

from __future__ import annotations

import hashlib
import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from simulator.errors import SimulatorError
from simulator.planning.evaluating import Candidate, Evaluator
from simulator.planning.space import Space, is_ordered
from simulator.scenario.plans import PlanSpec
from simulator.scenario.sweeps import Choice, Choices
from simulator.sweeps.jobs import code_sha256

if TYPE_CHECKING:
    import optuna

SURFACE_RATIO: Final = 0.5
"""Part of the runs that is kept for the candidates that a response surface holds most promising."""

AT_ONCE: Final = 4
"""Candidates asked of the sampler at a time: more keep more workers busy and learn less from each other.

The number does not depend on the workers, so the answer does not either.
"""

LIMITS: Final = "limits"
"""Name of the constraint that samplers see: the parts by which limits are missed, 0 where they are met."""

WORST: Final = 1e300
"""Stands for an infinite loss, which samplers do not take."""

PACKAGES: Final = ("optuna", "scipy", "threadpoolctl")
"""What the search needs, here and where it goes on."""

TRIES: Final = 8
"""Times that a study is opened: processes that make the tables of a new one together trip over each other."""

PAUSE_S: Final = 0.1
"""Wait before the second time, s; that before the third is twice as long, and so on."""

RACE: Final = re.compile(r"already exists|unique|duplicate", re.IGNORECASE)
"""What databases say of a table or a row that another process has just made."""

PASSWORD: Final = re.compile(r"(://[^:/@\s]*:)[^@\s]*@")


class StorageError(SimulatorError):
    """A storage of a study that cannot be used."""


def by_optuna(space: Space, spec: PlanSpec, evaluator: Evaluator, storage: Any) -> str:  # noqa: ANN401 - Optuna's
    """Evaluate candidates that a sampler asks for until its part of the runs is used up; return which it was.

    Parameters
    ----------
    space, spec, evaluator : as for `simulator.planning.searching.search`.
    storage : of the study: a URL, the path of a ``.log`` file, an object of Optuna, or None.

    Raises
    ------
    SimulatorError
        If Optuna is not installed.
    StorageError
        If the storage cannot be used, at the beginning or later on.
    """
    if lacking := [name for name in PACKAGES if find_spec(name) is None]:
        message = (
            f"plan: to search {space.size:,.0f} candidates takes {', '.join(lacking)}: pip install "
            f'"kinesim[plan]"; or let plan.runs reach all of them (it is {spec.runs})'
        )
        raise SimulatorError(message)
    import optuna  # noqa: PLC0415 - an extra, and slow to load

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = ("nsga2" if len(spec.goals) > 1 else "tpe") if spec.sampler == "auto" else spec.sampler
    with _storage_errors(storage):
        study = _study(optuna, spec, storage, _name(space, evaluator, sampler))
    budget = min(spec.runs, max(AT_ONCE, int(spec.runs * (1.0 - SURFACE_RATIO))))
    _ask(_Asker(optuna, study, spec, sampler, storage), space, evaluator, budget)
    if storage is not None:
        with _storage_errors(storage):
            best = _best_of_all(optuna, space, spec, study)
        evaluator.evaluate(best)
    return f"Optuna's {'NSGA-II' if sampler == 'nsga2' else 'TPE'}"


class _Asker:
    """A study that is asked for candidates, with the sampler that this process asks.

    Processes that share a study draw numbers of their own: the first trial of each has a number of its own,
    which is part of the sampler's seed.  Until it has one, a sampler without memory is asked.
    """

    def __init__(self, module: Any, study: optuna.Study, spec: PlanSpec, sampler: str, storage: Any) -> None:  # noqa: ANN401 - Optuna's
        self.study = study
        self.storage = storage
        self._module = module
        self._spec = spec
        self._sampler = sampler
        self._begun = False

    def ask(self, number: int) -> list[optuna.Trial]:
        trials = [self.study.ask()]
        if not self._begun:
            self._begun = True
            self.study.sampler = _sampler(self._module, self._spec, self._sampler, trials[0].number)
        return [*trials, *(self.study.ask() for _ in range(number - 1))]


def _ask(asker: _Asker, space: Space, evaluator: Evaluator, budget: int) -> None:
    study, fruitless = asker.study, 0
    while fruitless < budget:
        with _storage_errors(asker.storage):
            spent = evaluator.runs if asker.storage is None else len(study.get_trials(deepcopy=False))
            if spent >= budget:
                return
            trials = asker.ask(min(AT_ONCE, budget - spent))
            asked = [_suggested(space, trial) for trial in trials]
        before = evaluator.runs
        found = evaluator.evaluate(asked)
        with _storage_errors(asker.storage):
            for trial, each in zip(trials, found, strict=True):
                trial.set_constraint(LIMITS, each.violation(evaluator.wanted.bounds))
                study.tell(trial, [min(each.loss(goal), WORST) for goal in evaluator.wanted.goals])
        fruitless = fruitless + AT_ONCE if evaluator.runs == before else 0


@contextmanager
def _storage_errors(storage: object) -> Iterator[None]:
    """Turn what a storage raises, of whichever database, into one line that names it without its password."""
    try:
        yield
    except SimulatorError:
        raise
    except Exception as error:
        if storage is None:
            raise
        logging.getLogger("kinesim").debug("storage", exc_info=True)
        told = str(error).strip().split("\n")[0]
        if isinstance(error, ImportError) and error.__cause__ is not None:
            told = f"{error.__cause__}; install it"
        elif "Could not parse" in told:
            told = "expected a URL, such as sqlite:///study.db, or a file that ends in .log"
        message = PASSWORD.sub(r"\1***@", f"--storage {storage}: cannot be used for a study: {told}")
        raise StorageError(message) from error


def _name(space: Space, evaluator: Evaluator, sampler: str) -> str:
    """Return a name that studies of other scenarios, programs, choices, goals or limits do not have."""
    told = repr((evaluator.base.sha256, code_sha256(), space, evaluator.wanted, sampler))
    return f"kinesim-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _best_of_all(module: Any, space: Space, spec: PlanSpec, study: optuna.Study) -> list[Candidate]:  # noqa: ANN401 - the module
    """Return the best candidates that any process has found."""
    done = study.get_trials(deepcopy=False, states=(module.trial.TrialState.COMPLETE,))
    best = sorted(done, key=lambda trial: (trial.constraints.get(LIMITS, 0.0), trial.values))
    found = [_suggested(space, module.trial.FixedTrial(trial.params)) for trial in best]
    return list({each.key: each for each in found}.values())[: spec.finalists]


def _study(module: Any, spec: PlanSpec, storage: object, name: str) -> optuna.Study:  # noqa: ANN401 - the module
    for attempt in range(1, TRIES):
        try:
            return _opened_study(module, spec, storage, name)
        except Exception as error:
            if not RACE.search(str(error)):
                raise
            time.sleep(PAUSE_S * attempt)
    return _opened_study(module, spec, storage, name)


def _opened_study(module: Any, spec: PlanSpec, storage: object, name: str) -> optuna.Study:  # noqa: ANN401 - the module
    study: optuna.Study = module.create_study(
        study_name=name,
        storage=_opened(module, storage),
        sampler=module.samplers.RandomSampler(seed=spec.search_seed),
        directions=["minimize"] * len(spec.goals),
        load_if_exists=True,
    )
    return study


def _sampler(module: Any, spec: PlanSpec, name: str, first: int) -> Any:  # noqa: ANN401 - the module
    """Return a sampler whose seed rests on the number of the first trial that a process asks for."""
    seed = (spec.search_seed + first) % 2**32
    if name == "nsga2":
        return module.samplers.NSGAIISampler(seed=seed)
    with warnings.catch_warnings():  # both options are called experimental
        warnings.simplefilter("ignore", module.exceptions.ExperimentalWarning)
        return module.samplers.TPESampler(
            seed=seed, multivariate=True, constant_liar=True, n_startup_trials=max(10, spec.runs // 8)
        )


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
