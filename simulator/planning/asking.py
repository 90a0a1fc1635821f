"""What a plan is asked, put together from its scenario and options and checked before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil, floor, lcm
from typing import Any, Final

from pydantic import ValidationError

from simulator.errors import ScenarioError, SimulatorError
from simulator.planning.goals import KNOWN, Bound, Wanted, wanted_of
from simulator.planning.reaching import refuse_unreachable
from simulator.planning.space import Space
from simulator.scenario.loader import Resolved, vary
from simulator.scenario.located import Located
from simulator.scenario.plans import Extreme, PlanSpec, path_of
from simulator.scenario.sweeps import Axis, axis_of
from simulator.sweeps.checking import refuse_wrong_values
from simulator.sweeps.design import overlaps
from simulator.sweeps.files import anchored
from simulator.sweeps.jobs import Base, document_of

MOST_TRIED: Final = 20
"""Candidates beside whose values a wrong one is tried."""

TAKEN: Final = frozenset({"meets", "violation", *KNOWN})
"""Columns of the ledger that are no choices, beside those of a sweep."""


@dataclass(frozen=True)
class Question:
    """What a plan is asked.

    Parameters
    ----------
    spec : goals, limits, choices.
    wanted : its figures.
    axes : its choices.
    inputs : what is varied around the best plan, where that is said.
    step : difference of whole values of an extreme at which whole numbers linked to it stay whole.
    """

    spec: PlanSpec
    wanted: Wanted
    axes: tuple[Axis, ...]
    inputs: tuple[Axis, ...]
    step: int = 1


def question_of(base: Base, resolved: Resolved, asked: Mapping[str, object]) -> Question:
    """Return what is asked of a scenario.

    Parameters
    ----------
    base, resolved : the scenario.
    asked : fields of `PlanSpec`, in place of those of the scenario or added to its constraints and choices.

    Raises
    ------
    ScenarioError
        With every figure, limit, path and value that is wrong, and where it stands.
    """
    spec = spec_of(resolved.scenario.plan, asked)
    places = _Places(resolved, asked)
    faults = list[str]()
    wanted, axes, inputs = Wanted((), ()), tuple[Axis, ...](), tuple[Axis, ...]()
    extremes = [(name, one) for name in ("highest", "lowest") if (one := getattr(spec, name)) is not None]
    try:
        wanted = wanted_of(spec, places.of)
    except ScenarioError as error:
        faults += error.faults
    try:
        axes = places.checked(base, "choices", spec.choices or {}, "--choice")
        inputs = places.checked(base, "sensitivity", spec.sensitivity or {}, "plan.sensitivity")
        for name, extreme in extremes:
            places.checked(base, name, _ends(extreme), f"--{name}")
    except ScenarioError as error:
        faults += error.faults
    if extremes and base.variants:
        told = ", ".join(base.variants)
        faults.append(f"plan.{extremes[0][0]}: asks it of one plan; the scenario has the variants {told}")
    if faults:
        raise ScenarioError(faults)
    varied = [path for _, extreme in extremes for path in (extreme.path, *extreme.with_)]
    refuse_unreachable(base, axes, wanted, _limits(spec, wanted, places.of), varied)
    step = 1
    for name, extreme in extremes:
        fitting = _as_the_path(extreme, base)
        spec = spec.model_copy(update={name: fitting})
        step, faults = _step(fitting, base)
        if faults:
            raise ScenarioError([f"{places.of(name, 'with')}: {each}" for each in faults])
    return Question(spec, wanted, axes, inputs, step)


def _ends(extreme: Extreme) -> dict[str, list[float]]:
    ends = [extreme.low, extreme.high]
    linked = [extreme.linked(end) for end in ends]
    return {extreme.path: ends} | {path: [each[path] for each in linked] for path in extreme.with_}


def _limits(spec: PlanSpec, wanted: Wanted, where: Callable[..., str]) -> Callable[[Bound], str]:
    names = {path_of(name): name for name in spec.constraints}
    told = {bound: where("constraints", names[bound.path]) for bound in wanted.bounds if bound.path in names}
    return lambda bound: told[bound]


def _as_the_path(extreme: Extreme, base: Base) -> Extreme:
    """Return an extreme with ends that are fractions where its path takes any, as 1..8 of a rate does."""
    if not extreme.whole or not _takes_fractions(base, extreme.path, extreme.low, extreme.high):
        return extreme
    return extreme.model_copy(update={"low": float(extreme.low), "high": float(extreme.high)})


def _takes_fractions(base: Base, path: str, low: float, high: float) -> bool:
    """Say whether the number at `path` need not be whole: one of two fractions between is taken."""
    for fraction in (floor(low) + 0.25, ceil(high) - 0.25):
        try:
            vary(document_of(base.text), {path: fraction}, must_fit=False)
        except SimulatorError:
            continue
        return True
    return False


def _step(extreme: Extreme, base: Base) -> tuple[int, list[str]]:
    """Return the step of an extreme at which whole numbers linked to it stay whole, and what has none."""
    whole = {
        path: factor
        for path, factor in extreme.factors.items()
        if not _takes_fractions(base, path, float(extreme.low * factor), float(extreme.high * factor))
    }
    if extreme.whole:
        return lcm(*(factor.denominator for factor in whole.values())), []
    told = "takes whole numbers alone, and {} takes fractions: look for it, and link the other to it"
    return 1, [f"{path} {told.format(extreme.path)}" for path in whole]


class _Places:
    """Where what is asked was written.

    Parameters
    ----------
    resolved : the scenario.
    asked : what options say instead.
    """

    def __init__(self, resolved: Resolved, asked: Mapping[str, object]) -> None:
        self._resolved = resolved
        self._asked = asked

    def of(self, *keys: str) -> str:
        """Return in words where the value at `keys` of a plan was written."""
        node = self._node(keys)
        told = ".".join(("plan", *keys))
        return told if node is None else f"{node.origin}: {told}"

    def _node(self, keys: Sequence[str]) -> Located | None:
        given = self._asked.get(keys[0])
        beside = (
            keys[0] in ADDED and isinstance(given, Mapping) and not any(key in given for key in keys[1:2])
        )
        if given is not None and not beside:
            return None
        return self._resolved.document.at(("plan", *keys))

    def checked(
        self, base: Base, section: str, values: Mapping[str, object], option: str
    ) -> tuple[Axis, ...]:
        """Return axes whose files are found from where they stand.

        Raises
        ------
        ScenarioError
            If the scenario has no such paths, or cannot have such values.
        """
        try:
            axes = tuple(axis_of(name, value) for name, value in values.items())
        except ValueError as error:
            message = f"{self.of(section)}: {error}"
            raise ScenarioError(message) from error
        axes = anchored(axes, self._as_axes(("sweep", "axes"), section, axes))
        faults = [told.replace("sweep.axes", self.of(section)) for told in overlaps(axes)]
        faults += [
            f"{self.of(section, axis.name)}: is another column of the ledger; choose another name"
            for axis in axes
            if axis.name in TAKEN
        ]
        if faults:
            raise ScenarioError(faults)
        points = [each.point for each in islice(Space(axes, ("",)).sampled(), MOST_TRIED)] if axes else []
        where = self._as_axes(("plan", section), section, axes)
        refuse_wrong_values(base, axes, points, where, section=("plan", section), option=option)
        return axes

    def _as_axes(self, keys: tuple[str, ...], section: str, axes: Sequence[Axis]) -> Resolved:
        """Return the scenario with a table at `keys` that says where each axis was written."""
        root = self._resolved.document
        written = {
            axis.name: node for axis in axes if (node := self._written(section, axis.name)) is not None
        }
        node = Located(written, root.origin)
        for key in reversed(keys):
            node = Located({key: node}, root.origin)
        return replace(self._resolved, document=node)

    def _written(self, section: str, name: str) -> Located | None:
        extreme = section in ("highest", "lowest")
        return self._node((section, "path") if extreme else (section, name))


ADDED: Final = ("constraints", "choices")
"""Tables to which options add; they take the place of all else."""

QUESTIONS: Final = ("minimise", "maximise", "highest", "lowest")


def spec_of(own: PlanSpec | None, asked: Mapping[str, object]) -> PlanSpec:
    """Return what is asked: what the scenario says, with what is given over it.

    Parameters
    ----------
    own : of the scenario.
    asked : goals take the place of all of its goals, and its choices go with them where an extreme is asked
        for instead; limits and choices are added to its own.

    Raises
    ------
    ScenarioError
        If it is incomplete or contradicts itself.
    """
    start: dict[str, Any] = {} if own is None else own.model_dump(by_alias=True, exclude_unset=True)
    given = {name: value for name, value in asked.items() if value is not None}
    if given.keys() & set(QUESTIONS):
        start = {name: value for name, value in start.items() if name not in QUESTIONS}
    if given.keys() & {"highest", "lowest"}:
        start.pop("choices", None)
    for name in ADDED:
        if isinstance(given.get(name), Mapping):
            given[name] = dict(_added(start.get(name) or {}, given[name]))  # type: ignore[arg-type] # both are mappings
    try:
        return PlanSpec.model_validate({**start, **given})
    except ValidationError as error:
        faults = []
        for each in error.errors():
            where = ".".join(["plan", *map(str, each["loc"])])
            faults.append(f"{where}: {each['msg'].removeprefix('Value error, ')}")
        raise ScenarioError(faults) from error


def _added(own: Mapping[str, object], given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the entries of a table with those of another over them; of a limit, each side by itself."""
    names = {path_of(name): name for name in given}
    for name, value in own.items():
        if path_of(name) not in names:
            yield name, value
    for name, value in given.items():
        same = next((old for other, old in own.items() if path_of(other) == path_of(name)), None)
        sides = isinstance(same, Mapping) and isinstance(value, Mapping) and {*same, *value} <= SIDES
        yield name, {**same, **value} if sides else value  # type: ignore[dict-item] # both are mappings


SIDES: Final = {"at_least", "at_most"}
