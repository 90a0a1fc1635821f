"""The states of linear attention in a step: decode reads and writes them, prompts build them up in chunks.

A decode step moves the whole state of every sequence, however long that is.  Prompts are computed in chunks
of `CHUNK_TOKENS` tokens (Yang et al., arXiv 2412.06464, section 3.3), whose tokens meet each other and the
state; a state moves once for every prompt of a step.  Projections are in `simulator.latency.operations`.

Not modelled: prompts of unequal length, of which the longest decides; a step whose prompts all go on in the
next one counts as one prompt; norm and gate of the output.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from simulator.attention.work import FloatVector
from simulator.deployment import Deployment
from simulator.hardware import Calibration
from simulator.hardware.forms import linear_decode_seconds, linear_prefill_seconds
from simulator.latency.breakdown import StepRows, by_value
from simulator.latency.operations import Operation

CHUNK_TOKENS: Final = 64
"""Tokens that are computed at once, tokens: of the published kernels."""

DECODE: Final = "linear_attention"
PREFILL: Final = "linear_prefill"


def decode_states(d: Deployment, sequences: int) -> Operation:
    """Return the work on states of a decode step of `sequences` sequences; none without linear attention.

    Each element decays (1 FLOP), is read by the key, updated and read by the query (2 each).
    """
    linear = d.architecture.linear
    if linear is None or not sequences:
        return Operation(DECODE, 0.0, 0.0)
    times = d.architecture.linear_layers * sequences / d.tp
    return Operation(DECODE, times * 7.0 * linear.recurrent_elements, times * linear.step_bytes)


def prefill_states(d: Deployment, tokens: int, prompts: int) -> Operation:
    """Return the work on states of `tokens` prompt tokens of at least one, or `prompts`, prompts.

    Per token, three products with the state; in its chunk three with keys or queries and two with values.
    """
    a, linear = d.architecture, d.architecture.linear
    if linear is None or not tokens:
        return Operation(PREFILL, 0.0, 0.0)
    in_chunk = CHUNK_TOKENS * linear.value_heads * (6.0 * linear.key_dim + 4.0 * linear.value_dim)
    per_token = 6.0 * linear.recurrent_elements + in_chunk
    moved = tokens * linear.activation_bytes + max(prompts, 1) * 2.0 * linear.layer_state_bytes
    return Operation(PREFILL, a.linear_layers * tokens * per_token / d.tp, a.linear_layers * moved / d.tp)


class BoundLinearAttention:
    """Measured times of the states of one deployment; at their bound where nothing was measured.

    Parameters
    ----------
    calibration : what was measured.
    deployment : the model and its plan.
    flops_per_s, bytes_per_s : the data sheet's peaks.

    Attributes
    ----------
    present : whether the model has layers of linear attention.
    measured : whether the calibration covers them.
    """

    def __init__(
        self, calibration: Calibration, deployment: Deployment, *, flops_per_s: float, bytes_per_s: float
    ) -> None:
        linear = deployment.architecture.linear
        self.present = linear is not None
        self._fit = calibration.linear_attention
        self.measured = self._fit is not None
        self._deployment = deployment
        self._layers = deployment.architecture.linear_layers
        self._heads = linear.value_heads / deployment.tp if linear else 0.0
        self._peaks = (flops_per_s, bytes_per_s)
        self._decode: dict[int, float] = {}

    def decode_s(self, sequences: int) -> float:
        """Return the time of all layers for `sequences` that decode, s.

        A captured graph that is padded moves no states for its padding.
        """
        if not sequences:
            return 0.0
        found = self._decode.get(sequences)
        if found is None:
            work = decode_states(self._deployment, sequences)
            found = self._decode[sequences] = self._decode_seconds(work)
        return found

    def _decode_seconds(self, work: Operation) -> float:
        fit, (_, bytes_per_s) = self._fit, self._peaks
        if fit is None or not self._layers:
            return self._bound_s(work)
        seconds = linear_decode_seconds(
            work.hbm_bytes / self._layers,
            launch_s=fit.decode_launch_s,
            memory_ratio=fit.memory_ratio,
            peak_bytes_per_s=bytes_per_s,
        )
        return self._layers * float(seconds)

    def prefill_s(self, tokens: int, prompts: int) -> float:
        """Return the time of all layers for `tokens` prompt tokens of which `prompts` end, s."""
        if not tokens or not self.present:
            return 0.0
        fit, together = self._fit, max(prompts, 1)
        if fit is None:
            return self._bound_s(prefill_states(self._deployment, tokens, prompts))
        numbers = (fit.prefill_launch_s, fit.wave_s, fit.token_s, fit.token_head_s)
        seconds = linear_prefill_seconds(tokens, together, self._heads, numbers=numbers, blocks=fit.blocks)
        return self._layers * float(seconds)

    def _bound_s(self, work: Operation) -> float:
        flops_per_s, bytes_per_s = self._peaks
        return max(work.flops / flops_per_s, work.hbm_bytes / bytes_per_s)

    def parts(self, rows: StepRows, *, decode_ratio: float, prompt_ratio: float) -> dict[str, FloatVector]:
        """Return what recorded rows took, s, by part; nothing without such layers.

        Parameters
        ----------
        rows : what was recorded.
        decode_ratio, prompt_ratio : times in a running engine over times alone.
        """
        if not self.present:
            return {}
        pairs = zip(rows.prefill_tokens, rows.prefill_ends, strict=True)
        prompts_s = np.array([self.prefill_s(int(tokens), int(ends)) for tokens, ends in pairs])
        decodes_s = rows.steps * by_value(rows.decode_sequences, self.decode_s)
        return {DECODE: decode_ratio * decodes_s, PREFILL: prompt_ratio * prompts_s}


def states_of(d: Deployment, rows: StepRows) -> dict[str, tuple[FloatVector, FloatVector]]:
    """Return FLOPs and bytes of the states of recorded rows, shape (rows,); nothing without such layers."""
    if d.architecture.linear is None:
        return {}
    each = partial(decode_states, d)
    steps = rows.steps.astype(np.float64)
    prompts = [
        prefill_states(d, int(tokens), int(ends))
        for tokens, ends in zip(rows.prefill_tokens, rows.prefill_ends, strict=True)
    ]
    return {
        DECODE: (
            steps * by_value(rows.decode_sequences, lambda count: each(count).flops),
            steps * by_value(rows.decode_sequences, lambda count: each(count).hbm_bytes),
        ),
        PREFILL: (np.array([op.flops for op in prompts]), np.array([op.hbm_bytes for op in prompts])),
    }
