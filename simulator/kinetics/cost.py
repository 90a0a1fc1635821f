"""The cost of decoding N trials in closed form (Kinetics, arXiv 2506.05333, Eq. 1-4 and 8-10, appendix A.1).

Symbols: P active parameters, N trials, C prompt (L_in), L output (L_out), D KV elements per token, r query
heads per KV head, B KV budget, S block, I ridge in FLOP/byte.  The integrals of the paper are

    parameters   2 P N L                                        FLOPs
    attention    2 r D a, with a = N (C L + L^2 / 2) dense or N B L top-k     FLOPs
    KV read      2 D a, dense with the prompt once for all trials             bytes
    selection    r D b and D b, with b = N (C L + L^2 / 2) / S mean keys      FLOPs and bytes

`variant` ``corrected`` is what the simulator counts; ``as_published`` differs in what `cost` lists.

Ignored: prefill, activations, collectives, everything but matrix products and attention.  Trials of a
task are taken to run side by side and, where the prompt is shared, to be equally long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from simulator.attention import (
    Attention,
    BlockTopKAttention,
    DenseAttention,
    SlidingWindowAttention,
)
from simulator.errors import SimulatorError
from simulator.kinetics.checks import check_positive, check_whole, check_word, is_number
from simulator.kinetics.lengths import OutputLengths, OutputTokens, check_filled, output_lengths
from simulator.kinetics.model import ELEMENT_BYTES, KineticsModel

Combine = Literal["additive", "max"]
Variant = Literal["corrected", "as_published"]
Summation = Literal["integral", "steps"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a task costs: FLOPs and HBM bytes by part, and how the two are weighed.

    Parameters
    ----------
    parameter_flops, attention_flops, selection_flops : FLOPs.
    weight_bytes, kv_bytes, selection_bytes : bytes read.
    ridge_flops_per_byte : FLOPs that one byte counts for (I).
    combine : ``additive`` (the paper) or ``max`` (its appendix A.1).
    """

    parameter_flops: float
    attention_flops: float
    selection_flops: float
    weight_bytes: float
    kv_bytes: float
    selection_bytes: float
    ridge_flops_per_byte: float
    combine: Combine

    @property
    def compute_flops(self) -> float:
        """FLOPs (C_comp)."""
        return self.parameter_flops + self.attention_flops + self.selection_flops

    @property
    def memory_bytes(self) -> float:
        """Bytes read (C_mem)."""
        return self.weight_bytes + self.kv_bytes + self.selection_bytes

    @property
    def eflops(self) -> float:
        """eFLOPs: C_comp + I C_mem, or the larger of the two."""
        memory = self.ridge_flops_per_byte * self.memory_bytes
        if self.combine == "max":
            return max(self.compute_flops, memory)
        return self.compute_flops + memory


@dataclass(frozen=True, slots=True)
class _Generation:
    """The generation that a cost is asked for."""

    model: KineticsModel
    trials: int
    prompt_tokens: int
    lengths: OutputLengths
    variant: Variant
    summation: Summation

    @property
    def own_tokens(self) -> float:
        """Generated tokens in the contexts of one trial, over its steps: E[L^2] / 2, + E[L] / 2 in steps."""
        discrete = self.lengths.mean_tokens if self.summation == "steps" else 0.0
        return 0.5 * (self.lengths.mean_square_tokens2 + discrete)

    @property
    def prompt_reads(self) -> float:
        """Prompt tokens in the contexts of one trial, over its steps: C E[L]."""
        return self.prompt_tokens * self.lengths.mean_tokens


