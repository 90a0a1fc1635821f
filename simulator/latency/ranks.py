"""Attention in data parallel: each GPU of a replica serves sequences of its own, and they share the experts.

The GPUs go through the layers together, so a step takes as long as on the busiest.  Decoding sequences are
spread evenly; a prompt is computed by one GPU, and prompts that end in the same step by as many as there are.
Not modelled: GPUs that serve fewer or shorter sequences than others.
"""

from __future__ import annotations

from typing import Final

from simulator.deployment import Deployment

AGREEING_S: Final = 0.7e-3
"""What agreeing on every step takes the engines of such a replica, s.

Qwen3.6-35B-A3B under vLLM 0.20 on B300 (`fpm_golden_runs`, decode steps at equal batches of all GPUs): two
engines of two GPUs take 1.7 ms a step longer than one of four, four of two and eight of one 2.1 and 1.8 ms
longer than one of eight.  NCCL's all-gather and reduce-scatter of 40 layers are 0.9 ms of it on four GPUs and
1.4 ms on eight (aiconfigurator-core 0.12.0, NCCL 2.29.2); this is the median of the rests."""


def prompt_ranks(d: Deployment, prompt_ends: int) -> int:
    """Return how many GPUs share the prompt tokens of a step in which `prompt_ends` prompts end.

    Examples
    --------
    Where heads are split all GPUs compute all tokens, which counts as one:

    >>> from types import SimpleNamespace
    >>> prompt_ranks(SimpleNamespace(sequence_ranks=1), 5)
    1
    >>> [prompt_ranks(SimpleNamespace(sequence_ranks=4), ends) for ends in (0, 1, 2, 9)]
    [1, 1, 2, 4]
    """
    return min(d.sequence_ranks, max(1, prompt_ends))


def busiest_tokens(d: Deployment, prompt_tokens: int, prompt_ends: int, batch: int) -> int:
    """Return the tokens of the GPU with the most of them.

    Parameters
    ----------
    d : the deployment.
    prompt_tokens, prompt_ends : computed in the step, and prompts that end in it.
    batch : decoding sequences of all GPUs, padded alike.
    """
    return -(-prompt_tokens // prompt_ranks(d, prompt_ends)) + -(-batch // d.sequence_ranks)
