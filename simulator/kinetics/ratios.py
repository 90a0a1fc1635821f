"""Attention against parameters (Phi), and how the KV cache grows with a family's models.

Source: Kinetics, arXiv 2506.05333, section 3 and the authors' project page.  Dense attention throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SimulatorError
from simulator.kinetics.checks import check_positive, check_whole, check_word
from simulator.kinetics.cost import Variant
from simulator.kinetics.model import ELEMENT_BYTES, KineticsModel

Fit = Literal["log", "linear"]


def phi(
    model: KineticsModel,
    *,
    prompt_tokens: int,
    output_tokens: int,
    ridge_flops_per_byte: float,
    trials: int = 1,
    variant: Variant = "corrected",
) -> float:
    """Return Phi: eFLOPs of attention per eFLOP of parameters, weights amortised.

    Parameters
    ----------
    model : P, D and r.
    prompt_tokens, output_tokens : C, at least 0, and L, at least 1.
    ridge_flops_per_byte : I.
    trials : N, which share the reads of the prompt.
    variant : ``as_published`` leaves the reads of the prompt, 2 I C D / N, out.

    Notes
    -----
    Published: (2 r C D + (r + I) D L) / 2 P.  Divided by the parameter term, Eq. 4 has one term more, so the
    published ratio is that of Eq. 4 only without a prompt or for endlessly many trials.

    Examples
    --------
    >>> from simulator.kinetics import PAPER_RIDGE, kinetics_model
    >>> small = kinetics_model("qwen3-0.6b", parameters="paper")
    >>> round(phi(small, prompt_tokens=0, output_tokens=4096, ridge_flops_per_byte=PAPER_RIDGE))
    88
    """
    prompt_tokens = check_whole("prompt_tokens", prompt_tokens, least=0)
    output_tokens = check_whole("output_tokens", output_tokens, least=1)
    trials = check_whole("trials", trials, least=1)
    ridge_flops_per_byte = check_positive("ridge_flops_per_byte", ridge_flops_per_byte)
    check_word("variant", variant, Variant)
    _check_context(model, prompt_tokens + output_tokens)
    per_prompt, per_output = _attention_per_token(model, ridge_flops_per_byte, trials, variant)
    attention = per_prompt * prompt_tokens + per_output * output_tokens
    return attention / (2.0 * model.active_parameters)


def _attention_per_token(
    model: KineticsModel, ridge_flops_per_byte: float, trials: int, variant: Variant
) -> tuple[float, float]:
    """Return the eFLOPs of attention that a prompt token and an output token add, by output token."""
    d, r = model.kv_elements_per_token, model.query_heads_per_kv_head
    reads = ELEMENT_BYTES * ridge_flops_per_byte * d / trials if variant == "corrected" else 0.0
    return 2.0 * r * d + reads, (r + ridge_flops_per_byte) * d


def phi_one_length(
    model: KineticsModel,
    *,
    prompt_tokens: int,
    ridge_flops_per_byte: float,
    trials: int = 1,
    variant: Variant = "corrected",
) -> float:
    """Return the output length, tokens, from which attention costs more than parameters (Phi = 1).

    Parameters
    ----------
    model, prompt_tokens, ridge_flops_per_byte, trials, variant : as in `phi`.

    Raises
    ------
    SimulatorError
        If attention costs more from the first token on, or never within the model's context.

    Examples
    --------
    >>> from simulator.kinetics import PAPER_RIDGE, kinetics_model
    >>> large = kinetics_model("qwen3-32b", parameters="paper")
    >>> round(phi_one_length(large, prompt_tokens=0, ridge_flops_per_byte=PAPER_RIDGE))
    876
    """
    prompt_tokens = check_whole("prompt_tokens", prompt_tokens, least=0)
    trials = check_whole("trials", trials, least=1)
    ridge_flops_per_byte = check_positive("ridge_flops_per_byte", ridge_flops_per_byte)
    check_word("variant", variant, Variant)
    per_prompt_token, per_output = _attention_per_token(model, ridge_flops_per_byte, trials, variant)
    left = 2.0 * model.active_parameters - per_prompt_token * prompt_tokens
    if left <= 0.0:
        most = int(2.0 * model.active_parameters / per_prompt_token)
        message = (
            f"after a prompt of {prompt_tokens} tokens attention of {model.name} costs more than its "
            f"parameters from the first token on; allowed: prompts up to {most} tokens"
        )
        raise SimulatorError(message)
    length = left / per_output
    _check_context(model, prompt_tokens + length)
    return length


def kv_growth(models: Sequence[KineticsModel], *, fit: Fit = "log") -> float:
    """Return by how much KV bytes per token grow when parameters double, over a family of models.

    Parameters
    ----------
    models : two or more, of different sizes.
    fit : least squares of the power law in logarithms, or in the bytes themselves, which weighs large models
        more.

    Raises
    ------
    SimulatorError
        With fewer than two sizes.
    """
    check_word("fit", fit, Fit)
    sizes = np.array([m.active_parameters for m in models], dtype=np.float64)
    kv = np.array([m.kv_bytes_per_token for m in models], dtype=np.float64)
    if len(set(sizes.tolist())) < 2:  # noqa: PLR2004 - a slope needs two points
        message = f"{len(set(sizes.tolist()))} model sizes; allowed: two or more different ones"
        raise SimulatorError(message)
    return float(2.0 ** power_law(sizes, kv, fit=fit)[1])


def power_law(x: NDArray[np.float64], y: NDArray[np.float64], *, fit: Fit) -> tuple[float, float]:
    """Return a and b of y = a x^b by least squares.

    Parameters
    ----------
    x, y : above 0, shape (points,) each; two or more different x.
    fit : in logarithms, or in y itself, which weighs large values more.
    """
    unit = float(x.mean())
    logs = np.log2(x / unit)
    centred = logs - logs.mean()
    exponent = float((centred * np.log2(y)).sum() / (centred * centred).sum())
    scale = float(2.0 ** (np.log2(y).mean() - exponent * logs.mean()))
    if fit == "linear":
        scale, exponent = _in_values(logs, y, exponent)
    return scale / unit**exponent, exponent


def _in_values(x: NDArray[np.float64], y: NDArray[np.float64], slope: float) -> tuple[float, float]:
    """Return a and b of y = a 2^(b x) by Gauss-Newton steps from `slope`; a follows from b in closed form."""
    scale = 0.0
    for _ in range(100):
        shape = 2.0 ** (slope * x)
        scale = float((shape * y).sum() / (shape * shape).sum())
        jacobian = np.stack([shape, scale * shape * x * np.log(2.0)], axis=1)
        step = float(np.linalg.lstsq(jacobian, y - scale * shape)[0][1])
        slope += step
        if abs(step) < 1e-12:  # noqa: PLR2004 - beyond any figure that is printed
            break
    return scale, slope


def _check_context(model: KineticsModel, tokens: float) -> None:
    if tokens > model.max_context_tokens:
        most = model.max_context_tokens
        message = f"a context of {tokens:g} tokens is beyond {model.name}; allowed: up to {most}"
        raise SimulatorError(message)
