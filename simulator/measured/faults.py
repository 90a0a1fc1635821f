"""What is wrong with a file of results: the first faults, and how many more there are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.text_files import CONTROL

MOST_FAULTS: Final = 20
"""Faults of a file that are told one by one; a wrong unit is wrong in each of millions of lines."""


class Faults:
    """The faults of one file.

    Parameters
    ----------
    path : of the file.
    most : faults that are told one by one.
    """

    def __init__(self, path: Path, most: int = MOST_FAULTS) -> None:
        self.path = path
        self.found: list[str] = []
        self.more = 0
        self._most = most

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, line: int, name: str, told: str) -> None:
        """Note what is wrong with a field; once, though it be read twice."""
        message = f"{self.path}:{line}: " + f"{name}: {told}".translate(CONTROL)
        if message in self.found:
            return
        if len(self.found) < self._most:
            self.found.append(message)
        else:
            self.more += 1

    def check(self) -> None:
        """Raise if anything was noted.

        Raises
        ------
        TraceFormatError
            With the first faults and how many more there are.
        """
        if self.found:
            more = [f"{self.path}: {self.more} more faults like these"] if self.more else []
            raise TraceFormatError("\n".join([*self.found, *more]))
