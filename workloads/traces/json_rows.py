"""JSON Lines, one object a line, and the checks of their fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from simulator.frozen import MOST_TOKENS
from workloads.traces.faults import Faults, shown
from workloads.traces.sources import Source, lines_of
from workloads.traces.table import Gathered
from workloads.traces.values import MOST_ID

TOLD_LINES: Final = 2048
"""Lines between two reports of how far a file has been read."""


@dataclass(frozen=True, slots=True)
class Row:
    """An object of a line.

    Parameters
    ----------
    line : its line.
    values : its fields.
    faults : takes what is wrong with them.
    prefix : where it stands in the line, for messages, such as ``sub_requests[1].``.
    """

    line: int
    values: Mapping[str, object]
    faults: Faults
    prefix: str = ""

    def refuse(self, key: str, message: str) -> None:
        """Keep a fault of a field."""
        self.faults.add(self.line, f"{self.prefix}{key}", message)

    def whole(self, key: str, *, least: int = 0, most: int = MOST_ID, allowed: str = "") -> int:
        """Return a whole number; where it is none that is a fault, and it is `least`."""
        value = self.values.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.refuse(key, f"{shown(value)} is not {allowed or f'a whole number in [{least}, {most}]'}")
        return least

    def number(self, key: str, *, most: float, allowed: str) -> float:
        """Return a number from 0 to `most`; where it is none that is a fault, and it is 0."""
        value = self.values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most:
            return float(value)
        self.refuse(key, f"{shown(value)} is not {allowed}")
        return 0.0

    def tokens(self, key: str) -> int:
        """Return a number of tokens, which may be 0."""
        return self.whole(key, most=MOST_TOKENS)

    def ids_into(self, gathered: Gathered, name: str, key: str) -> int:
        """Append the whole numbers of a list to a column; return how many they are."""
        value = self.values.get(key)
        if not isinstance(value, list):
            self.refuse(key, f"{shown(value)} is not a list of whole numbers")
            return 0
        try:
            gathered.extend_whole(name, value)
        except (TypeError, OverflowError):
            wrong = next((item for item in value if not _is_id(item)), value)
            self.refuse(key, f"{shown(wrong)} is not a whole number")
            return 0
        return len(value)


def rows_in(source: Source, faults: Faults) -> Iterator[Row]:
    """Yield the objects of a file; lines that are none are faults, blank ones nothing."""
    for number, line in zip(count(1), lines_of(source), strict=False):
        if number % TOLD_LINES == 0:
            source.tell()
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (json.JSONDecodeError, RecursionError, ValueError) as error:
            faults.add(number, "line", _broken(line, error))
            continue
        if isinstance(values, dict):
            yield Row(number, values, faults)
        else:
            faults.add(number, "line", f"{shown(values)} is no JSON object; a request is one in braces")
    source.tell()


def _broken(line: str, error: Exception) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return f"cannot be read as JSON: {error}"
    if error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated"):
        return "ends inside its JSON object: was the file cut?"
    return f"no JSON at column {error.colno}: {error.msg}"


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_ID
