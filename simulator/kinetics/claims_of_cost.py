"""Claims about what a task costs, which the closed forms alone reach."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from simulator.attention import DenseAttention, TopKAttention
from simulator.hardware import Gpu
from simulator.kinetics.accuracy import PROMPT_TOKENS
from simulator.kinetics.claims import Claim, Sources
from simulator.kinetics.cost import Variant, cost
from simulator.kinetics.iso import iso_eflops_length
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S, PAPER_RIDGE, KineticsModel, kinetics_model
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

TERA: Final = 1e12
READ_RATIO: Final = 0.05
"""How well a length or a cost can be read from a figure, relative."""
PAPER_FORM: Final = "the paper's P, 562.5 FLOP/byte, dense, one trial, no prompt"


@cache
def paper_model(size: str) -> KineticsModel:
    """Return a model of the paper by its size, with the paper's parameters."""
    return kinetics_model(f"qwen3-{size}", parameters="paper")


def _ridge(_: Sources) -> float:
    b200 = load_part(find("gpu", "b200-sxm"), Gpu)
    return b200.peak("fp8") / b200.hbm_bandwidth_bytes_per_s.value


def _table(budget: int, prompt: int, tokens_of_32: int, variant: Variant) -> Callable[[Sources], float]:
    """Return eFLOPs, Tera, of a row of the authors' cost tables: top-k, mean over 32 generations."""

    def ours(_: Sources) -> float:
        mean, rest = divmod(tokens_of_32, 32)
        return (
            cost(
                paper_model("8b"),
                TopKAttention(kv_budget_tokens=budget),
                trials=1,
                prompt_tokens=prompt,
                output_tokens=[mean + 1] * rest + [mean] * (32 - rest),
                ridge_flops_per_byte=PAPER_RIDGE,
                variant=variant,
            ).eflops
            / TERA
        )

    return ours


def _dense_eflops(size: str, output: int) -> float:
    return cost(
        paper_model(size),
        DenseAttention(),
        trials=1,
        prompt_tokens=0,
        output_tokens=output,
        ridge_flops_per_byte=PAPER_RIDGE,
    ).eflops


def _equal_length(_: Sources) -> float:
    return iso_eflops_length(paper_model("4b"), _dense_eflops("14b", 8192), ridge_flops_per_byte=PAPER_RIDGE)


def _drawn(size: str) -> Callable[[Sources], float]:
    """Return the length of Fig. 6 at 1e16 eFLOPs."""
    return lambda _: iso_eflops_length(
        paper_model(size), 1e16, ridge_flops_per_byte=PAPER_RIDGE, terms="memory"
    )


def _bought(size: str, tera: float) -> Callable[[Sources], float]:
    """Return the length of one dense trial that a budget buys."""
    return lambda _: iso_eflops_length(
        paper_model(size), tera * TERA, ridge_flops_per_byte=PAPER_RIDGE, prompt_tokens=PROMPT_TOKENS
    )


def _row(budget: int, prompt: int, tokens_of_32: int, published: float, after: str) -> Claim:
    return Claim(
        "cost",
        f"mean cost of a trial, Qwen3-8B, AIME24, top-k {budget}",
        published,
        "Tera-eFLOPs",
        1.1e-6,
        f"as_published; 32 generations of {tokens_of_32:,} tokens together after {after}",
        _table(budget, prompt, tokens_of_32, "as_published"),
        by="inferred inputs",
    )


COST: Final = (
    Claim(
        "cost",
        "ridge of B200",
        562.5,
        "FLOP/byte",
        0.05,
        "FP8 peak over HBM bandwidth of the data sheet; BF16: 281.25",
        _ridge,
        by="identity",
    ),
    Claim(
        "cost",
        "1e5 Tera-eFLOPs on one B200",
        22.0,
        "s",
        0.5,
        "at 4500 TFLOP/s",
        lambda _: 1e5 * TERA / PAPER_PEAK_FLOPS_PER_S,
        by="identity",
    ),
    _row(32, 32, 386_309, 230.011787, "a prompt no shorter than the budget"),
    _row(64, 64, 728_128, 494.357152, "a prompt no shorter than the budget"),
    _row(256, 218, 344_138, 406.193255, "a prompt of 218"),
    _row(1024, 212, 146_456, 493.994879, "a prompt of 212"),
    Claim(
        "cost",
        "the same table's row of budget 1024, summed correctly",
        493.994879,
        "Tera-eFLOPs",
        1.1e-6,
        "corrected; as the row before",
        _table(1024, 212, 146_456, "corrected"),
        because="the script adds (B - C)^2 / 2 where the budget is still short of it; it is to be subtracted",
        by="inferred inputs",
    ),
    Claim(
        "cost",
        "14B with 8K tokens costs as 4B with",
        9000,
        "tokens",
        500,
        PAPER_FORM,
        _equal_length,
        by="closed form",
    ),
    Claim(
        "cost",
        "14B with 8K tokens costs in FLOPs as 4B with",
        24_000,
        "tokens",
        500,
        "2 P L",
        lambda _: 8192 * paper_model("14b").active_parameters / paper_model("4b").active_parameters,
        because="14.77 / 4.02 of 8192 tokens are 30 thousand",
        by="closed form",
    ),
    *(
        Claim(
            "cost",
            f"iso-eFLOPs length at 1e16, {size.upper()}",
            tokens,
            "tokens",
            20,
            "sqrt(C / I D), the formula that the figure is drawn with; D of the configuration",
            _drawn(size),
            because=because,
            by="configuration",
        )
        for size, tokens, because in (
            ("0.6b", 17_610, ""),
            ("8b", 15_530, ""),
            ("14b", 13_450, "the curve is that of 48 layers (Qwen2.5-14B); Qwen3-14B has 40"),
            ("32b", 11_646, ""),
        )
    ),
    *(
        Claim(
            "cost",
            f"optimal CoT length of {size.upper()} at {tera:,.0f} Tera-eFLOPs",
            tokens,
            "tokens",
            READ_RATIO * tokens,
            "read from a figure to 5 %; ours: the dense trial that the whole cap buys, nothing is optimised",
            _bought(size, tera),
            because=because,
            by="closed form",
        )
        for size, tera, tokens, because in (
            ("14b", 1000, 4000, ""),
            ("14b", 2000, 6000, ""),
            ("14b", 5000, 9500, ""),
            ("14b", 10_000, 14_000, ""),
            ("14b", 19_000, 19_000, ""),
            ("32b", 20_000, 15_300, ""),
            (
                "32b",
                45_000,
                21_700,
                "the figure is below what the cap buys, by 10 %; why is not known",
            ),
        )
    ),
)