def cost(
    model: KineticsModel,
    attention: Attention,
    *,
    trials: int,
    prompt_tokens: int,
    output_tokens: OutputTokens,
    ridge_flops_per_byte: float,
    combine: Combine = "additive",
    variant: Variant = "corrected",
    summation: Summation = "integral",
    concurrent_tasks: float = math.inf,
) -> Cost:
    """Return what decoding the trials of one task costs.

    Parameters
    ----------
    model : parameters (its own, or the paper's), D and r.
    attention : dense, top-k, block top-k or a sliding window, which costs as top-k of its size.
    trials : N, at least 1.
    prompt_tokens : C, at least 0.
    output_tokens : L of every trial; lengths one by one; or moments.
    ridge_flops_per_byte : I; `PAPER_RIDGE` (562.5) or `BF16_RIDGE` (281.25) for B200.
    combine : ``additive`` (Eq. 4) or ``max`` (appendix A.1, of the expected FLOPs and bytes).
    variant : ``corrected``, or ``as_published``, see below.
    summation : ``integral``, the paper's, or ``steps``, the literal sum over contexts C + 1 .. C + L.
    concurrent_tasks : tasks that share each read of the weights; unlimited drops it (Eq. 4), 1 is Eq. 3.

    Returns
    -------
    Cost
        Of the whole task, mean over random lengths.

    Raises
    ------
    SimulatorError
        For values out of range, a budget longer than the longest context, contexts beyond the model's, and
        ``as_published`` where a trial ends before its budget is full; says what is allowed.

    Notes
    -----
    ``as_published`` takes

    - dense: Eq. 1-4, with the prompt read once for all trials;
    - top-k: Eq. 8 and, for prompts shorter than the budget, the ramp of the authors' script, B L +
      (B - C)^2 / 2, whose sign is wrong.  Both are equal for C >= B, and then correct;
    - block top-k: the script's ramp B L - (B - C)^2 / 2, and Eq. 9 as printed: no r at the prompt's term,
      the prompt's mean keys read once for all trials.

    Both ramps are those of trials that fill their budget; with shorter ones among them they are refused.

    ``corrected`` has the right ramp and r at both terms of Eq. 9, and each trial reads the mean keys of its
    whole context, as in the simulator.  A dense prompt is read as `attention.prefix_reads` says.

    With weights read by few tasks, a mixture of experts touches more than its active parameters; this is
    left out.

    Examples
    --------
    >>> from simulator.kinetics import PAPER_RIDGE, kinetics_model
    >>> qwen3_14b = kinetics_model("qwen3-14b", parameters="paper")
    >>> task = {"trials": 1, "prompt_tokens": 0, "output_tokens": 8192}
    >>> total = cost(qwen3_14b, DenseAttention(), ridge_flops_per_byte=PAPER_RIDGE, **task)
    >>> round(total.eflops / 1e12, 1)
    3361.9
    """
    check_word("combine", combine, Combine)
    check_word("variant", variant, Variant)
    check_word("summation", summation, Summation)
    trials = check_whole("trials", trials, least=1)
    prompt_tokens = check_whole("prompt_tokens", prompt_tokens, least=0)
    ridge_flops_per_byte = check_positive("ridge_flops_per_byte", ridge_flops_per_byte)
    concurrent_tasks = _checked_tasks(concurrent_tasks)
    lengths = output_lengths(output_tokens)
    g = _Generation(model, trials, prompt_tokens, lengths, variant, summation)
    _check(g, attention)
    attended, read = _attended(g, attention)
    selection_flops, selection_bytes = _selection(g, attention)
    d, r = model.kv_elements_per_token, model.query_heads_per_kv_head
    return Cost(
        parameter_flops=2.0 * model.active_parameters * trials * lengths.mean_tokens,
        attention_flops=2.0 * r * d * attended,
        selection_flops=selection_flops,
        weight_bytes=ELEMENT_BYTES * model.active_parameters * lengths.mean_tokens / concurrent_tasks,
        kv_bytes=ELEMENT_BYTES * d * read,
        selection_bytes=selection_bytes,
        ridge_flops_per_byte=ridge_flops_per_byte,
        combine=combine,
    )


