"""The seam of a task set: how many tasks there are and how long their prompts are."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.rng import Streams


class TaskSource(Protocol):
    """The tasks of a run, before anything is said of their arrival, length or difficulty."""

    @property
    def task_count(self) -> int:
        """Tasks in the run."""
        ...

    @property
    def longest_prompt_tokens(self) -> int:
        """Upper bound of any prompt, tokens."""
        ...

    def prompt_lengths_tokens(self, streams: Streams) -> NDArray[np.int64]:
        """Return the prompt of every task, shape (task_count,), tokens, each at least 1."""
        ...
