"""Runs whose worker died: handed out one by one, the one that kills workers is found, and others are done."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from simulator.processes import ExecutorError
from simulator.sweeps.jobs import Job

MOST_IN_A_ROW: Final = 20
"""Times that a pool whose worker died is made anew without a run done in between: a minute or so."""

MOST_ALONE: Final = 3
"""Times that a worker may die of a run that nothing else was run beside: once may be an accident."""


class Losses:
    """What has died so far.

    Attributes
    ----------
    happened : whether anything has.
    suspects : runs at the front that are to be run one by one.
    """

    def __init__(self) -> None:
        self.happened = False
        self.suspects = 0
        self._in_a_row = 0
        self._alone = Counter[str]()

    def survived(self) -> None:
        """Note that a run was done."""
        self._in_a_row = 0
        self.suspects = max(0, self.suspects - 1)

    def hand_back(self, running: Sequence[Job], waiting: deque[Job], error: Exception) -> None:
        """Put what was running when a worker died back among what waits.

        Several go to the front, `suspects` that are run one by one; one that was alone goes to the end.

        Raises
        ------
        ExecutorError
            If that has not helped: names a run that was there.
        """
        self.happened = True
        self._in_a_row += 1
        if len(running) == 1:
            waiting.append(running[0])
            self._alone[running[0].key] += 1
            self.suspects = max(0, self.suspects - 1)
        else:
            waiting.extendleft(reversed(running))
            self.suspects = len(running)
        if len(running) == 1 and self._alone[running[0].key] >= MOST_ALONE:
            what = f"{MOST_ALONE} times while {running[0].changes} alone was run"
        elif self._in_a_row > MOST_IN_A_ROW:
            what = f"{self._in_a_row} times in a row, the last time with {len(running)} runs handed out"
        else:
            return
        message = (
            f"worker processes died {what}: is there enough memory? Go on with the same line: what was done "
            f"is kept. {error}"
        )
        raise ExecutorError(message) from error
