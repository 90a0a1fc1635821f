"""Step latency: how long one forward pass of a replica takes.

A kind is a `FrozenModel` with ``bind(deployment)``; what it returns answers `StepLatency`.  Adding one:
one file, one name in the union below, one row in the docs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import Field

from simulator.attention.work import Seconds
from simulator.deployment import Deployment
from simulator.latency.breakdown import Part, StepRows
from simulator.latency.calibrated import AutoLatency, CalibratedLatency
from simulator.latency.constant import ConstantLatency
from simulator.latency.load import StepLoad
from simulator.latency.roofline import RooflineLatency


class StepLatency(Protocol):
    """The latency of one replica's steps; never shorter with a longer context."""

    deployment: Deployment

    @property
    def kind(self) -> str:
        """What the step times rest on: ``roofline``, ``calibrated`` or ``constant``."""
        ...

    @property
    def caveats(self) -> Sequence[str]:
        """What a reader of the results must know, a sentence each."""
        ...

    @property
    def largest_batch(self) -> int | None:
        """Most sequences that ran at once in what was measured; None: not told, or nothing was measured."""
        ...

    def step_seconds(self, load: StepLoad) -> Seconds:
        """Return the latency of each step of `load`, s: shape (steps,), a plain float for one step."""
        ...

    def parts(self, rows: StepRows) -> dict[str, Part]:
        """Return where the time of recorded steps went."""
        ...


Latency = Annotated[
    AutoLatency | RooflineLatency | CalibratedLatency | ConstantLatency, Field(discriminator="kind")
]

__all__ = [
    "AutoLatency",
    "CalibratedLatency",
    "ConstantLatency",
    "Latency",
    "Part",
    "RooflineLatency",
    "StepLatency",
    "StepLoad",
    "StepRows",
]