def kv_budget_tokens(attention: Attention) -> int | None:
    """Return the tokens that a query attends to at most, or None if to all."""
    if isinstance(attention, SlidingWindowAttention):
        return attention.window_tokens + attention.sink_tokens
    return None if isinstance(attention, DenseAttention) else attention.kv_budget_tokens


def _attended(g: _Generation, attention: Attention) -> tuple[float, float]:
    """Return query-key pairs attended to and tokens read, over all steps and trials."""
    budget = kv_budget_tokens(attention)
    if budget is None:
        own = g.trials * g.own_tokens
        prompts = 1 if attention.reads_prefix_once else g.trials
        return g.trials * g.prompt_reads + own, prompts * g.prompt_reads + own
    per_trial = budget * g.lengths.mean_tokens
    short = max(0, budget - g.prompt_tokens)
    if g.variant == "corrected":
        per_trial -= g.lengths.missing_tokens(short, whole_steps=g.summation == "steps")
    else:
        per_trial += (-0.5 if isinstance(attention, BlockTopKAttention) else 0.5) * short**2
    return g.trials * per_trial, g.trials * per_trial


def _selection(g: _Generation, attention: Attention) -> tuple[float, float]:
    """Return FLOPs and bytes of scoring mean keys, over all steps and trials (C_search)."""
    if not isinstance(attention, BlockTopKAttention):
        return 0.0, 0.0
    d, r, block = g.model.kv_elements_per_token, g.model.query_heads_per_kv_head, attention.block_tokens
    if g.variant == "as_published":
        own = g.trials * g.own_tokens
        return d * (g.trials * g.prompt_reads + r * own) / block, d * (g.prompt_reads + own) / block
    if g.summation == "steps":
        keys = g.trials * g.lengths.whole_blocks(g.prompt_tokens, block)
    else:
        keys = g.trials * (g.prompt_reads + g.own_tokens) / block
    return r * d * keys, d * keys


def _checked_tasks(concurrent_tasks: float) -> float:
    """Return the tasks that share each read of the weights.

    Raises
    ------
    SimulatorError
        If they are no number of at least 1.
    """
    if not is_number(concurrent_tasks) or not concurrent_tasks >= 1.0:
        message = f"concurrent_tasks {concurrent_tasks!r}; allowed: 1 or more, inf to leave weight reads out"
        raise SimulatorError(message)
    return float(concurrent_tasks)


def _check(g: _Generation, attention: Attention) -> None:
    """Refuse what the forms do not hold for.

    Raises
    ------
    SimulatorError
        With what was given and what is allowed.
    """
    longest = g.prompt_tokens + g.lengths.longest_tokens
    if longest > g.model.max_context_tokens:
        message = (
            f"a prompt of {g.prompt_tokens} and an output of {g.lengths.longest_tokens} tokens exceed the "
            f"context of {g.model.name}; allowed: {g.model.max_context_tokens} together"
        )
        raise SimulatorError(message)
    budget = kv_budget_tokens(attention)
    if budget is not None and budget > longest:
        message = f"a KV budget of {budget} tokens exceeds the longest context; allowed: 1 to {longest}"
        raise SimulatorError(message)
    if g.variant == "as_published":
        _check_published(g, attention)


def _check_published(g: _Generation, attention: Attention) -> None:
    """Refuse what was not published, and what the published forms do not hold for."""
    if g.summation != "integral":
        message = f"as_published forms are integrals; summation {g.summation!r} needs variant 'corrected'"
        raise SimulatorError(message)
    if isinstance(attention, DenseAttention) and g.trials > 1 and not attention.reads_prefix_once:
        message = (
            "as_published dense attention reads the prompt once for all trials; allowed: prefix_reads "
            "'once_per_family', or variant 'corrected'"
        )
        raise SimulatorError(message)
    budget = kv_budget_tokens(attention)
    if budget is not None:  # both ramps are of trials that fill it; for shorter ones they give any sign
        check_filled(g.lengths, budget - g.prompt_tokens, otherwise="variant 'corrected'")
