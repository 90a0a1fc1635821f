"""Gamma arrivals: as Poisson, but with bursts (cv above 1) or regularity (cv below 1)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import FrozenModel
from simulator.rng import Streams
from workloads.arrivals.poisson import RatePerS


class GammaArrivals(FrozenModel):
    """Independent gamma-distributed gaps with mean ``1 / rate_per_s`` and a given variation.

    The shape is ``1 / cv**2``; cv = 1 is Poisson in distribution.  Two rates are coupled gap by gap,
    two values of cv are not.

    Examples
    --------
    >>> times = GammaArrivals(rate_per_s=4.0, cv=0.5).times_s(4, Streams(1))
    >>> bool((np.diff(times) >= 0).all())
    True
    """

    kind: Literal["gamma"] = Field(default="gamma", description="[-] Selects this process.")
    rate_per_s: RatePerS = Field(description="[tasks/s] Mean rate of arrival.")
    cv: float = Field(ge=0.01, le=100.0, description="[-] Standard deviation of the gaps over their mean.")

    concurrency: ClassVar[None] = None
    think_time_s: ClassVar[float] = 0.0
    most_tasks: ClassVar[None] = None
    recorded_prompt_tokens: ClassVar[None] = None
    recorded_output_tokens: ClassVar[None] = None

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return the running sum of the gaps, shape (count,), s."""
        variance = self.cv**2
        gaps = streams.generator("arrivals").standard_gamma(1.0 / variance, size=count)
        return np.cumsum(gaps) * (variance / self.rate_per_s)
