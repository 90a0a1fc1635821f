"""What the closed forms do not hold for is refused, with what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.attention import BlockTopKAttention, DenseAttention, TopKAttention
from simulator.errors import SimulatorError
from simulator.kinetics import (
    KineticsModel,
    LengthMoments,
    cost,
    iso_eflops_length,
    iso_flops_length,
    kinetics_model,
    kv_growth,
    phi,
    phi_one_length,
)

MODEL = kinetics_model("qwen3-8b")
GENERATION: dict[str, Any] = {
    "trials": 1,
    "prompt_tokens": 100,
    "output_tokens": 1000,
    "ridge_flops_per_byte": 562.5,
}


def moments(mean: float, square: float, low: int = 100, high: int = 2000) -> LengthMoments:
    return LengthMoments(
        mean_tokens=mean, mean_square_tokens2=square, shortest_tokens=low, longest_tokens=high
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"trials": 0}, "trials 0; allowed: a whole number, 1 or more"),
        ({"trials": 1.5}, r"trials 1\.5; allowed: a whole number"),
        ({"trials": True}, "trials True; allowed: a whole number"),
        ({"trials": "2"}, "trials '2'; allowed: a whole number"),
        ({"prompt_tokens": True}, "prompt_tokens True; allowed: a whole number"),
        ({"output_tokens": True}, "output_tokens True; allowed: one or more whole numbers from 1"),
        ({"output_tokens": [100, True]}, "output_tokens True; allowed: one or more whole numbers from 1"),
        ({"output_tokens": np.array([True])}, "output_tokens .*True.*; allowed: one or more whole numbers"),
        ({"output_tokens": "100"}, "output_tokens '100'; allowed: one or more whole numbers from 1"),
        ({"output_tokens": ["100"]}, "output_tokens '100'; allowed: one or more whole numbers from 1"),
        ({"ridge_flops_per_byte": "a"}, "ridge_flops_per_byte 'a'; allowed: a number above 0"),
        ({"ridge_flops_per_byte": True}, "ridge_flops_per_byte True; allowed: a number above 0"),
        ({"concurrent_tasks": "a"}, "concurrent_tasks 'a'; allowed: 1 or more"),
        ({"concurrent_tasks": True}, "concurrent_tasks True; allowed: 1 or more"),
        ({"concurrent_tasks": float("nan")}, "concurrent_tasks nan; allowed: 1 or more"),
        ({"prompt_tokens": -1}, "prompt_tokens -1; allowed: a whole number, 0 or more"),
        ({"output_tokens": 0}, "output_tokens 0; allowed: one or more whole numbers from 1"),
        ({"output_tokens": []}, "no output_tokens; allowed: one or more"),
        ({"output_tokens": [10, 10.5]}, r"output_tokens 10\.5; allowed: one or more whole numbers"),
        ({"output_tokens": 40_900}, "exceed the context of qwen3-8b; allowed: 40960 together"),
        ({"ridge_flops_per_byte": 0.0}, r"ridge_flops_per_byte 0\.0; allowed: a number above 0"),
        ({"ridge_flops_per_byte": float("nan")}, "ridge_flops_per_byte nan; allowed: a number above 0"),
        ({"concurrent_tasks": 0.5}, r"concurrent_tasks 0\.5; allowed: 1 or more"),
        ({"variant": "published"}, "unknown variant 'published'; did you mean as_published"),
        ({"summation": "step"}, "unknown summation 'step'; did you mean steps"),
        ({"combine": "sum"}, "unknown combine 'sum'; allowed: additive, max"),
        ({"variant": "as_published", "summation": "steps"}, "as_published forms are integrals"),
        ({"variant": "as_published", "trials": 2}, "allowed: prefix_reads 'once_per_family'"),
    ],
)
def test_a_generation_out_of_range_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulatorError, match=said):
        cost(MODEL, DenseAttention(), **GENERATION | changed)


def test_a_budget_longer_than_the_longest_context_is_refused() -> None:
    with pytest.raises(SimulatorError, match="1101 tokens exceeds the longest context; allowed: 1 to 1100"):
        cost(MODEL, TopKAttention(kv_budget_tokens=1101), **GENERATION)
    assert cost(MODEL, TopKAttention(kv_budget_tokens=1100), **GENERATION).eflops > 0


def test_a_budget_that_is_not_whole_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"100 is not a whole number of blocks of 16 .* nearest allowed: 96"):
        BlockTopKAttention(kv_budget_tokens=100, block_tokens=16)


def test_moments_that_do_not_say_how_many_trials_fill_the_budget_are_refused() -> None:
    some = GENERATION | {"output_tokens": moments(1000, 1.2e6)}
    with pytest.raises(SimulatorError, match="allowed: a budget at most 100 tokens longer than the prompt"):
        cost(MODEL, TopKAttention(kv_budget_tokens=201), **some)
    assert cost(MODEL, TopKAttention(kv_budget_tokens=200), **some).eflops > 0


def test_moments_do_not_give_whole_blocks() -> None:
    some = GENERATION | {"output_tokens": moments(1000, 1.2e6), "summation": "steps"}
    with pytest.raises(SimulatorError, match="allowed: recorded lengths, or summation 'integral'"):
        cost(MODEL, BlockTopKAttention(kv_budget_tokens=16, block_tokens=16), **some)


@pytest.mark.parametrize(
    ("mean", "square", "said"),
    [
        (50, 1e4, "allowed: 1 <= shortest <= mean <= longest"),
        (1000, 0.9e6, r"allowed: 1e\+06 to 1\.9e\+06"),
        (1000, 2e6, r"allowed: 1e\+06 to 1\.9e\+06"),
        (float("nan"), 2e6, "mean_tokens nan; allowed: a number above 0"),
        ("a", 2e6, "mean_tokens 'a'; allowed: a number above 0"),
        (1000, True, "mean_square_tokens2 True; allowed: a number above 0"),
    ],
)
def test_moments_of_no_distribution_are_refused(mean: float, square: float, said: str) -> None:
    with pytest.raises(SimulatorError, match=said):
        moments(mean, square)


def test_lengths_of_an_array_are_as_good_as_those_of_a_list() -> None:
    listed, array = (
        cost(MODEL, DenseAttention(), **GENERATION | {"output_tokens": lengths})
        for lengths in ([10, 500], np.array([10, 500]))
    )
    assert listed == array


def test_numbers_of_numpy_are_as_good_as_those_of_python() -> None:
    given = {
        "trials": np.int64(2),
        "prompt_tokens": np.int32(100),
        "output_tokens": np.int16(1000),
        "ridge_flops_per_byte": np.float32(562.5),
        "concurrent_tasks": np.int64(8),
    }
    plain: dict[str, Any] = {name: value.item() for name, value in given.items()}
    attention = TopKAttention(kv_budget_tokens=200)
    numpys, pythons = (cost(MODEL, attention, **one) for one in (given, plain))
    assert numpys == pythons
    assert type(numpys.eflops) is float
    asked: dict[str, Any] = {name: given[name] for name in ("prompt_tokens", "ridge_flops_per_byte")}
    assert phi(MODEL, output_tokens=given["output_tokens"], **asked) == phi(
        MODEL, output_tokens=1000, prompt_tokens=100, ridge_flops_per_byte=562.5
    )
    assert type(iso_eflops_length(MODEL, np.float32(1e16), **asked)) is float
    square = np.int64(1_200_000)
    whole = LengthMoments(
        mean_tokens=np.int64(1000),
        mean_square_tokens2=square,
        shortest_tokens=np.int64(100),
        longest_tokens=2000,
    )
    assert whole == moments(1000, 1.2e6)


def test_a_model_the_paper_does_not_have_has_no_parameters_of_the_paper() -> None:
    with pytest.raises(SimulatorError, match=r"no parameters of llama-3\.1-8b in the paper; .*qwen3-8b"):
        kinetics_model("llama-3.1-8b", parameters="paper")


def test_costs_outside_of_one_token_and_the_models_context_have_no_length() -> None:
    with pytest.raises(SimulatorError, match=r"eflops 1e\+20; allowed: .* \(the model's context\)"):
        iso_eflops_length(MODEL, 1e20, ridge_flops_per_byte=562.5)
    with pytest.raises(SimulatorError, match=r"eflops 10; allowed: .* \(one token\)"):
        iso_eflops_length(MODEL, 10.0, ridge_flops_per_byte=562.5)
    with pytest.raises(SimulatorError, match=r"flops 1e\+20; allowed"):
        iso_flops_length(MODEL, 1e20)
    with pytest.raises(SimulatorError, match="prompt_tokens 40960; allowed: 0 to 40959"):
        iso_eflops_length(MODEL, 1e15, ridge_flops_per_byte=562.5, prompt_tokens=40_960)
    with pytest.raises(SimulatorError, match="prompt_tokens 5; allowed with terms 'memory': 0"):
        iso_eflops_length(MODEL, 1e15, ridge_flops_per_byte=562.5, prompt_tokens=5, terms="memory")


def test_phi_is_refused_beyond_the_models_context() -> None:
    with pytest.raises(
        SimulatorError, match=r"a context of 41000 tokens is beyond qwen3-8b; allowed: up to 40960"
    ):
        phi(MODEL, prompt_tokens=1000, output_tokens=40_000, ridge_flops_per_byte=562.5)


def test_phi_is_never_one_after_a_prompt_that_costs_more_than_the_parameters() -> None:
    with pytest.raises(SimulatorError, match="allowed: prompts up to 196 tokens"):
        phi_one_length(MODEL, prompt_tokens=197, ridge_flops_per_byte=562.5)
    assert phi_one_length(MODEL, prompt_tokens=196, ridge_flops_per_byte=562.5) < 1.0


def test_unknown_words_are_refused_with_the_nearest() -> None:
    wrong: dict[str, Any] = {"parameters": "exakt"}
    with pytest.raises(SimulatorError, match="unknown parameters 'exakt'; did you mean exact"):
        kinetics_model("qwen3-8b", **wrong)
    wrong = {"fit": "lin", "terms": "al", "variant": "right"}
    with pytest.raises(SimulatorError, match="unknown fit 'lin'; did you mean linear"):
        kv_growth([MODEL, MODEL], fit=wrong["fit"])
    with pytest.raises(SimulatorError, match="unknown terms 'al'; did you mean all"):
        iso_eflops_length(MODEL, 1e15, ridge_flops_per_byte=562.5, terms=wrong["terms"])
    asked: dict[str, Any] = {"prompt_tokens": 0, "ridge_flops_per_byte": 562.5, "variant": wrong["variant"]}
    for ask in (phi_one_length, lambda model, **more: phi(model, output_tokens=1, **more)):
        with pytest.raises(SimulatorError, match="unknown variant 'right'; allowed: as_published, corrected"):
            ask(MODEL, **asked)


def test_growth_needs_two_sizes() -> None:
    same: list[KineticsModel] = [MODEL, MODEL]
    with pytest.raises(SimulatorError, match="1 model sizes; allowed: two or more different ones"):
        kv_growth(same)
