"""All at once: an offline batch, every task there from the beginning."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import FrozenModel
from simulator.rng import Streams


class AllAtOnceArrivals(FrozenModel):
    """Every task arrives at time zero.

    Examples
    --------
    >>> AllAtOnceArrivals().times_s(2, Streams(1)).tolist()
    [0.0, 0.0]
    """

    kind: Literal["all_at_once"] = Field(default="all_at_once", description="[-] Selects this process.")

    concurrency: ClassVar[None] = None
    think_time_s: ClassVar[float] = 0.0
    most_tasks: ClassVar[None] = None
    recorded_prompt_tokens: ClassVar[None] = None
    recorded_output_tokens: ClassVar[None] = None

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return zeros, shape (count,), s."""
        del streams  # nothing is random
        return np.zeros(count)
