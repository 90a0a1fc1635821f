"""Poisson arrivals: many independent users, no memory."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import FrozenModel
from simulator.rng import Streams

RatePerS = Annotated[float, Field(ge=1e-9, le=1e9)]
"""Arrivals per second."""


class PoissonArrivals(FrozenModel):
    """Independent exponential gaps between tasks, with mean ``1 / rate_per_s``.

    Gaps are quantiles of uniforms, so two rates give the same arrivals on a stretched clock.

    Examples
    --------
    >>> slow = PoissonArrivals(rate_per_s=1.0).times_s(5, Streams(1))
    >>> fast = PoissonArrivals(rate_per_s=2.0).times_s(5, Streams(1))
    >>> bool(np.allclose(slow, 2.0 * fast))
    True
    """

    kind: Literal["poisson"] = Field(default="poisson", description="[-] Selects this process.")
    rate_per_s: RatePerS = Field(description="[tasks/s] Mean rate of arrival.")

    concurrency: ClassVar[None] = None
    think_time_s: ClassVar[float] = 0.0
    most_tasks: ClassVar[None] = None
    recorded_prompt_tokens: ClassVar[None] = None
    recorded_output_tokens: ClassVar[None] = None

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return the running sum of the gaps, shape (count,), s."""
        uniforms = streams.generator("arrivals").random(count)
        return np.cumsum(-np.log1p(-uniforms)) / self.rate_per_s
