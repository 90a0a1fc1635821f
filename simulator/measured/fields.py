"""Fields of a run as numbers, with every fault of them at once."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.frozen import MOST_TOKENS
from simulator.measured.columns import Column, Entries, Ragged, whole
from simulator.measured.faults import Faults
from simulator.measured.json_objects import JsonObject
from simulator.text_files import CONTROL

MS: Final = 1e-3
MOST: Final = 1e15
"""Above this nothing is a time, a length or a count."""

MOST_FAULTS_OF_A_LIST: Final = 3


class Fields:
    """The fields of one object; a wrong one is noted, and `check` raises for all of them.

    Parameters
    ----------
    run : the object.
    prefix : what stands before the name of a field in messages, for an object inside another.
    faults : where to note them; None starts afresh.
    """

    def __init__(self, run: JsonObject, *, prefix: str = "", faults: Faults | None = None) -> None:
        self.run = run
        self.prefix = prefix
        self.faults = Faults(run.path) if faults is None else faults

    def fault(self, field: str, told: str) -> None:
        """Note that a field is wrong, and how; once, though it be read twice."""
        self.faults.add(self.run.line_of(field), f"{self.prefix}{field}", told)

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
        self.faults.check()

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

    def tokens(self, field: str, *, zero: bool = False) -> int:
        """Return a length in tokens; anything else is a fault, and so is one that no model takes."""
        found = self.count(field, zero=zero)
        if found > MOST_TOKENS:
            self.fault(field, f"{found} tokens {TOO_LONG}")
        return found

    def length(self, field: str) -> float:
        """Return a length in tokens that need not be whole; as `tokens` else."""
        found = self.number(field)
        if found > MOST_TOKENS:
            self.fault(field, f"{found:.9g} tokens {TOO_LONG}")
        return found

    def numbers(self, field: str) -> Column[float] | None:
        """Return a list of numbers of 0 or more, or None where there is none."""
        entries = self._entries(field)
        if entries is None:
            return None
        self._tell_wrong(field, entries, _wrong(_array(entries)), "is not a number of 0 or more")
        return Column(entries.numbers)

    def token_counts(self, field: str) -> Column[int] | None:
        """Return a list of lengths in tokens of 0 or more, or None where there is none."""
        entries = self._entries(field)
        if entries is None:
            return None
        values = _array(entries)
        wrong = _wrong(values)
        wrong |= np.where(wrong, 0.0, values) % 1.0 > 0.0
        self._tell_wrong(field, entries, wrong, "is not a whole number of 0 or more")
        self._tell_wrong(field, entries, ~wrong & (values > MOST_TOKENS), TOO_LONG)
        return whole(np.where(wrong, 0.0, values).astype(np.int64))

    def lists(self, field: str) -> Ragged | None:
        """Return a list of lists of numbers of 0 or more, or None where there is none."""
        entries = self._entries(field)
        if entries is None:
            return None
        rows = entries.rows()
        wrong = np.frombuffer(entries.is_row, dtype=np.bool_) == np.False_
        bad = np.flatnonzero(_wrong(rows.flat.array()))
        wrong[np.searchsorted(rows.offsets, bad, side="right") - 1] = True
        self._tell_wrong(field, entries, wrong, "is not a list of numbers of 0 or more")
        return rows

    def truths(self, field: str) -> bytes | None:
        """Return which entries of a list say something (1) or nothing (0); None where there is no list."""
        value = self.run.values.get(field)
        if isinstance(value, list):
            return bytes(map(bool, value))
        return bytes(value.truth) if isinstance(value, Entries) else None

    def _entries(self, field: str) -> Entries | None:
        value = self.run.values.get(field)
        if value is None or isinstance(value, Entries):
            return value
        if isinstance(value, list):
            return Entries(value)
        self.fault(field, f"{told(value)} is no list")
        return Entries()

    def _tell_wrong(self, field: str, entries: Entries, wrong: NDArray[np.bool_], problem: str) -> None:
        places = np.flatnonzero(wrong).tolist()
        for place in places[:MOST_FAULTS_OF_A_LIST]:
            self.fault(field, f"entry {place + 1}, {told(entries.shown(place))}, {problem}")
        if len(places) > MOST_FAULTS_OF_A_LIST:
            more = problem.replace("is not", "are not", 1)
            self.fault(field, f"{len(places) - MOST_FAULTS_OF_A_LIST} more entries {more}")

    def _missing(self, field: str) -> None:
        if field in self.run.values:
            self.fault(field, "is null, but a number is needed: did the run end?")
            return
        near = get_close_matches(field, [str(name) for name in self.run.values], n=1)
        self.fault(field, "is missing" + (f"; did you mean {near[0]!r}?" if near else ""))


def told(value: object) -> str:
    """Return a value of a file as a message names it, cut and without control characters."""
    most = 40
    if isinstance(value, Entries):
        value = []
    text = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    text = text.translate(CONTROL)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        return None
    return float(value)


TOO_LONG: Final = f"is more than the {MOST_TOKENS} tokens that are taken; leave the request out, or mend it"


def _array(entries: Entries) -> NDArray[np.float64]:
    return np.frombuffer(entries.numbers, dtype=np.float64)


def _wrong(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values are no numbers of 0 or more: NaN, infinite, negative, or beyond all that is."""
    with np.errstate(invalid="ignore"):
        found: NDArray[np.bool_] = ~((values >= 0.0) & (values <= MOST))
    return found
