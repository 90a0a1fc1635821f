"""Decode throughput of block top-k against dense attention by the roofline, as in the paper's Fig. 10.

One decode step of a batch at one context on one tensor-parallel node, whatever memory that takes, by the
paper's protocol (section 5.2): it times one layer on one GPU and multiplies, with batches whose KV cache no
node holds.  So nothing but layers takes time: no all-reduces, output head and launches.  Steps are bounded
by data-sheet peaks, where the paper has measured kernels and what selecting blocks adds to them.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from simulator.attention import Attention, BlockTopKAttention, ContextArray, DenseAttention
from simulator.deployment import Deployment
from simulator.hardware import Gpu
from simulator.latency import RooflineLatency, StepLoad
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

BUDGETS: Final = (128, 256, 512, 1024, 2048)
"""KV budgets of the paper's Fig. 10, tokens."""

BUDGET_TIMES_BLOCK_TOKENS2: Final = 16_384
"""Block size times budget in the paper's accuracy experiments."""

CELLS: Final = ((4096, 16_384), (2048, 32_768))
"""The paper's (sequences, context) pairs."""

RANKS: Final = 8
"""GPUs of the node, all in one tensor-parallel replica."""

LAYERS_ALONE: Final = RooflineLatency(collectives=False, lm_head=False, layer_overhead_s=0.0)
"""The paper's protocol: the kernels of the layers and nothing else."""


def block_topk(budget_tokens: int) -> BlockTopKAttention:
    """Return block top-k with the block size that the paper pairs with a budget."""
    block = BUDGET_TIMES_BLOCK_TOKENS2 // budget_tokens
    return BlockTopKAttention(kv_budget_tokens=budget_tokens, block_tokens=block)


@cache
def _preset(model: str) -> Architecture:
    return load_part(find("model", model), Architecture)


@cache
def _profile(gpu: str) -> Gpu:
    return load_part(find("gpu", gpu), Gpu)


def tokens_per_s(
    model: str,
    gpu: str,
    attention: Attention,
    *,
    sequences: int,
    context_tokens: int,
    latency: RooflineLatency = LAYERS_ALONE,
) -> float:
    """Return the output tokens per second of one node, roofline.

    Parameters
    ----------
    model, gpu : names of presets.
    attention : how a decode step attends.
    sequences : the batch.
    context_tokens : of every sequence.
    latency : the roofline, by default of the layers alone, as the paper counts.
    """
    deployment = Deployment(
        architecture=_preset(model),
        attention=attention,
        gpu=_profile(gpu),
        tp=RANKS,
        weight_dtype="bf16",
        kv_dtype="bf16",
        compute_dtype="bf16",
    )
    work = attention.step_work(ContextArray([context_tokens] * sequences), 1)
    return sequences / float(latency.bind(deployment).step_seconds(StepLoad(1, sequences, work)))


def speed_up(model: str, gpu: str, budget_tokens: int, *, sequences: int, context_tokens: int) -> float:
    """Return tokens per second with block top-k over those with dense attention, layers alone."""
    sparse, dense = (
        tokens_per_s(model, gpu, kind, sequences=sequences, context_tokens=context_tokens)
        for kind in (block_topk(budget_tokens), DenseAttention())
    )
    return sparse / dense
