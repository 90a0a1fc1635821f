"""Step latency: how long one forward pass of a replica takes.

A kind is a `FrozenModel` with ``bind(deployment)``; what it returns answers `StepLatency`.  Adding one:
one file, one name in the union below, one row in the docs.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from simulator.attention.work import Seconds
from simulator.deployment import Deployment
from simulator.latency.breakdown import Part, StepRows
from simulator.latency.constant import ConstantLatency
from simulator.latency.load import StepLoad
from simulator.latency.roofline import RooflineLatency


class StepLatency(Protocol):
    """The latency of one replica's steps; never shorter with a longer context."""

    deployment: Deployment

    def step_seconds(self, load: StepLoad) -> Seconds:
        """Return the latency of each step of `load`, s: shape (steps,), a plain float for one step."""
        ...

    def parts(self, rows: StepRows) -> dict[str, Part]:
        """Return where the time of recorded steps went."""
        ...


Latency = Annotated[RooflineLatency | ConstantLatency, Field(discriminator="kind")]

__all__ = [
    "ConstantLatency",
    "Latency",
    "Part",
    "RooflineLatency",
    "StepLatency",
    "StepLoad",
    "StepRows",
]
