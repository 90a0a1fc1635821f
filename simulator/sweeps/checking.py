"""Values of axes that no point could have, found before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from simulator.errors import ScenarioError, SimulatorError, UnknownNameError
from simulator.scenario.components import SEAMS
from simulator.scenario.loader import Resolved, vary
from simulator.scenario.located import Located
from simulator.scenario.overrides import split
from simulator.scenario.sweeps import Axis, Choice, Choices
from simulator.sweeps.design import Point, paths_of
from simulator.sweeps.figures import HIGH, LOW, PATHS
from simulator.sweeps.jobs import Base, document_of

MOST_NAMES: Final = 500
"""Values of an axis that are tried; of more, as many spread evenly, the first and the last among them."""

MOST_NUMBERS: Final = 50
"""The same where all values are numbers: what is wrong with them begins at one end."""

SOME_OTHERS: Final = 20
"""Points, drawn, beside whose values one that is wrong by itself is tried."""

MOST_OTHERS: Final = 100
"""The same with those points that have a value which no other of them has: it may be what another needs."""

MOST_LOOKED_AT: Final = 10_000
"""Points that are looked through for those."""

MOST_FAULTS: Final = 20
"""Wrong values of one axis that are told: whoever has more has one mistake in all of them."""

NO_AXES: Final = {
    ("seed",): "points share their seeds, so that they differ by what is varied alone; use --seeds",
    ("report", "seeds"): "it changes no point; use --seeds, or sweep.seeds",
    ("sweep",): "it says what is varied",
    ("plan",): "it says what is looked for",
    ("schema",): "it is the version of the file format",
}
"""Paths that are no axes, and why."""


def refuse_wrong_values(
    base: Base,
    axes: Sequence[Axis],
    points: Sequence[Point],
    resolved: Resolved,
    *,
    section: tuple[str, ...] = ("sweep", "axes"),
    option: str = "--axis",
) -> None:
    """Try every value of every axis by itself and refuse those that are wrong whatever the others are.

    Values that merely do not go together with others, or do not fit the hardware, are left to the points.

    Parameters
    ----------
    base, resolved : the scenario, and where its values were written.
    axes : what is varied.
    points : what they make: a value that is wrong by itself is tried with the others of some of them.
    section, option : where axes stand in a file, and what gives them on the command line.

    Raises
    ------
    ScenarioError
        With every wrong value: where it stands, what is allowed and what is near.
    """
    document = document_of(base.text)
    where = {axis.name: _where(axis, resolved, section, option) for axis in axes}
    faults: list[str] = []
    for axis in axes:
        wrong = list(_no_axis(axis, where[axis.name]))
        others = [] if wrong else _others(axis, axes, points)
        faults += wrong or _faults(axis, document, others, where[axis.name])
    if faults:
        raise ScenarioError(faults)


def unreached(base: Base, axes: Sequence[Axis]) -> Iterator[str]:
    """Yield, in words, axes that change nothing in a variant, which has a value of its own there."""
    document = document_of(base.text)
    for axis in axes:
        if not base.variants or any(split(path)[0] == "variants" for path in paths_of(axis)):
            continue
        ends = [axis.at(0.0).changes, axis.at(1.0).changes]
        try:
            low, high = (vary(document, changes, must_fit=False).scenario for changes in ends)
            if low == high:
                low = vary(document, {}, must_fit=False).scenario
        except SimulatorError:  # beside others they may be right: nothing is known of them here
            continue
        if low.model_copy(update={"variants": {}}) == high.model_copy(update={"variants": {}}):
            continue
        for name in base.variants:
            if low.variants[name] == high.variants[name]:
                yield (
                    f"{axis.name} changes nothing in variant {name}, which has a value of its own there; "
                    f"paths that begin with variants.{name} change it"
                )


def _others(axis: Axis, axes: Sequence[Axis], points: Sequence[Point]) -> list[Mapping[str, object]]:
    """Return what other axes change at points that have, or nearly so, every value of each of them."""
    own = set(paths_of(axis))
    names = [each.name for each in axes if isinstance(each, Choices) and each.name != axis.name]
    seen, found = set[tuple[str, object]](), dict[str, Mapping[str, object]]()
    for place in np.random.default_rng(0).permutation(len(points))[:MOST_LOOKED_AT]:
        new = {(name, points[place].labels[name]) for name in names} - seen
        if new or len(found) < SOME_OTHERS:
            rest = {path: value for path, value in points[place].changes.items() if path not in own}
            found[repr(rest)] = rest
            seen |= new
        if len(found) == MOST_OTHERS:
            break
    return list(found.values())


def refuse_own(base: Base, axes: Sequence[Axis]) -> None:
    """Refuse axes that would vary a component of the caller's own: nothing is known of its fields.

    Raises
    ------
    ScenarioError
        With every such axis.
    """
    places = [SEAMS[name].place for name, _ in base.own]
    faults = []
    for path in (path for axis in axes for path in paths_of(axis)):
        keys = split(path)
        inner = keys[2:] if keys[0] == "variants" else keys
        faults += [
            f"--axis {path}: is of your own class at every point; sweep once for each of its values"
            for place in places
            if inner[: len(place)] == place or (inner and place[: len(inner)] == inner)
        ]
    if faults:
        raise ScenarioError(faults)


def _where(axis: Axis, resolved: Resolved, section: tuple[str, ...], option: str) -> str:
    node = resolved.document.at((*section, axis.name))
    return f"{option} {axis.name}" if node is None else f"{node.origin}: {'.'.join(section)}.{axis.name}"


def _no_axis(axis: Axis, where: str) -> Iterator[str]:
    """Yield why paths that an axis changes cannot be varied."""
    if {axis.name, axis.name.removesuffix(LOW), axis.name.removesuffix(HIGH)} & set(PATHS):
        yield f"{where}: is another column of the table; choose another name"
    for path in paths_of(axis):
        keys = split(path)
        inner = keys[2:] if keys[0] == "variants" else keys
        if keys == ("variants",) or (keys[0] == "variants" and not inner):
            yield f"{where}: {path}: variants are run at every point; vary what is in one"
        for forbidden, why in NO_AXES.items():
            if inner[: len(forbidden)] == forbidden or (inner and forbidden[: len(inner)] == inner):
                yield f"{where}: {path}: is no axis: {why}"
                break


def _faults(
    axis: Axis, document: Located, others: Sequence[Mapping[str, object]], where: str
) -> Iterator[str]:
    told = set[str]()
    for choice in _tried(axis):
        found = [each for each in _messages(axis, choice, {}, document) if each not in told]
        if found and all(any(_messages(axis, choice, changes, document)) for changes in others):
            told.update(found)
            label = "" if axis.name in choice.changes else f"{choice.label}: "
            yield from (f"{where}: {label}{message}" for message in found)
        if len(told) >= MOST_FAULTS:
            yield f"{where}: and perhaps more: after {MOST_FAULTS} wrong values no others are tried"
            return


def _tried(axis: Axis) -> Sequence[Choice]:
    if not isinstance(axis, Choices):
        return (axis.at(0.0), axis.at(1.0))
    count = len(axis.choices)
    numbers = all(isinstance(choice.label, int | float) for choice in axis.choices)
    most = MOST_NUMBERS if numbers else MOST_NAMES
    if count <= most:
        return axis.choices
    return [axis.choices[round(place * (count - 1) / (most - 1))] for place in range(most)]


def _messages(axis: Axis, choice: Choice, others: Mapping[str, object], document: Located) -> Iterator[str]:
    """Yield what is wrong with a value beside others.

    That is, faults at the paths that it sets, or below them; or above, where no table belongs.
    """
    try:
        vary(document, {**others, **choice.changes}, must_fit=False)
    except UnknownNameError as error:
        yield str(error)
    except ScenarioError as error:
        for path in choice.changes:
            own = _faults_at(path, r"(?:[.\[][^:]*)?", ".*")
            above = [
                _faults_at(prefix, "", "unknown key.*|expected .*, got a table.*")
                for place in range(len(path))
                if path[place] == "." and (prefix := path[:place])
            ]
            for fault in error.faults:
                if found := own.fullmatch(fault):
                    inner = f"{path}{found[2]}: " if found[2] or path != axis.name else ""
                    yield f"{inner}{found[3]}"
                elif found := next((each for one in above if (each := one.fullmatch(fault))), None):
                    yield f"{found[1]}: {found[3]}"


def _faults_at(path: str, below: str, message: str) -> re.Pattern[str]:
    """Return what faults at a path look like: its path, what follows it, and the message."""
    return re.compile(rf"[^:]*: (?:variants\.[^:]+?\.)?({re.escape(path)})({below}): ({message})", re.DOTALL)
