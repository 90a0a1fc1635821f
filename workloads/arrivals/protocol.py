"""The seam of an arrival process: when tasks reach the server."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.rng import Streams


class ArrivalProcess(Protocol):
    """When tasks arrive, and what a recorded workload says of them."""

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return the arrival times of `count` tasks, shape (count,), s, never decreasing.

        The times of the first tasks do not depend on `count`.
        """
        ...

    @property
    def concurrency(self) -> int | None:
        """Tasks in the system at once, or None in an open loop (arrivals do not wait)."""
        ...

    @property
    def think_time_s(self) -> float:
        """Pause between the end of a task and the start of its successor in a closed loop, s."""
        ...

    @property
    def most_tasks(self) -> int | None:
        """Largest number of tasks it can give arrivals for, or None where there is no limit."""
        ...

    @property
    def recorded_prompt_tokens(self) -> tuple[int, ...] | None:
        """Recorded prompt of each task, or None where the task set decides."""
        ...

    @property
    def recorded_output_tokens(self) -> tuple[int, ...] | None:
        """Recorded output of a whole trial of each task, or None where the length model decides."""
        ...
