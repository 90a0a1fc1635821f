"""The command line as the tests of this folder call it."""

from __future__ import annotations

import pytest

from simulator.cli import main


class Kinesim:
    """Runs the command line in this process, in an empty folder; every call begins with the same `words`."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self._capsys = capsys
        self._words = words
        self.out = self.err = ""

    def __call__(self, *arguments: str) -> int:
        with pytest.raises(SystemExit) as left:
            main([*self._words, *arguments])
        self.out, self.err = self._capsys.readouterr()
        return int(left.value.code or 0)
