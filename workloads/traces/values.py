"""Texts of a column turned into numbers, fast where all are right and one by one where not."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulator.frozen import MOST_TOKENS
from workloads.traces.table import FloatArray, IntArray

MOST_SECONDS: Final = 1e9
"""Latest time accepted, s (32 years); as for inline arrivals."""

MOST_ID: Final = 2**63 - 1
"""Largest number of a request, session or block."""

STAMP: Final = re.compile(
    r"((?:19|20)\d\d-\d\d-\d\d)[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|\+00:?00)?",
    re.ASCII,
)
"""A moment in UTC, with up to nanoseconds."""

FIRST_DAY: Final = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column holds.

    Parameters
    ----------
    allowed : what messages call it.
    dtype : of the array.
    least, most : its range.
    parse : one text to a number; raises ValueError.
    """

    allowed: str
    dtype: type[np.float64 | np.int64]
    least: float
    most: float
    parse: Callable[[str], float]

    def values(self, texts: Sequence[str], refuse: Callable[[int, str], None]) -> FloatArray | IntArray:
        """Return the numbers of `texts`; what is none is given to `refuse` with its place, and is 0."""
        found: Any
        try:
            found = np.fromiter(map(self.parse, texts), dtype=self.dtype, count=len(texts))
        except (ValueError, OverflowError):
            return self._one_by_one(texts, refuse)
        with np.errstate(invalid="ignore"):
            wrong = ~((found >= self.least) & (found <= self.most))  # NaN is wrong too
        for place in np.flatnonzero(wrong).tolist():
            refuse(place, texts[place])
            found[place] = 0
        numbers: FloatArray | IntArray = found
        return numbers

    def _one_by_one(self, texts: Sequence[str], refuse: Callable[[int, str], None]) -> FloatArray | IntArray:
        found: Any = np.zeros(len(texts), dtype=self.dtype)
        for place, text in enumerate(texts):
            try:
                value = self.parse(text)
            except ValueError:
                refuse(place, text)
                continue
            if self.least <= value <= self.most:
                found[place] = value
            else:
                refuse(place, text)
        numbers: FloatArray | IntArray = found
        return numbers


def whole(text: str) -> int:
    """Return a whole number, also one written as ``12.0``.

    Examples
    --------
    >>> whole("12"), whole("12.0")
    (12, 12)
    """
    if "_" in text:  # which Python allows in numbers
        raise ValueError(text)
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not value.is_integer():
            raise
        return int(value)


def fraction(text: str) -> float:
    """Return a number; one with underscores, which Python allows, is none."""
    if "_" in text:
        raise ValueError(text)
    return float(text)


def nanoseconds(text: str) -> int:
    """Return the nanoseconds from 1970 of a moment such as ``2023-11-16 18:17:03.9799600``.

    Examples
    --------
    >>> nanoseconds("1970-01-01 00:00:01.5"), nanoseconds("1970-01-01T00:00:01.000001+00:00")
    (1500000000, 1000001000)
    """
    parts = STAMP.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    date, hours, minutes, seconds, fraction = parts.groups()
    days = dt.date.fromisoformat(date).toordinal() - FIRST_DAY
    whole_seconds = ((days * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    return whole_seconds * 10**9 + int((fraction or "").ljust(9, "0"))


SECONDS: Final = Kind(f"a number of seconds in [0, {MOST_SECONDS:g}]", np.float64, 0, MOST_SECONDS, fraction)
TOKENS: Final = Kind(f"a whole number in [1, {MOST_TOKENS}]", np.int64, 1, MOST_TOKENS, whole)
TOKENS_OR_ZERO: Final = Kind(f"a whole number in [0, {MOST_TOKENS}]", np.int64, 0, MOST_TOKENS, whole)
STAMPS: Final = Kind(
    "a moment in UTC such as 2023-11-16 18:17:03.9799600", np.int64, -(2**63), MOST_ID, nanoseconds
)
IDS: Final = Kind("a whole number from 0", np.int64, 0, MOST_ID, whole)


def earlier(times: FloatArray | IntArray, last: float) -> IntArray:
    """Return the places at which `times` is below the one before; `last` stands before the first.

    Examples
    --------
    >>> earlier(np.array([1.0, 3.0, 2.0]), last=0.5).tolist()
    [2]
    """
    return np.flatnonzero(np.diff(times, prepend=times.dtype.type(last)) < 0)
