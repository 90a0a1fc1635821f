"""Arrival processes: when tasks reach the server.

A new process is one file here and one member of `Arrivals`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from workloads.arrivals.all_at_once import AllAtOnceArrivals
from workloads.arrivals.closed_loop import ClosedLoopArrivals
from workloads.arrivals.gamma import GammaArrivals
from workloads.arrivals.poisson import PoissonArrivals
from workloads.arrivals.protocol import ArrivalProcess
from workloads.arrivals.trace import TraceArrivals

Arrivals = Annotated[
    ClosedLoopArrivals | AllAtOnceArrivals | PoissonArrivals | GammaArrivals | TraceArrivals,
    Field(discriminator="kind"),
]

__all__ = [
    "AllAtOnceArrivals",
    "ArrivalProcess",
    "Arrivals",
    "ClosedLoopArrivals",
    "GammaArrivals",
    "PoissonArrivals",
    "TraceArrivals",
]
