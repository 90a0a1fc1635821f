"""The seam of an outcome model: how hard each task is and what wrong answers look like."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.rng import Streams
from workloads.outcomes.wrong_answers import WrongAnswers


class OutcomeModel(Protocol):
    """The hidden difficulty of tasks.

    A task's trials are independent given its solve probability p, so coverage over tasks is
    ``mean(1 - (1 - p)^k)`` (Brown et al., arXiv 2407.21787).
    """

    def solve_probabilities(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return p of tasks 0 to ``count - 1``, shape (count,), each in [0, 1].

        p is the chance that a whole trial which no cap cuts off is correct.  The values of the first
        tasks do not depend on `count`.
        """
        ...

    @property
    def wrong_answers(self) -> WrongAnswers:
        """How wrong trials spread over answers."""
        ...
