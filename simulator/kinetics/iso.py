"""Lengths that cost the same: iso-FLOPs, iso-eFLOPs and the inverse of the whole cost.

Source: Kinetics, arXiv 2506.05333, Fig. 6.  Its iso-eFLOPs curves hold the KV reads alone, I D L^2.
One trial, dense attention, weights amortised.  Lengths beyond a model's context are refused.
"""

from __future__ import annotations

import math
from typing import Literal

from simulator.errors import SimulatorError
from simulator.kinetics.checks import check_positive, check_whole, check_word
from simulator.kinetics.model import ELEMENT_BYTES, KineticsModel

Terms = Literal["memory", "all"]


def iso_flops_length(model: KineticsModel, flops: float) -> float:
    """Return the output, tokens, whose parameter FLOPs are `flops`: C / 2 P, the law before Kinetics.

    Raises
    ------
    SimulatorError
        If that is below one token or beyond the model's context.
    """
    flops = check_positive("flops", flops)
    per_token = 2.0 * model.active_parameters
    _check_range("flops", flops, per_token, per_token * model.max_context_tokens)
    return flops / per_token


def iso_eflops_length(
    model: KineticsModel,
    eflops: float,
    *,
    ridge_flops_per_byte: float,
    prompt_tokens: int = 0,
    terms: Terms = "all",
) -> float:
    """Return the output of one trial, tokens, that costs `eflops`.

    Parameters
    ----------
    model : P, D and r.
    eflops : the cost, additive.
    ridge_flops_per_byte : I.
    prompt_tokens : C; only with all terms.
    terms : ``all`` inverts Eq. 4 with N = 1; ``memory`` is sqrt(C / (I D)), the curves of Fig. 6.

    Raises
    ------
    SimulatorError
        If that is below one token or beyond the model's context; says which costs are allowed.

    Examples
    --------
    >>> from simulator.kinetics import PAPER_RIDGE, kinetics_model
    >>> qwen3_8b = kinetics_model("qwen3-8b", parameters="paper")
    >>> round(iso_eflops_length(qwen3_8b, 1e16, ridge_flops_per_byte=PAPER_RIDGE, terms="memory"))
    15528
    """
    check_word("terms", terms, Terms)
    eflops = check_positive("eflops", eflops)
    ridge_flops_per_byte = check_positive("ridge_flops_per_byte", ridge_flops_per_byte)
    prompt_tokens = check_whole("prompt_tokens", prompt_tokens, least=0)
    d, r, i = model.kv_elements_per_token, model.query_heads_per_kv_head, ridge_flops_per_byte
    linear, square = 0.0, i * d
    if terms == "all":
        square = (r + i) * d
        linear = 2.0 * model.active_parameters + 2.0 * (r + 0.5 * ELEMENT_BYTES * i) * d * prompt_tokens
    elif prompt_tokens:
        message = f"prompt_tokens {prompt_tokens}; allowed with terms 'memory': 0"
        raise SimulatorError(message)
    most = model.max_context_tokens - prompt_tokens
    if most < 1:
        message = f"prompt_tokens {prompt_tokens}; allowed: 0 to {model.max_context_tokens - 1}"
        raise SimulatorError(message)
    _check_range("eflops", eflops, linear + square, (linear + square * most) * most)
    # The root of the smaller sum: no difference of near numbers.
    return 2.0 * eflops / (linear + math.sqrt(linear * linear + 4.0 * square * eflops))


def _check_range(name: str, value: float, least: float, most: float) -> None:
    """Refuse a cost whose length is below one token or beyond the model's context.

    Raises
    ------
    SimulatorError
        With the costs that are allowed.
    """
    # A cost worked out from the longest context may come back half a unit in the last place higher.
    if not least * (1 - 1e-12) <= value <= most * (1 + 1e-12):
        message = f"{name} {value:g}; allowed: {least:g} (one token) to {most:g} (the model's context)"
        raise SimulatorError(message)
