"""The all-reduces of tensor parallelism: a latency floor plus size over bandwidth.

Two all-reduces a layer carry the hidden state of every token.  A ring moves ``2 (n - 1) / n`` of the
message through each GPU's link in either direction.  Not modelled: one-shot and in-switch reduction,
overlap with compute.
"""

from __future__ import annotations

from simulator.deployment import ACTIVATION_BYTES, Deployment


def allreduce_seconds(d: Deployment, tokens: int) -> float:
    """Return the time of all all-reduces of a step of `tokens` tokens, s; 0 on one GPU."""
    if d.tp == 1 or tokens == 0:
        return 0.0
    a = d.architecture
    message = tokens * a.hidden_size * ACTIVATION_BYTES
    transfer = 2 * (d.tp - 1) / d.tp * message / d.gpu.link_bandwidth_bytes_per_s.value
    return 2 * a.layers * (d.gpu.allreduce_floor_s.value + transfer)
