"""What differs between resolved scenarios, value by value, as short as a reader can use it.

Parts that have names (node, GPU, model, calibration) and differ in them are told by name alone, but for what
differs between sides of one name; parts of another ``kind`` by kind and values.  Long lists are cut, with a
few digits of their hash behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from simulator.explaining.sides import document_of
from simulator.scenario.schema import Scenario

ABSENT: Final = "-"
"""What stands for a value that a side does not have."""

MOST_ITEMS: Final = 4
"""Entries of a list that are shown."""

LONGEST: Final = 60
"""Columns of a value; longer ones are cut."""

_NOTHING: Final = object()


class Difference(NamedTuple):
    """One value in which sides differ: its dotted path, and the value of each side as text."""

    path: str
    values: tuple[str, ...]


def differences(scenarios: Sequence[Scenario]) -> list[Difference]:
    """Return in what the scenarios differ, in the order of the schema; names, questions and seeds left out.

    Raises
    ------
    ValueError
        If there are no scenarios.
    """
    if not scenarios:
        message = "the differences of no scenarios"
        raise ValueError(message)
    return list(_walk("", [document_of(scenario) for scenario in scenarios]))


def _walk(path: str, values: Sequence[Any]) -> Iterator[Difference]:
    if all(value == values[0] for value in values[1:]):
        return
    tables = [value for value in values if isinstance(value, Mapping)]
    if len(tables) < len(values) or _renamed(tables) or _of_other_kind(tables):
        yield Difference(path, tuple(_short(value, path) for value in values))
        if len(tables) == len(values) and _renamed(tables):
            yield from _of_one_name(path, tables)
        return
    if _is_calibration(path):
        yield Difference(path, tuple(_calibration(table) for table in tables))
        return
    if all(map(_is_figure, tables)) and len({table["value"] for table in tables}) > 1:
        yield Difference(path, tuple(_told(table, path) for table in tables))
        return
    for key in dict.fromkeys(key for table in tables for key in table):
        inner = [table.get(key, _NOTHING) for table in tables]
        yield from _walk(f"{path}.{key}" if path else key, inner)


def _of_one_name(path: str, tables: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Yield, with the values of all sides, what differs between those whose tables have one name."""
    paths = dict[str, None]()
    for name in dict.fromkeys(table["name"] for table in tables):
        alike = [table for table in tables if table["name"] == name]
        paths |= dict.fromkeys(each.path for each in _walk(path, alike))
    for found in paths:
        keys = found.removeprefix(path).strip(".").split(".")
        yield Difference(found, tuple(_told(_at(table, keys), found) for table in tables))


def _at(table: Mapping[str, Any], keys: Sequence[str]) -> object:
    """Return what stands at the keys, none of which holds a dot."""
    value: object = table
    for key in keys:
        value = value.get(key, _NOTHING) if isinstance(value, Mapping) else _NOTHING
    return value


def _told(value: object, path: str) -> str:
    """Return the value of a leaf: of a figure its number, of a calibration its source."""
    if isinstance(value, Mapping) and _is_figure(value):
        return _short(value["value"], path)
    return (
        _calibration(value) if isinstance(value, Mapping) and _is_calibration(path) else _short(value, path)
    )


def _is_figure(table: Mapping[str, Any]) -> bool:
    return set(table) == {"value", "source", "note"}


def _is_calibration(path: str) -> bool:
    return path.rpartition(".")[0].endswith("calibrations")


def _renamed(tables: Sequence[Mapping[str, Any]]) -> bool:
    names = [table.get("name") for table in tables]
    return all(isinstance(name, str) for name in names) and len(set(names)) > 1


def _of_other_kind(tables: Sequence[Mapping[str, Any]]) -> bool:
    return len({str(table.get("kind")) for table in tables}) > 1


def _calibration(table: Mapping[str, Any]) -> str:
    return _cut(f"{table.get('source', '')} ({_hash(table)})")


def _hash(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:6]


def _short(value: object, path: str) -> str:
    """Return a value in one short piece."""
    if value is _NOTHING:
        return ABSENT
    if isinstance(value, Mapping):
        return _cut(_table(value, path))
    if isinstance(value, list):
        items = ", ".join(_short(item, path) for item in value[:MOST_ITEMS])
        if len(value) <= MOST_ITEMS:
            return _cut(f"[{items}]")
        return f"[{_cut(items, LONGEST // 2)}, ... {len(value)} items, {_hash(value)}]"
    return _cut(_scalar(value))


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _table(table: Mapping[str, Any], path: str) -> str:
    if isinstance(table.get("name"), str) and path in {"hardware", "hardware.gpu", "model.preset"}:
        return str(table["name"])
    kind = table.get("kind")
    rest = ", ".join(f"{key}: {_short(value, path)}" for key, value in table.items() if key != "kind")
    if kind is None:
        return f"{{{rest}}}"
    return f"{kind} {{{rest}}}" if rest else str(kind)


def _cut(text: str, width: int = LONGEST) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}~"
