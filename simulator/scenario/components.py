"""Strategies, schedulers and routers of the user's own, in a scenario without a change of this package.

A file can name shipped components only.  `with_components` puts objects in their place and checks what a file
would have been checked for; the manifest of such a run names their classes, and `put_back` needs these to
make the scenario again (``docs/decisions/0018-own-components-are-objects.md``).

Not covered: arrivals, lengths, outcomes, attention and latency, which other parts read in more ways than
through one seam.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from simulator.errors import InfeasiblePlanError, ScenarioError, suggest
from simulator.frozen import FrozenModel
from simulator.routing import LeastLoaded, Router
from simulator.scenario.checks import capacity_of, mistakes_in
from simulator.scenario.schema import Scenario
from simulator.scenario.shape import kinds
from simulator.scheduling import Fcfs, Scheduler
from workloads.strategies import AnyStrategy, LongCot

Place: TypeAlias = tuple[str, str]
"""Section of a scenario and key in it."""


class Seam(NamedTuple):
    """Where a component of one's own may stand.

    Parameters
    ----------
    place : section and key.
    members : what the engine calls and reads.
    shipped : classes that a file can name, by kind.
    stand_in : a shipped component for the time in which the document is read.
    """

    place: Place
    members: tuple[str, ...]
    shipped: Mapping[str, type[FrozenModel]]
    stand_in: FrozenModel

    def is_own(self, component: object) -> bool:
        """Say whether no file can name a component."""
        return type(component) not in self.shipped.values()


_STRATEGY: Final = ("start", "on_finish", "solved", "max_depth", "shares_prompt", "independent_trials")
SEAMS: Final[Mapping[str, Seam]] = {
    "strategy": Seam(
        ("workload", "strategy"),
        (*_STRATEGY, "verifier_noise", "kv_budgets_tokens"),
        kinds(AnyStrategy),
        LongCot(),
    ),
    "scheduler": Seam(
        ("engine", "scheduler"), ("rank", "victim_rank", "reads_prediction"), kinds(Scheduler), Fcfs()
    ),
    "router": Seam(("engine", "router"), ("route",), kinds(Router), LeastLoaded()),
}


def with_components(
    scenario: Scenario,
    *,
    strategy: FrozenModel | None = None,
    scheduler: FrozenModel | None = None,
    router: FrozenModel | None = None,
) -> Scenario:
    """Return a scenario, and all its variants, with components of the caller's own.

    Parameters
    ----------
    scenario : what `load_scenario` returns; the components that are replaced may be any.
    strategy : has what `workloads.strategies.Strategy` says.
    scheduler : has what the policies of `simulator.scheduling` have.
    router : has ``route`` as the routers of `simulator.routing`.

    Each is a `simulator.frozen.FrozenModel` with a field ``kind`` that no shipped component has.

    Raises
    ------
    ScenarioError
        With every fault: what a component lacks, and parts that do not go together.
    InfeasiblePlanError
        If the plan cannot fit its hardware with them; shows the sum.

    Examples
    --------
    >>> from typing import ClassVar, Literal
    >>> from simulator import load_scenario, simulate
    >>> from simulator.frozen import FrozenModel
    >>> class LastFirst(FrozenModel):
    ...     kind: Literal["last_first"] = "last_first"
    ...     reads_prediction: ClassVar[bool] = False
    ...     def rank(self, view): return (-view.number,)
    ...     def victim_rank(self, view, admitted): return (admitted,)
    >>> quickstart = load_scenario("quickstart", overrides={"workload.tasks.repeats": 1})
    >>> result = simulate(with_components(quickstart, scheduler=LastFirst()))
    >>> result.summary["plan"]["scheduler"], list(result.manifest["components"])
    ('last_first', ['engine.scheduler'])
    """
    given = {"strategy": strategy, "scheduler": scheduler, "router": router}
    own = {name: component for name, component in given.items() if component is not None}
    faults = [f"{name}: {fault}" for name, found in own.items() for fault in _faults_of(found, SEAMS[name])]
    if faults:
        raise ScenarioError(faults)
    placed = {SEAMS[name].place: component for name, component in own.items()}
    variants = {name: _placed(one, placed) for name, one in scenario.variants.items()}
    changed = _placed(scenario, placed).model_copy(update={"variants": variants})
    _check(changed)
    return changed


def refuse_wrong(scenario: Scenario, components: Mapping[str, FrozenModel]) -> None:
    """Refuse components that `with_components` refuses, but not plans that do not fit their hardware.

    Raises
    ------
    ScenarioError
        With every fault, names of seams that there are none of among them.
    """
    unknown = [
        f"components: unknown name {name!r}; {suggest(name, SEAMS)}"
        for name in components
        if name not in SEAMS
    ]
    if unknown:
        raise ScenarioError(unknown)
    if components:
        with suppress(InfeasiblePlanError):
            with_components(scenario, **components)


def _faults_of(component: object, seam: Seam) -> Iterator[str]:
    """Yield what keeps an object from being a component."""
    name = type(component).__qualname__
    if not isinstance(component, FrozenModel) or not component.model_config.get("frozen"):
        given = f"class {component.__qualname__} itself" if isinstance(component, type) else f"of type {name}"
        yield f"expected an object of a class derived from simulator.frozen.FrozenModel, got one {given}"
        return
    missing = [member for member in seam.members if not hasattr(component, member)]
    if missing:
        yield f"{name} lacks {', '.join(missing)}; needed: {', '.join(seam.members)}"
    kind = getattr(component, "kind", None)
    if "kind" not in type(component).model_fields or not isinstance(kind, str) or not kind:
        example = f'kind: Literal["my_{seam.place[1]}"] = "my_{seam.place[1]}"'
        yield f"{name} needs a field that names it: {example}"
    elif kind in seam.shipped and seam.is_own(component):
        yield f"kind {kind!r} of {name} is that of a shipped {seam.place[1]}; choose another"
    try:
        again = type(component).model_validate(component.model_dump(mode="json"), strict=False)
    except (ValidationError, ValueError) as error:
        yield f"{name} cannot be made again from what a manifest would hold of it: {error}"
    else:
        if again != component:
            yield f"{name} is another one when made again from what a manifest would hold of it"


def _placed(scenario: Scenario, components: Mapping[Place, FrozenModel]) -> Scenario:
    """Return a scenario with `components`, its variants as they are, nothing checked."""
    sections = dict[str, Any]()
    for (section, key), component in components.items():
        part = sections.get(section, getattr(scenario, section))
        sections[section] = part.model_copy(update={key: component})
    return scenario.model_copy(update=sections)


def _check(scenario: Scenario) -> None:
    """Refuse what `load_scenario` would refuse, in all variants or, without any, in the scenario itself."""
    faults = []
    checked = scenario.variants or {"": scenario}
    for name, one in checked.items():
        label = f"variants.{name}: " if name else ""
        for part in (one.workload, one):
            try:
                part.check_parts()
            except ValueError as error:
                faults.append(f"{label}{error}")
        faults += [f"{label}{mistake}" for mistake in mistakes_in(one)]
    if faults:
        raise ScenarioError(faults)
    for one in checked.values():
        capacity_of(one)


def own_components(scenario: Scenario) -> dict[str, dict[str, str | None]]:
    """Return what a manifest says of components that are not shipped: by path, the class and its hash.

    ``source_sha256`` is that of the text of the class alone, None where the text cannot be had.
    """
    found = dict[str, dict[str, str | None]]()
    for prefix, one in [("", scenario), *((f"variants.{n}.", s) for n, s in scenario.variants.items())]:
        for seam in SEAMS.values():
            section, key = seam.place
            component = getattr(getattr(one, section), key)
            if seam.is_own(component):
                about = {"class": name_of(type(component)), "source_sha256": source_sha256(type(component))}
                found[f"{prefix}{section}.{key}"] = about
    return found


def name_of(component: type) -> str:
    """Return ``module:Class``."""
    return f"{component.__module__}:{component.__qualname__}"


def source_sha256(component: type) -> str | None:
    """Return a hash of the text of a class, or None where it has none, as in a dialogue."""
    try:
        return hashlib.sha256(inspect.getsource(component).encode()).hexdigest()
    except (OSError, TypeError):
        return None


def put_back(scenario: Scenario, components: Mapping[tuple[str, ...], FrozenModel]) -> Scenario:
    """Return a scenario with components at their paths; those of variants that are gone are left out.

    Raises
    ------
    ScenarioError, InfeasiblePlanError
        As `with_components`.
    """

    def below(*prefix: str) -> dict[Place, FrozenModel]:
        return {(keys[-2], keys[-1]): one for keys, one in components.items() if keys[:-2] == prefix}

    variants = {name: _placed(one, below("variants", name)) for name, one in scenario.variants.items()}
    changed = _placed(scenario, below()).model_copy(update={"variants": variants})
    _check(changed)
    return changed


def by_kind(classes: Sequence[type[FrozenModel]]) -> dict[str, type[FrozenModel]]:
    """Return classes by the ``kind`` of their fields.

    Raises
    ------
    ScenarioError
        If one is no component, or two have one kind.
    """
    found = dict[str, type[FrozenModel]]()
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, FrozenModel)):
            message = f"components: expected classes derived from simulator.frozen.FrozenModel, got {one!r}"
            raise ScenarioError(message)
        info = one.model_fields.get("kind")
        kind = info.default if info is not None else None
        if not isinstance(kind, str) or kind in found:
            other = f", as that of {name_of(found[kind])}" if isinstance(kind, str) else ""
            message = f"components: {name_of(one)} needs a kind of its own as a default, got {kind!r}{other}"
            raise ScenarioError(message)
        found[kind] = one
    return found
