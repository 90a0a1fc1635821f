"""What is wrong with a file: all of it at once, up to a number that can still be read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.text_files import CONTROL

MOST_SHOWN: Final = 20
"""Faults that are shown; more are counted."""

MOST_SHOWN_TEXT: Final = 40
"""Characters of a wrong value that are shown."""


class Faults:
    """The faults of one file.

    Parameters
    ----------
    path : the file, as messages name it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._shown: list[tuple[int, str]] = []

    def add(self, line: int, field: str, message: str) -> None:
        """Keep a fault: the line from 1, the column or key, what was given and what is allowed."""
        self.count += 1
        if len(self._shown) < MOST_SHOWN:
            self._shown.append((line, f"{self.path}:{line}: " + f"{field}: {message}".translate(CONTROL)))

    def check(self) -> None:
        """Raise the faults found, if any.

        Raises
        ------
        TraceFormatError
            A line each, in the order of the file.
        """
        if not self.count:
            return
        lines = [text for _, text in sorted(self._shown, key=lambda shown: shown[0])]
        if self.count > len(lines):
            lines.append(f"{self.path}: and {self.count - len(lines)} more faults")
        raise TraceFormatError("\n".join(lines))


def shown(value: object) -> str:
    """Return a wrong value as messages show it.

    Examples
    --------
    >>> shown("soon"), shown(None), shown("x" * 100)[-4:]
    ("'soon'", 'nothing', '...x')
    """
    if value is None:
        return "nothing"
    text = repr(value)
    if len(text) <= MOST_SHOWN_TEXT:
        return text
    return f"{text[: MOST_SHOWN_TEXT - 2]}...{text[-2]}"
