"""What a latency model is told about the coming steps of a replica, in whole numbers."""

from __future__ import annotations

from typing import NamedTuple

from simulator.attention import AttentionWork


class StepLoad(NamedTuple):
    """The batch of one step, or of several steps with the same members.

    Parameters
    ----------
    steps : coming steps described, k; with prefill tokens always 1.
    decode_sequences : sequences that produce one token in each step.
    decode : integer attention work of the decode sequences at each of the k steps.
    prefill_tokens : prompt tokens computed in the step.
    prefill_attended_tokens : query-key pairs of those tokens.
    prefill_read_tokens : cached tokens their attention reads.
    prefill_ends : prompts completed by the step; each samples its first token.
    """

    steps: int
    decode_sequences: int
    decode: AttentionWork
    prefill_tokens: int = 0
    prefill_attended_tokens: int = 0
    prefill_read_tokens: int = 0
    prefill_ends: int = 0
