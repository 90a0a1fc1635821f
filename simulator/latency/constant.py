"""A step latency that is linear in the batch: for tests against queueing theory, and for teaching."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from pydantic import Field

from simulator.attention.work import Seconds
from simulator.deployment import Deployment
from simulator.frozen import FrozenModel
from simulator.latency.breakdown import Part, StepRows
from simulator.latency.load import StepLoad


class ConstantLatency(FrozenModel):
    """Every step takes ``step_s + sequence_s * decoding + prefill_token_s * prefill tokens``."""

    kind: Literal["constant"] = Field(default="constant", description="[-] Selects this latency model.")
    step_s: float = Field(ge=1e-9, le=1e3, description="[s] time of any step")
    sequence_s: float = Field(default=0.0, ge=0.0, le=1e3, description="[s] added per decoding sequence")
    prefill_token_s: float = Field(default=0.0, ge=0.0, le=1e3, description="[s] added per prefill token")

    def bind(self, deployment: Deployment) -> BoundConstant:
        """Return the model of one replica's steps; the deployment does not matter."""
        return BoundConstant(self, deployment)


class BoundConstant:
    """`ConstantLatency` of one deployment."""

    kind: Final = "constant"
    caveats: Final[tuple[str, ...]] = ()
    largest_batch: Final = None

    def __init__(self, config: ConstantLatency, deployment: Deployment) -> None:
        self.config = config
        self.deployment = deployment

    def step_seconds(self, load: StepLoad) -> Seconds:
        """Return the latency of each step of `load`, s: shape (steps,), a plain float for one step."""
        c = self.config
        seconds = c.step_s + c.sequence_s * load.decode_sequences + c.prefill_token_s * load.prefill_tokens
        return seconds if load.steps == 1 else np.full(load.steps, seconds)

    def parts(self, rows: StepRows) -> dict[str, Part]:
        """Return the time of recorded steps as one part: a constant has no operations."""
        c = self.config
        per_step = c.step_s + c.sequence_s * rows.decode_sequences + c.prefill_token_s * rows.prefill_tokens
        nothing = np.zeros(len(rows.steps))
        gpu = self.deployment.gpu
        bandwidth = gpu.hbm_bandwidth_bytes_per_s.value
        peak = gpu.peak(self.deployment.compute_dtype)
        return {"constant": Part(per_step * rows.steps, nothing, nothing, peak, bandwidth)}
