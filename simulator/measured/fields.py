"""Fields of a run as numbers, with every fault of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final, TypeVar

from simulator.errors import TraceFormatError
from simulator.measured.json_objects import JsonObject

T = TypeVar("T")

MS: Final = 1e-3
MOST: Final = 1e15
"""Above this nothing is a time, a length or a count."""

MOST_FAULTS_OF_A_LIST: Final = 3
CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "?")
"""Text from a file is printed on a terminal, which it must not steer."""


class Fields:
    """The fields of one object; a wrong one is noted, and `check` raises for all of them.

    Parameters
    ----------
    run : the object.
    prefix : what stands before the name of a field in messages, for an object inside another.
    faults : where to note them; None starts a list.
    """

    def __init__(self, run: JsonObject, *, prefix: str = "", faults: list[str] | None = None) -> None:
        self.run = run
        self.prefix = prefix
        self.faults: list[str] = [] if faults is None else faults

    def fault(self, field: str, told: str) -> None:
        """Note that a field is wrong, and how; once, though it be read twice."""
        message = f"{self.run.path}:{self.run.line_of(field)}: {self.prefix}{field}: {told}"
        if message not in self.faults:
            self.faults.append(message)

    def inner(self, field: str) -> Fields | None:
        """Return the fields of the object at a field, or None where there is none."""
        found = self.run.inner(field)
        return None if found is None else Fields(found, prefix=f"{self.prefix}{field}.", faults=self.faults)

    def check(self) -> None:
        """Raise if anything was noted.

        Raises
        ------
        TraceFormatError
            With a line for every fault.
        """
        if self.faults:
            raise TraceFormatError("\n".join(self.faults))

    def text(self, field: str) -> str | None:
        """Return a text without control characters, or None."""
        value = self.run.values.get(field)
        return value.translate(CONTROL) if isinstance(value, str) else None

    def number(self, field: str) -> float:
        """Return a positive number; if it is none or missing, that is a fault."""
        found = self.number_or_none(field)
        if found is None:
            self._missing(field)
        return math.nan if found is None else found

    def number_or_none(self, field: str, *, zero: bool = False) -> float | None:
        """Return a positive number (with `zero`: 0 too), or None where there is none."""
        value = self.run.values.get(field)
        if value is None:
            return None
        found = _number(value)
        if found is None or not (found or zero):
            self.fault(field, f"{told(value)} is no {'number of 0 or more' if zero else 'positive number'}")
            return math.nan
        return found

    def count(self, field: str, *, zero: bool = False) -> int:
        """Return a whole number of 1 or more (with `zero`: 0 too); anything else is a fault."""
        found = self.count_or_none(field, zero=zero)
        if found is None:
            self._missing(field)
        return found or 0

    def count_or_none(self, field: str, *, zero: bool = False) -> int | None:
        """Return a whole number, or None where there is none."""
        value = self.run.values.get(field)
        if value is None:
            return None
        found = _number(value)
        if found is None or found < (0 if zero else 1) or found != int(found):
            self.fault(field, f"{told(value)} is no whole number of {0 if zero else 1} or more")
            return 0
        return int(found)

    def rate(self, field: str) -> float | None:
        """Return a positive rate, infinity where it is said in words or as ``Infinity``, or None."""
        value = self.run.values.get(field)
        if value in ("inf", math.inf):
            return math.inf
        return self.number_or_none(field)

    def milliseconds(self, field: str) -> float | None:
        """Return a positive time in ms as s, or None where there is none."""
        found = self.number_or_none(field)
        return None if found is None else found * MS

    def numbers(self, field: str) -> tuple[float, ...] | None:
        """Return a list of numbers of 0 or more, or None where there is none."""
        return self._list(field, _number, "a number of 0 or more")

    def counts(self, field: str) -> tuple[int, ...] | None:
        """Return a list of whole numbers of 0 or more, or None where there is none."""
        return self._list(field, _count, "a whole number of 0 or more")

    def lists(self, field: str) -> tuple[tuple[float, ...], ...] | None:
        """Return a list of lists of numbers of 0 or more, or None where there is none."""
        return self._list(field, _row, "a list of numbers of 0 or more")

    def _list(self, field: str, read: Callable[[object], T | None], allowed: str) -> tuple[T, ...] | None:
        value = self.run.values.get(field)
        if value is None:
            return None
        if not isinstance(value, list):
            self.fault(field, f"{told(value)} is no list")
            return ()
        entries = [read(entry) for entry in value]
        wrong = [place for place, entry in enumerate(entries) if entry is None]
        for place in wrong[:MOST_FAULTS_OF_A_LIST]:
            self.fault(field, f"entry {place + 1}, {told(value[place])}, is not {allowed}")
        if len(wrong) > MOST_FAULTS_OF_A_LIST:
            self.fault(field, f"{len(wrong) - MOST_FAULTS_OF_A_LIST} more entries are not {allowed}")
        return tuple(entry for entry in entries if entry is not None)

    def _missing(self, field: str) -> None:
        if field in self.run.values:
            self.fault(field, "is null, but a number is needed: did the run end?")
            return
        near = get_close_matches(field, [str(name) for name in self.run.values], n=1)
        self.fault(field, "is missing" + (f"; did you mean {near[0]!r}?" if near else ""))


def told(value: object) -> str:
    """Return a value of a file as a message names it, cut and without control characters."""
    most = 40
    text = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    text = text.translate(CONTROL)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        return None
    return float(value)


def _count(value: object) -> int | None:
    found = _number(value)
    return int(found) if found is not None and found == int(found) else None


def _row(value: object) -> tuple[float, ...] | None:
    if not isinstance(value, list):
        return None
    entries = [_number(entry) for entry in value]
    found = tuple(entry for entry in entries if entry is not None)
    return found if len(found) == len(entries) else None
