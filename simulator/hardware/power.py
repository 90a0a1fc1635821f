"""What a GPU draws beyond its idle power, from how much of its memory and compute peaks is in use.

Power saturates: what is used of one resource adds less where the other is in use already, and no load
exceeds the limit.  Two numbers hold that, so that a few measurements can set them.  Not modelled: clocks
and throttling, temperature, differences between GPUs of one type (equal serving runs on two machines have
drawn 15 % more on one than on the other), what a kind of kernel draws at equal use.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from simulator.frozen import FrozenModel, OneLine
from simulator.hardware.calibration import ErrorRatio, Fitted
from simulator.hardware.forms import Number


def saturating(load: Number) -> Number:
    """Return ``1 - exp(-load)``: in proportion to a small load, 1 at the most."""
    ratio: Number = -np.expm1(-load)
    return ratio


class PowerCheck(FrozenModel):
    """How near power comes to serving runs that no fit has seen, their step times given."""

    table: OneLine = Field(description="[-] measured runs, with their version")
    rows: int = Field(ge=1, description="[-] runs that were predicted, none of them fitted")
    median_error_ratio: ErrorRatio = Field(description="[-] median of |predicted / measured - 1|")
    p90_error_ratio: ErrorRatio = Field(description="[-] its 90th percentile")
    bias_ratio: float = Field(ge=-1.0, description="[-] median of predicted / measured - 1")


class PowerFit(FrozenModel):
    """Power above idle as ``1 - exp(-(m * memory + c * compute))`` of the way to the limit.

    Examples
    --------
    >>> measured = Fitted(table="made up", rows=1, held_out_rows=0)
    >>> fit = PowerFit(
    ...     memory_exponent=1.0,
    ...     compute_exponent=6.0,
    ...     measured_on="a-gpu",
    ...     memory_fitted=measured,
    ...     compute_fitted=measured,
    ... )
    >>> round(float(fit.dynamic_ratio(0.5, 0.1)), 3)
    0.667
    """

    memory_exponent: float = Field(gt=0.0, le=50.0, description="[-] m, per utilisation of the bandwidth")
    compute_exponent: float = Field(gt=0.0, le=50.0, description="[-] c, per utilisation of the compute peak")
    measured_on: OneLine = Field(min_length=1, description="[-] the GPU whose power was fitted")
    memory_fitted: Fitted = Field(description="[-] provenance of m and error in watts")
    compute_fitted: Fitted = Field(description="[-] provenance of c and error in watts")
    checked: PowerCheck | None = Field(default=None, description="[-] serving runs, none of them fitted")

    def dynamic_ratio(self, memory_ratio: Number, compute_ratio: Number) -> Number:
        """Return the power above idle, as a ratio of what lies between idle and the limit.

        Parameters
        ----------
        memory_ratio, compute_ratio : least time at the data sheet's peak over the time taken.
        """
        return saturating(self.memory_exponent * memory_ratio + self.compute_exponent * compute_ratio)
