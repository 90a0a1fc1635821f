"""When every token was produced, kept only where it is asked for.

Step rows hold sums over many steps, so they do not say when each of the steps ended.  A sequence gets one
token in every step of its replica from its first token on, until it leaves; only a preemption comes between,
and when the sequence came back is kept here too.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.scheduling import SequenceView

RESUMED_COLUMNS: Final = ("task", "node", "token", "token_ns")
"""A sequence that was preempted and decodes again: which of its tokens came first, from 0, and when."""


@dataclass(frozen=True, slots=True)
class TokenTimes:
    """What the times of all tokens of a run follow from.

    Parameters
    ----------
    step_ends_ns : for each replica the end of every step, rising, shape (steps,).
    resumed : int64 matrix, columns `RESUMED_COLUMNS`, in the order of task, node and token.
    numbers : place of each trial in the order of submission, shape (trials,), rows as in the trials.
    """

    step_ends_ns: tuple[NDArray[np.int64], ...]
    resumed: NDArray[np.int64]
    numbers: NDArray[np.int64]


class TokenRecorder:
    """Collects `TokenTimes` while a run happens.

    Parameters
    ----------
    replicas : how many there are.
    """

    def __init__(self, replicas: int) -> None:
        self.ends = [array("q") for _ in range(replicas)]
        self._resumed: list[tuple[int, int, int, int]] = []
        self._numbers: list[int] = []

    def resumed(self, view: SequenceView, node: int, now_ns: int) -> None:
        """Record that a preempted node of a tree has got a token again."""
        self._resumed.append((view.task, node, view.generated_tokens - 1, now_ns))

    def trial(self, view: SequenceView) -> None:
        """Record a node, in the order of the trials."""
        self._numbers.append(view.number)

    def take(self, order: NDArray[np.int64]) -> TokenTimes:
        """Return what was collected.

        Parameters
        ----------
        order : rows of the recorded trials in the order in which they are kept.
        """
        resumed = np.array(sorted(self._resumed), dtype=np.int64).reshape(-1, len(RESUMED_COLUMNS))
        numbers = np.array(self._numbers, dtype=np.int64)[order]
        ends = tuple(np.frombuffer(found, dtype=np.int64) for found in self.ends)
        return TokenTimes(ends, resumed, numbers)
