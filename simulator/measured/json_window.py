"""A text file read in windows, and the JSON values at their beginning."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import IO, Final, NamedTuple, NoReturn

from simulator.errors import TraceFormatError

WINDOW: Final = 1 << 18
"""Characters up to which a value is decoded whole: a record of the longest tool's lines has 290,000 bytes."""

LONGEST_TEXT: Final = 1 << 23
"""Characters of the longest value that is no object and no list: 8 Mi."""

TAIL: Final = 8
"""Characters that must follow a number before it is known to end: of `1e-` a part is a number, too."""

BLANKS: Final = re.compile(r"[ \t\r\n]*")
SHOWN: Final = 20
"""Characters of what is no JSON that a message shows."""


class Found(NamedTuple):
    """A value, and the text it was read from where that is an object."""

    value: object
    text: str


class Window:
    """A text that is gone through once.

    Parameters
    ----------
    path : the file, for messages.
    text : its text from here on.
    """

    def __init__(self, path: Path, text: IO[str]) -> None:
        self.path = path
        self.number = 1
        self.line = 1
        self._text = text
        self._held, self._place = "", 0
        self._ended = False
        self._column = 1
        self._zero = 0
        self._decode = json.JSONDecoder().raw_decode

    def at(self) -> str:
        """Return the character at the place, nothing at the end."""
        return self._held[self._place : self._place + 1]

    def shown(self) -> str:
        """Return what stands at the place, cut, for a message."""
        self._fill(SHOWN)
        return repr(self._held[self._place : self._place + SHOWN].partition("\n")[0])

    def skip_blanks(self) -> bool:
        """Go to the next character that is no blank; say whether there is one."""
        while True:
            match = BLANKS.match(self._held, self._place)
            self._go(match.end() if match else self._place)
            if self._place < len(self._held):
                return True
            if not self._fill(1):
                return False

    def is_next(self, character: str) -> bool:
        """Go behind the next character that is no blank if it is this one; say whether it was."""
        self.skip_blanks()
        if self.at() != character:
            return False
        self._go(self._place + 1)
        return True

    def take(self, character: str) -> None:
        """Go behind the next character that is no blank, which must be this one."""
        if not self.is_next(character):
            self.refuse(f"Expecting {character!r}")

    def refuse(self, told: str) -> NoReturn:
        """Refuse what stands at the place.

        Raises
        ------
        TraceFormatError
            Always.
        """
        raise self._broken_at(self._place, told)

    def whole(self) -> Found | None:
        """Return the value at the place and go behind it; None where an object or a list fills a window.

        Raises
        ------
        TraceFormatError
            If it is no JSON, or the text ends inside it.
        """
        self._fill(WINDOW)
        while True:
            opens = self.at() in ("{", "[")
            try:
                value, end = self._decode(self._held, self._place)
            except json.JSONDecodeError as error:
                if self._is_final(error):
                    raise self._broken_at(error.pos, error.msg) from error
            except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
                message = f"{self.path}:{self.line}: object {self.number} cannot be read: {error}"
                raise TraceFormatError(message) from error
            else:
                if opens or self._ended or end + TAIL < len(self._held):
                    text = self._held[self._place : end] if isinstance(value, dict) else ""
                    self._go(end)
                    return Found(value, text)
            left = len(self._held) - self._place
            if opens and left >= WINDOW:
                return None
            if left > LONGEST_TEXT:
                self.refuse(f"a text of more than {LONGEST_TEXT} characters")
            self._fill(2 * left)

    def _is_final(self, error: json.JSONDecodeError) -> bool:
        """Say whether more text cannot mend what is wrong."""
        if self._ended:
            return True
        cut = error.msg.startswith("Unterminated") or error.pos + TAIL >= len(self._held)
        return not cut

    def _fill(self, wanted: int) -> bool:
        """Hold `wanted` characters from the place on, as far as there are; say whether there is any."""
        left = len(self._held) - self._place
        if left < wanted and not self._ended:
            parts = [self._held[self._place :]]
            # More than is asked for, or every value at the end of a window would move the rest.
            missing = wanted - left + WINDOW
            while missing > 0:
                part = self._text.read(missing)
                if not part:
                    self._ended = True
                    break
                self._check(part, left)
                parts.append(part)
                missing -= len(part)
                left += len(part)
            self._held, self._place = "".join(parts), 0
        return self._place < len(self._held)

    def _check(self, part: str, before: int) -> None:
        at = part.find("\x00")
        if at >= 0:
            line = self.line + self._held.count("\n", self._place) + part.count("\n", 0, at)
            message = (
                f"{self.path}:{line}: is no text (byte {self._zero + before + at} is 0x00): is it the right "
                "file? A benchmark's result is JSON"
            )
            raise TraceFormatError(message)

    def _go(self, place: int) -> None:
        """Go on to `place`, counting lines."""
        lines = self._held.count("\n", self._place, place)
        self._zero += place - self._place
        if lines:
            self.line += lines
            self._column = place - self._held.rfind("\n", self._place, place)
        else:
            self._column += place - self._place
        self._place = place

    def _broken_at(self, place: int, told: str) -> TraceFormatError:
        line = self.line + self._held.count("\n", self._place, place)
        after = self._held.rfind("\n", self._place, place)
        column = place - after if after >= 0 else self._column + place - self._place
        rest = self._held[place:]
        if (self._ended and not rest.strip()) or told.startswith("Unterminated string"):
            cut = f"the text ends inside object {self.number}: was the file cut?"
            return TraceFormatError(f"{self.path}:{line}: {cut}")
        shown = repr(rest[:SHOWN].partition("\n")[0])
        return TraceFormatError(f"{self.path}:{line}: no JSON at column {column}: {told}: {shown}")
