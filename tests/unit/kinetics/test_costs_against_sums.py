"""Each closed form against the sum that it stands for, step by step, on random generations."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.attention import Attention, BlockTopKAttention, DenseAttention, TopKAttention
from simulator.kinetics import Cost, KineticsModel, LengthMoments, cost, kinetics_model
from simulator.kinetics.lengths import OutputTokens

MODELS = {name: kinetics_model(name) for name in ("qwen3-0.6b", "qwen3-14b", "qwen3-30b-a3b")}
RIDGE = 281.25

models = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)
trials = st.integers(1, 5)
prompts = st.integers(0, 300)
outputs = st.integers(1, 200)
several = st.lists(outputs, min_size=1, max_size=6)
FAMILY = DenseAttention(prefix_reads="once_per_family")


def generation(
    model: KineticsModel,
    attention: Attention,
    n: int,
    c: int,
    output: OutputTokens,
    **more: Any,  # noqa: ANN401 - keywords of `cost`
) -> Cost:
    return cost(
        model,
        attention,
        trials=n,
        prompt_tokens=c,
        output_tokens=output,
        ridge_flops_per_byte=RIDGE,
        **more,
    )


def middles(length: int) -> list[float]:
    """Contexts at the middle of each step, after the prompt: their sum is the integral of a line."""
    return [i + 0.5 for i in range(length)]


def ends(length: int) -> list[int]:
    """Contexts that whole steps attend to, after the prompt."""
    return list(range(1, length + 1))


@given(model=models, n=trials, c=prompts, length=outputs, tasks=st.floats(1, 1e6))
def test_parameters_cost_two_flops_per_token_and_weights_are_read_once_for_all_that_share_them(
    model: KineticsModel, n: int, c: int, length: int, tasks: float
) -> None:
    found = generation(model, FAMILY, n, c, length, concurrent_tasks=tasks)
    assert found.parameter_flops == sum(2 * model.active_parameters for _ in range(n * length))
    assert found.weight_bytes == pytest.approx(
        math.fsum(2 * model.active_parameters / tasks for _ in range(length)), rel=1e-12
    )


@given(model=models, n=trials, c=prompts, length=outputs, steps=st.booleans())
def test_dense_attention_is_the_sum_over_contexts(
    model: KineticsModel, n: int, c: int, length: int, *, steps: bool
) -> None:
    d, r = model.kv_elements_per_token, model.query_heads_per_kv_head
    own = sum(ends(length) if steps else middles(length))
    summation = "steps" if steps else "integral"
    shared = generation(model, FAMILY, n, c, length, summation=summation)
    alone = generation(model, DenseAttention(), n, c, length, summation=summation)
    assert shared.attention_flops == alone.attention_flops == 2 * r * d * n * (c * length + own)
    assert shared.kv_bytes == 2 * d * (c * length + n * own)
    assert alone.kv_bytes == 2 * d * n * (c * length + own)
    assert shared.selection_flops == shared.selection_bytes == shared.weight_bytes == 0.0


@given(model=models, n=trials, c=prompts, lengths=several, data=st.data(), steps=st.booleans())
def test_topk_attention_is_the_mean_over_trials_of_the_capped_sum(
    model: KineticsModel, n: int, c: int, lengths: list[int], data: st.DataObject, *, steps: bool
) -> None:
    d, r = model.kv_elements_per_token, model.query_heads_per_kv_head
    budget = data.draw(st.integers(1, c + max(lengths)))
    summation = "steps" if steps else "integral"
    found = generation(model, TopKAttention(kv_budget_tokens=budget), n, c, lengths, summation=summation)
    # A budget is full at a whole step, so the middles of the steps give the integral here too.
    contexts = [x for length in lengths for x in (ends(length) if steps else middles(length))]
    attended = n * sum(min(budget, c + x) for x in contexts) / len(lengths)
    assert found.attention_flops == pytest.approx(2 * r * d * attended, rel=1e-14)
    assert found.kv_bytes == pytest.approx(2 * d * attended, rel=1e-14)


@given(model=models, n=trials, c=prompts, lengths=several, size=st.sampled_from([1, 3, 16, 64]))
def test_block_selection_scores_each_block_of_each_context(
    model: KineticsModel, n: int, c: int, lengths: list[int], size: int
) -> None:
    d, r = model.kv_elements_per_token, model.query_heads_per_kv_head
    kind = BlockTopKAttention(kv_budget_tokens=size, block_tokens=size)
    lengths = [max(length, size) for length in lengths]
    integral = generation(model, kind, n, c, lengths)
    keys = n * sum((c + x) / size for length in lengths for x in middles(length)) / len(lengths)
    assert integral.selection_flops == pytest.approx(r * d * keys, rel=1e-12)
    assert integral.selection_bytes == pytest.approx(d * keys, rel=1e-12)
    steps = generation(model, kind, n, c, lengths, summation="steps")
    keys = n * sum(-(-(c + x) // size) for length in lengths for x in ends(length)) / len(lengths)
    assert steps.selection_flops == pytest.approx(r * d * keys, rel=1e-12)
    assert steps.selection_bytes == pytest.approx(d * keys, rel=1e-12)


@given(model=models, n=trials, c=prompts, lengths=several, budget=outputs, steps=st.booleans())
def test_moments_cost_what_the_lengths_behind_them_cost_where_all_fill_the_budget(
    model: KineticsModel, n: int, c: int, lengths: list[int], budget: int, *, steps: bool
) -> None:
    moments = LengthMoments(
        mean_tokens=sum(lengths) / len(lengths),
        mean_square_tokens2=sum(x * x for x in lengths) / len(lengths),
        shortest_tokens=min(lengths),
        longest_tokens=max(lengths),
    )
    summation = "steps" if steps else "integral"
    for attention in (FAMILY, TopKAttention(kv_budget_tokens=min(budget, c + min(lengths)))):
        one = generation(model, attention, n, c, lengths, summation=summation)
        other = generation(model, attention, n, c, moments, summation=summation)
        assert other.eflops == pytest.approx(one.eflops, rel=1e-12)


@given(model=models, n=trials, c=prompts, length=outputs, tasks=st.floats(1, 1e9))
def test_the_max_form_lies_between_half_of_the_additive_one_and_all_of_it(
    model: KineticsModel, n: int, c: int, length: int, tasks: float
) -> None:
    additive = generation(model, FAMILY, n, c, length, concurrent_tasks=tasks)
    largest = generation(model, FAMILY, n, c, length, concurrent_tasks=tasks, combine="max")
    assert largest.eflops == max(largest.compute_flops, RIDGE * largest.memory_bytes)
    assert additive.eflops == additive.compute_flops + RIDGE * additive.memory_bytes
    assert additive.eflops / 2 <= largest.eflops <= additive.eflops


def test_a_mixture_of_experts_costs_its_active_parameters() -> None:
    model = MODELS["qwen3-30b-a3b"]
    found = generation(model, FAMILY, 1, 0, 100)
    assert 3.2e9 < model.active_parameters < 3.4e9
    assert found.parameter_flops == 200 * model.active_parameters
