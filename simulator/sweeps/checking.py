"""Values of axes that no point could have, found before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from simulator.errors import ScenarioError, UnknownNameError
from simulator.scenario.loader import Resolved, vary
from simulator.scenario.located import Located
from simulator.scenario.overrides import split
from simulator.scenario.sweeps import Axis, Choice, Choices
from simulator.sweeps.design import Point, paths_of
from simulator.sweeps.jobs import Base, document_of

MOST_NAMES: Final = 500
"""Values of an axis that are tried; of more, as many spread evenly, the first and the last among them."""

MOST_NUMBERS: Final = 50
"""The same where all values are numbers: what is wrong with them begins at one end."""

MOST_OTHERS: Final = 20
"""Points beside whose values one that is wrong by itself is tried."""

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
    faults = [fault for axis in axes for fault in _no_axis(axis, where[axis.name])]
    if faults:
        raise ScenarioError(faults)
    places = np.random.default_rng(0).permutation(len(points))[:MOST_OTHERS]
    others = [points[place].changes for place in places]
    faults = [fault for axis in axes for fault in _faults(axis, document, others, where[axis.name])]
    if faults:
        raise ScenarioError(faults)


def _where(axis: Axis, resolved: Resolved, section: tuple[str, ...], option: str) -> str:
    node = resolved.document.at((*section, axis.name))
    return f"{option} {axis.name}" if node is None else f"{node.origin}: {'.'.join(section)}.{axis.name}"


def _no_axis(axis: Axis, where: str) -> Iterator[str]:
    """Yield why paths that an axis changes cannot be varied."""
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
        found = [message for message in _messages(choice, {}, document) if message not in told]
        if found and all(any(_messages(choice, changes, document)) for changes in others):
            told.update(found)
            yield from (f"{where}: {message}" for message in found)


def _tried(axis: Axis) -> Sequence[Choice]:
    if not isinstance(axis, Choices):
        return (axis.at(0.0), axis.at(1.0))
    count = len(axis.choices)
    numbers = all(isinstance(choice.label, int | float) for choice in axis.choices)
    most = MOST_NUMBERS if numbers else MOST_NAMES
    if count <= most:
        return axis.choices
    return [axis.choices[round(place * (count - 1) / (most - 1))] for place in range(most)]


def _messages(choice: Choice, others: Mapping[str, object], document: Located) -> Iterator[str]:
    """Yield what is wrong with a value beside others: faults at the paths that it sets, or below them."""
    try:
        vary(document, {**others, **choice.changes}, must_fit=False)
    except UnknownNameError as error:
        yield str(error)
    except ScenarioError as error:
        for path in choice.changes:
            own = re.compile(
                rf"[^:]*: (?:variants\.[^:]+?\.)?{re.escape(path)}((?:[.\[][^:]*)?): (.*)", re.DOTALL
            )
            for fault in error.faults:
                if found := own.fullmatch(fault):
                    inner = f"{path}{found[1]}: " if found[1] or len(choice.changes) > 1 else ""
                    yield f"{inner}{found[2]}"
