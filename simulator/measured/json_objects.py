"""The JSON objects of a text file: one, one a line, or several one after the other.

A file is read once, in windows. What fits into one is decoded whole; a larger object is gone through entry by
entry, and its lists become `Entries`, so that memory is that of the numbers and not of the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.columns import Entries
from simulator.measured.json_window import Window
from simulator.text_files import Source

DEEPEST: Final = 50
"""Levels of objects and lists that are gone through; the deepest tool's files have 7."""

Listed = Mapping[str, frozenset[str]]
"""By the name of a list of objects, the fields of each that are kept; all where there are none."""


class Walked(dict[str, object]):
    """The fields of an object larger than a window, and the line of each."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object and where it stands.

    Parameters
    ----------
    path : the file.
    number : its place among the objects of the file, from 1.
    line : the line at which it begins, from 1.
    text : what it was read from; blank for one larger than a window.
    values : its fields.
    """

    path: Path
    number: int
    line: int
    text: str
    values: dict[str, object]

    def line_of(self, field: str) -> int:
        """Return the line of a field, or of the object's beginning where it is not found."""
        if isinstance(self.values, Walked):
            return self.values.lines.get(field, self.line)
        place = self.text.find(json.dumps(field))
        return self.line + (self.text.count("\n", 0, place) if place > 0 else 0)

    def inner(self, field: str) -> JsonObject | None:
        """Return the object at a field, or None where there is none."""
        value = self.values.get(field)
        if not isinstance(value, dict):
            return None
        if isinstance(self.values, Walked):
            return JsonObject(self.path, self.number, self.line_of(field), "", value)
        place = max(0, self.text.find(json.dumps(field)))
        line = self.line + self.text.count("\n", 0, place)
        return JsonObject(self.path, self.number, line, self.text[place:], value)


def objects_in(source: Source, listed: Listed) -> Iterator[JsonObject]:
    r"""Yield the objects of a file.

    Raises
    ------
    TraceFormatError
        If something in it is no JSON object: with its line.

    Examples
    --------
    >>> import io
    >>> text = io.StringIO('{"a": 1} {"a": 2}')
    >>> [found.values for found in objects_in(Source(Path("."), text, io.BytesIO(), None), {})]
    [{'a': 1}, {'a': 2}]
    """
    window, number = Window(source.path, source.text), 0
    while window.skip_blanks():
        number += 1
        line, window.number = window.line, number
        if window.at() != "{":
            message = f"{source.path}:{line}: {window.shown()} is no JSON object; a run is one in braces"
            raise TraceFormatError(message)
        found = window.whole()
        if found is None:
            yield JsonObject(source.path, number, line, "", _object(window, listed, 0))
        else:
            yield JsonObject(source.path, number, line, found.text, found.value)  # type: ignore[arg-type] # begins with a brace


def _value(window: Window, listed: Listed, name: str, depth: int) -> object:
    """Return the value at the window's place, which stands under `name`."""
    found = window.whole()
    if found is not None:
        return _pruned(found.value, listed)
    if depth > DEEPEST:
        window.refuse(f"is nested deeper than {DEEPEST} levels")
    if window.at() == "{":
        return _object(window, listed, depth)
    if name in listed:
        return [_kept(entry, listed[name]) for entry in _entries(window, listed, name, depth)]
    entries = Entries()
    for entry in _entries(window, listed, name, depth):
        entries.append(entry)
    return entries


def _pruned(value: object, listed: Listed) -> object:
    """Return a value without the fields of its objects that are not kept."""
    if not isinstance(value, dict):
        return value
    for name, inner in value.items():
        if isinstance(inner, list) and name in listed:
            value[name] = [_kept(_pruned(entry, listed), listed[name]) for entry in inner]
        elif isinstance(inner, dict):
            _pruned(inner, listed)
    return value


def _kept(entry: object, fields: frozenset[str]) -> object:
    """Return an object with some of its fields, or anything else as it is."""
    if not fields or not isinstance(entry, dict):
        return entry
    return {name: entry[name] for name in fields & entry.keys()}


def _object(window: Window, listed: Listed, depth: int) -> Walked:
    """Return the object at the window's place, gone through field by field."""
    found = Walked()
    window.take("{")
    if window.is_next("}"):
        return found
    while True:
        window.skip_blanks()
        line, name = window.line, window.whole()
        if name is None or not isinstance(name.value, str):
            window.refuse("the name of a field stands in quotes")
        window.take(":")
        window.skip_blanks()
        found.lines[name.value] = line
        found[name.value] = _value(window, listed, name.value, depth + 1)
        if window.is_next("}"):
            return found
        window.take(",")


def _entries(window: Window, listed: Listed, name: str, depth: int) -> Iterator[object]:
    """Yield the entries of the list at the window's place."""
    window.take("[")
    if window.is_next("]"):
        return
    while True:
        window.skip_blanks()
        yield _value(window, listed, "" if name not in listed else name, depth + 1)
        if window.is_next("]"):
            return
        window.take(",")
