"""Attention kinds: the FLOPs and bytes of one decode step as a function of the contexts.

Adding a kind: one file with a `FrozenModel` that has `step_work`, `prefill_attended_tokens`,
`prefill_read_tokens`, `granules`, `caps`, `index_block_tokens`, `layers_per_count` and
`reads_prefix_once`; one name in the union below; one row in the docs.  The conformance test picks it up
from the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.attention.block_topk import BlockTopKAttention
from simulator.attention.contexts import ContextArray, Contexts
from simulator.attention.dense import DenseAttention
from simulator.attention.sliding_window import SlidingWindowAttention
from simulator.attention.topk import TopKAttention
from simulator.attention.work import AttentionWork

Attention = Annotated[
    DenseAttention | TopKAttention | BlockTopKAttention | SlidingWindowAttention,
    Field(discriminator="kind"),
]

__all__ = [
    "Attention",
    "AttentionWork",
    "BlockTopKAttention",
    "ContextArray",
    "Contexts",
    "DenseAttention",
    "SlidingWindowAttention",
    "TopKAttention",
]
