"""Claims about KV sizes, attention against parameters and growth, and about the paper's fits by cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from simulator.kinetics.accuracy import MODELS
from simulator.kinetics.claims import Claim, Sources
from simulator.kinetics.claims_of_cost import PAPER_FORM
from simulator.kinetics.model import PAPER_RIDGE, kinetics_model
from simulator.kinetics.ratios import phi
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

GIB: Final = 2.0**30
LONG_TOKENS: Final = 32_768
"""Length behind the paper's table of KV sizes."""


@cache
def architecture(name: str) -> Architecture:
    """Return the configuration of a preset."""
    return load_part(find("model", name), Architecture)


def _kv_gib(size: str) -> Callable[[Sources], float]:
    return lambda _: LONG_TOKENS * kinetics_model(f"qwen3-{size}").kv_bytes_per_token / GIB


def _phi(tokens: int, choose: Callable[[list[float]], float]) -> Callable[[Sources], float]:
    """Return the extreme Phi of the six models."""
    return lambda _: choose(
        [
            phi(
                kinetics_model(name, parameters="paper"),
                prompt_tokens=0,
                output_tokens=tokens,
                ridge_flops_per_byte=PAPER_RIDGE,
            )
            for name in MODELS
        ]
    )


def _first_layer_percent(name: str) -> Callable[[Sources], float]:
    return lambda _: 100.0 / architecture(name).layers


def _sparsity(name: str) -> Callable[[Sources], float]:
    return lambda _: architecture(name).parameters / architecture(name).active_parameters


def _doubling(exponent: float) -> Callable[[Sources], float]:
    return lambda _: 2.0**exponent


def _budget_growth(_: Sources) -> float:
    """Return by how much the published fit of the KV budget grows from 500 to 1000 Tera-eFLOPs."""
    low, high = (81.77 * float(tera**0.25) - 212.0 for tera in (500.0, 1000.0))
    return high / low


MEMORY: Final = (
    Claim("memory", "KV of 32K tokens, 0.6B", 3.5, "GiB", 0.05, "BF16", _kv_gib("0.6b"), by="configuration"),
    Claim(
        "memory",
        "KV of 32K tokens, 14B",
        6.0,
        "GiB",
        0.05,
        "BF16",
        _kv_gib("14b"),
        because="6 GiB is Qwen2.5-14B with 48 layers; Qwen3-14B has 40",
        by="configuration",
    ),
    Claim("memory", "KV of 32K tokens, 32B", 8.0, "GiB", 0.05, "BF16", _kv_gib("32b"), by="configuration"),
    Claim(
        "memory",
        "Phi from 4096 tokens on, smallest of six models",
        10,
        "x",
        0.5,
        PAPER_FORM,
        _phi(4096, min),
        relation="at least",
        because="true up to 8B; 14B has 6.4 and 32B 4.7",
        by="closed form",
    ),
    Claim(
        "memory",
        "Phi up to 32K tokens, largest of six models",
        1000,
        "x",
        0.5,
        PAPER_FORM,
        _phi(LONG_TOKENS, max),
        relation="at most",
        by="closed form",
    ),
    Claim(
        "memory",
        "first layer left dense, 0.6B",
        3.57,
        "%",
        0.005,
        "one layer of all",
        _first_layer_percent("qwen3-0.6b"),
        by="configuration",
    ),
    Claim(
        "memory",
        "first layer left dense, 32B",
        1.56,
        "%",
        0.005,
        "one layer of all",
        _first_layer_percent("qwen3-32b"),
        by="configuration",
    ),
    Claim(
        "memory",
        "compute saved by a mixture of experts, 30B-A3B",
        10,
        "x",
        0.5,
        "all over active parameters",
        _sparsity("qwen3-30b-a3b"),
        relation="at least",
        because="30.5 over 3.35 billion parameters, embeddings included",
        by="configuration",
    ),
    Claim(
        "memory",
        "compute saved by a mixture of experts, 235B-A22B",
        10,
        "x",
        0.5,
        "all over active parameters",
        _sparsity("qwen3-235b-a22b"),
        relation="at least",
        by="configuration",
    ),
)

_FITTED: Final = (
    ("AIME24", 1.74, 0.80, 1.18, 0.25),
    ("AIME25", 1.67, 0.74, 1.13, 0.17),
    ("LiveCodeBench", 1.89, 0.92, 1.14, 0.19),
)
"""Growth of tokens per doubled cost and the exponent printed for it, by benchmark; the same of budgets."""

_WHY_BUDGET: Final = "2^0.25 is 1.189; the exponent is printed with two digits, and 0.24 would give 1.181"


def _fit(benchmark: str, what: str, published: float, exponent: float, because: str = "") -> Claim:
    return Claim(
        "fits",
        f"doubled cost, {benchmark}: {what}",
        published,
        "x",
        0.005,
        f"2^{exponent:.2f}, the exponent of the published fit",
        _doubling(exponent),
        because=because,
        by="identity",
    )


FITS: Final = (
    *(_fit(benchmark, "more tokens", tokens, exponent) for benchmark, tokens, exponent, _, _ in _FITTED),
    *(
        _fit(benchmark, "larger KV budget", budget, exponent, _WHY_BUDGET if exponent == 0.25 else "")  # noqa: PLR2004 - AIME24's, which differs
        for benchmark, _, _, budget, exponent in _FITTED
    ),
    Claim(
        "fits",
        "doubled cost, AIME24: larger KV budget itself, from 500 to 1000 Tera-eFLOPs",
        1.18,
        "x",
        0.005,
        "81.77 x^0.25 - 212, the published fit",
        _budget_growth,
        because="the power law is that of budget + 212; the budget grows faster",
        by="identity",
    ),
)
