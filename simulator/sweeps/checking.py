"""Values of axes that no point could have, found before anything runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from simulator.errors import ScenarioError, UnknownNameError
from simulator.scenario.loader import Resolved, resolve
from simulator.scenario.sweeps import Axis, Choice, Choices, SweepSpec
from simulator.sweeps.jobs import Base

MOST_CHECKED: Final = 500
"""Values of an axis that are tried; of more, as many spread evenly, the first and the last among them."""


def refuse_wrong_values(
    base: Base,
    spec: SweepSpec,
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
    spec : the axes.
    section, option : where axes stand in a file, and what gives them on the command line.

    Raises
    ------
    ScenarioError
        With every wrong value: where it stands, what is allowed and what is near.
    """
    document = json.loads(base.text)
    faults = list[str]()
    for axis in spec.parsed:
        node = resolved.document.at((*section, axis.name))
        where = f"{option} {axis.name}" if node is None else f"{node.origin}: {'.'.join(section)}.{axis.name}"
        faults += _faults(axis, document, where)
    if faults:
        raise ScenarioError(faults)


def _faults(axis: Axis, document: Mapping[str, object], where: str) -> Iterator[str]:
    seen = set[str]()
    for choice in _tried(axis):
        for message in _messages(choice, document):
            if message not in seen:
                seen.add(message)
                yield f"{where}: {message}"


def _tried(axis: Axis) -> Sequence[Choice]:
    if not isinstance(axis, Choices):
        return (axis.at(0.0), axis.at(1.0))
    count = len(axis.choices)
    if count <= MOST_CHECKED:
        return axis.choices
    return [axis.choices[round(place * (count - 1) / (MOST_CHECKED - 1))] for place in range(MOST_CHECKED)]


def _messages(choice: Choice, document: Mapping[str, object]) -> Iterator[str]:
    """Yield what is wrong with a value by itself: faults at the paths that it sets, or on the way there."""
    try:
        resolve(document, overrides=choice.changes, must_fit=False)
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
