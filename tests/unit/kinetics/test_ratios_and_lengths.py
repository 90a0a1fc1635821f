"""Phi, lengths of equal cost and the growth of KV: against their definitions and the published figures."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator.attention import DenseAttention
from simulator.errors import SimulatorError
from simulator.kinetics import (
    BF16_RIDGE,
    PAPER_RIDGE,
    KineticsModel,
    cost,
    iso_eflops_length,
    iso_flops_length,
    kinetics_model,
    kv_growth,
    phi,
    phi_one_length,
)

SIZES = ("0.6b", "1.7b", "4b", "8b", "14b", "32b")
QWEN3 = {size: kinetics_model(f"qwen3-{size}", parameters="paper") for size in SIZES}
FAMILY = DenseAttention(prefix_reads="once_per_family")
models = st.sampled_from(SIZES).map(QWEN3.__getitem__)
ridges = st.sampled_from([PAPER_RIDGE, BF16_RIDGE])


@given(model=models, c=st.integers(0, 4000), length=st.integers(1, 30_000), n=st.integers(1, 9), i=ridges)
def test_phi_is_the_cost_of_attention_over_that_of_parameters(
    model: KineticsModel, c: int, length: int, n: int, i: float
) -> None:
    asked: dict[str, Any] = {
        "prompt_tokens": c,
        "output_tokens": length,
        "trials": n,
        "ridge_flops_per_byte": i,
    }
    total = cost(model, FAMILY, **asked)
    assert phi(model, **asked) == pytest.approx(
        (total.eflops - total.parameter_flops) / total.parameter_flops, rel=1e-9
    )
    # What the published ratio leaves out are the reads of the prompt, which endlessly many trials share.
    missing = 2 * i * c * model.kv_elements_per_token / n / (2 * model.active_parameters)
    printed = phi(model, **asked, variant="as_published")
    assert phi(model, **asked) - printed == pytest.approx(missing, rel=1e-9, abs=1e-9)


@given(model=models, c=st.integers(0, 60), n=st.integers(1, 9), i=ridges)
def test_phi_is_one_at_the_length_where_it_is_one(model: KineticsModel, c: int, n: int, i: float) -> None:
    try:
        length = phi_one_length(model, prompt_tokens=c, ridge_flops_per_byte=i, trials=n)
    except SimulatorError:
        assume(False)  # noqa: FBT003 - Hypothesis's own signature
    below, above = (
        phi(model, prompt_tokens=c, output_tokens=tokens, ridge_flops_per_byte=i, trials=n)
        for tokens in (max(1, int(length)), int(length) + 1)
    )
    assert above >= 1.0
    assert below <= 1.0 or length < 1.0


@given(model=models, c=st.integers(0, 4000), length=st.integers(1, 30_000), i=ridges)
def test_the_length_of_a_cost_is_the_length_that_cost_it(
    model: KineticsModel, c: int, length: int, i: float
) -> None:
    spent = cost(model, FAMILY, trials=1, prompt_tokens=c, output_tokens=length, ridge_flops_per_byte=i)
    found = iso_eflops_length(model, spent.eflops, ridge_flops_per_byte=i, prompt_tokens=c)
    assert found == pytest.approx(length, rel=1e-9)
    assert iso_flops_length(model, spent.parameter_flops) == pytest.approx(length, rel=1e-12)
    memory = i * model.kv_elements_per_token * length**2
    assert iso_eflops_length(model, memory, ridge_flops_per_byte=i, terms="memory") == pytest.approx(length)


# Figures printed or drawn in the paper, or worked out from its equations by hand.
@pytest.mark.parametrize(
    ("size", "printed"), [("0.6b", 88), ("1.7b", 33), ("4b", 21), ("8b", 10.4), ("14b", 6.4), ("32b", 4.7)]
)
def test_phi_at_4096_tokens(size: str, printed: float) -> None:
    found = phi(QWEN3[size], prompt_tokens=0, output_tokens=4096, ridge_flops_per_byte=PAPER_RIDGE)
    assert found == pytest.approx(printed, abs=0.5 if printed > 20 else 0.05)


def test_phi_of_the_smallest_model_at_32768_tokens() -> None:
    found = phi(QWEN3["0.6b"], prompt_tokens=0, output_tokens=32_768, ridge_flops_per_byte=PAPER_RIDGE)
    assert found == pytest.approx(705, abs=0.5)


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("qwen3-0.6b", 46),
        ("qwen3-1.7b", 125),
        ("qwen3-4b", 192),
        ("qwen3-8b", 392),
        ("qwen3-14b", 635),
        ("qwen3-32b", 876),
        ("qwen3-30b-a3b", 235),
    ],
)
def test_output_length_where_phi_is_one(name: str, tokens: int) -> None:
    model = kinetics_model(name, parameters="paper")
    assert round(phi_one_length(model, prompt_tokens=0, ridge_flops_per_byte=PAPER_RIDGE)) == tokens


@pytest.mark.parametrize(
    ("size", "eflops", "tokens"),
    [
        ("0.6b", 1e16, 17_610),
        ("1.7b", 1e16, 17_610),
        ("4b", 1e16, 15_530),
        ("8b", 1e16, 15_530),
        ("32b", 1e16, 11_646),
        ("0.6b", 2e16, 24_900),
        ("8b", 2e16, 21_960),
        ("32b", 2e16, 16_470),
    ],
)
def test_iso_eflops_curves_of_figure_6(size: str, eflops: float, tokens: int) -> None:
    found = iso_eflops_length(QWEN3[size], eflops, ridge_flops_per_byte=PAPER_RIDGE, terms="memory")
    assert found == pytest.approx(tokens, abs=6)


def test_the_14b_curve_of_figure_6_is_that_of_a_model_of_48_layers() -> None:
    model = QWEN3["14b"]
    deeper = replace(model, kv_elements_per_token=model.kv_elements_per_token // 40 * 48)
    real, drawn = (
        iso_eflops_length(m, 1e16, ridge_flops_per_byte=PAPER_RIDGE, terms="memory") for m in (model, deeper)
    )
    assert drawn == pytest.approx(13_450, abs=6)
    assert real == pytest.approx(14_731, abs=6)


def test_14b_with_8k_tokens_costs_as_much_as_4b_with_9k() -> None:
    spent = cost(
        QWEN3["14b"],
        FAMILY,
        trials=1,
        prompt_tokens=0,
        output_tokens=8192,
        ridge_flops_per_byte=PAPER_RIDGE,
    )
    assert spent.eflops / 1e12 == pytest.approx(3361.9, abs=0.05)
    assert round(iso_eflops_length(QWEN3["4b"], spent.eflops, ridge_flops_per_byte=PAPER_RIDGE)) == 8876


def test_kv_grows_by_1_15_per_doubling_in_logarithms_and_by_1_18_in_bytes_over_nominal_sizes() -> None:
    assert kv_growth(list(QWEN3.values())) == pytest.approx(1.150, abs=0.0005)
    nominal = [replace(m, active_parameters=float(size[:-1]) * 1e9) for size, m in QWEN3.items()]
    assert kv_growth(nominal, fit="linear") == pytest.approx(1.180, abs=0.0005)


@given(growth=st.floats(1.01, 2.0), sizes=st.lists(st.integers(1, 500), min_size=2, max_size=7, unique=True))
def test_both_fits_find_an_exact_power_law(growth: float, sizes: list[int]) -> None:
    base = QWEN3["8b"]
    exponent = math.log2(growth)
    family = [
        replace(base, active_parameters=size * 1e8, kv_elements_per_token=size**exponent) for size in sizes
    ]
    assert kv_growth(family) == pytest.approx(growth, rel=1e-9)
    assert kv_growth(family, fit="linear") == pytest.approx(growth, rel=1e-6)
