"""Closed loop: a fixed number of users, each starting a task when its last one has ended."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import Count, FrozenModel, SecondsOrZero
from simulator.rng import Streams


class ClosedLoopArrivals(FrozenModel):
    """`concurrency` tasks at a time; the next one starts when one ends, after a pause.

    Examples
    --------
    >>> ClosedLoopArrivals(concurrency=2).times_s(3, Streams(1)).tolist()
    [0.0, 0.0, 0.0]
    """

    kind: Literal["closed_loop"] = Field(default="closed_loop", description="[-] Selects this process.")
    concurrency: Count = Field(description="[tasks] Tasks in the system at once.")
    think_time_s: SecondsOrZero = Field(
        default=0.0, description="[s] Pause between the end of a task and the start of its successor."
    )

    most_tasks: ClassVar[None] = None
    recorded_prompt_tokens: ClassVar[None] = None
    recorded_output_tokens: ClassVar[None] = None

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return zeros, shape (count,), s: every task is ready and waits for its turn."""
        del streams  # nothing is random
        return np.zeros(count)
