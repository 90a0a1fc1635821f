"""The JSON objects of a text file: one, one a line, or several one after the other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.binary import text_in

BLANKS: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object and where it stands.

    Parameters
    ----------
    path : the file.
    number : its place among the objects of the file, from 1.
    line : the line at which it begins, from 1.
    text : what it was read from.
    values : its fields.
    """

    path: Path
    number: int
    line: int
    text: str
    values: dict[str, object]

    def line_of(self, field: str) -> int:
        """Return the line of a field, or of the object's beginning where it is not found."""
        place = self.text.find(json.dumps(field))
        return self.line + (self.text.count("\n", 0, place) if place > 0 else 0)

    def inner(self, field: str) -> JsonObject | None:
        """Return the object at a field, or None where there is none."""
        value = self.values.get(field)
        if not isinstance(value, dict):
            return None
        place = max(0, self.text.find(json.dumps(field)))
        line = self.line + self.text.count("\n", 0, place)
        return JsonObject(self.path, self.number, line, self.text[place:], value)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    TraceFormatError
        If it cannot be read, is empty or is no UTF-8 text.
    """
    try:
        text = text_in(path.read_bytes(), "A benchmark's result is JSON")
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise TraceFormatError(message) from error
    except ValueError as error:
        message = f"{path}: {error}"
        raise TraceFormatError(message) from error
    if not text.strip():
        message = f"{path}: is empty"
        raise TraceFormatError(message)
    return text


def objects_in(text: str, path: Path) -> list[JsonObject]:
    """Return the objects of `text`.

    Raises
    ------
    TraceFormatError
        If something in it is no JSON object: with its line.

    Examples
    --------
    >>> [found.values for found in objects_in('{"a": 1} {"a": 2}', Path("two.json"))]
    [{'a': 1}, {'a': 2}]
    """
    decoder, found, place, line = json.JSONDecoder(), list[JsonObject](), 0, 1
    while (start := _next(text, place)) < len(text):
        line += text.count("\n", place, start)
        try:
            value, place = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            raise TraceFormatError(_broken(path, text, error, len(found) + 1)) from error
        except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
            message = f"{path}:{line}: object {len(found) + 1} cannot be read: {error}"
            raise TraceFormatError(message) from error
        if not isinstance(value, dict):
            message = f"{path}:{line}: {_short(text, start)} is no JSON object; a run is one in braces"
            raise TraceFormatError(message)
        found.append(JsonObject(path, len(found) + 1, line, text[start:place], value))
        line += text.count("\n", start, place)
    return found


def _next(text: str, place: int) -> int:
    while place < len(text) and text[place] in BLANKS:
        place += 1
    return place


def _broken(path: Path, text: str, error: json.JSONDecodeError, number: int) -> str:
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"{path}:{error.lineno}: the text ends inside object {number}: was the file cut?"
    return f"{path}:{error.lineno}: no JSON at column {error.colno}: {error.msg}: {_short(text, error.pos)}"


def _short(text: str, start: int) -> str:
    return repr(text[start : start + 20].partition("\n")[0])
