"""Step work summed over a generation gives the closed forms of Kinetics (arXiv 2506.05333).

The paper integrates over the generation; a simulator takes whole steps.  With contexts Lin + 1 .. Lin + Lout
each closed form reappears with one discrete term more, which is stated in full here.  Symbols are the
paper's: N trials, Lin prompt, Lout generated, D KV elements per token, r query heads per KV head,
B KV budget, S block size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import architecture, deployment, summed

from simulator.attention import (
    Attention,
    AttentionWork,
    BlockTopKAttention,
    ContextArray,
    DenseAttention,
    TopKAttention,
)
from simulator.latency.operations import AttentionCosts

models = st.sampled_from(["qwen3-0.6b", "qwen3-8b", "qwen3-14b", "qwen3-30b-a3b"])
trials = st.integers(1, 5)
prompts = st.integers(1, 300)
outputs = st.integers(1, 120)


def generation(attention: Attention, trials: int, prompt: int, output: int) -> AttentionWork:
    contexts = ContextArray([prompt + 1] * trials, [(("prompt", prompt),)] * trials)
    return attention.step_work(contexts, output)


def shape(model: str) -> tuple[int, int]:
    """Return (r, D) of a model."""
    a = architecture(model)
    return a.query_heads // a.kv_heads, a.kv_elements_per_token


@given(model=models, n=trials, l_in=prompts, l_out=outputs)
def test_dense_flops_are_equation_2_and_one_discrete_term(model: str, n: int, l_in: int, l_out: int) -> None:
    r, d = shape(model)
    costs = AttentionCosts.of(deployment(model))
    flops = summed(generation(DenseAttention(), n, l_in, l_out).attended_tokens) * costs.attended_flops
    assert flops == r * n * d * l_out**2 + 2 * r * n * l_in * d * l_out + r * n * d * l_out


@given(model=models, n=trials, l_in=prompts, l_out=outputs)
def test_dense_bytes_with_a_prompt_read_once_are_equation_3_and_one_discrete_term(
    model: str, n: int, l_in: int, l_out: int
) -> None:
    _, d = shape(model)
    costs = AttentionCosts.of(deployment(model))
    kind = DenseAttention(prefix_reads="once_per_family")
    read = summed(generation(kind, n, l_in, l_out).read_tokens) * costs.read_bytes
    assert read == 2 * l_in * d * l_out + n * d * l_out**2 + n * d * l_out


@given(model=models, n=trials, l_in=prompts, l_out=outputs)
def test_ordinary_kernels_read_the_prompt_in_each_trial(model: str, n: int, l_in: int, l_out: int) -> None:
    _, d = shape(model)
    costs = AttentionCosts.of(deployment(model))
    read = summed(generation(DenseAttention(), n, l_in, l_out).read_tokens) * costs.read_bytes
    assert read == 2 * n * l_in * d * l_out + n * d * l_out**2 + n * d * l_out


@given(model=models, n=trials, budget=st.integers(1, 200), more=st.integers(0, 50), l_out=outputs)
def test_topk_from_a_prompt_no_shorter_than_the_budget_is_equation_8_without_a_rest(
    model: str, n: int, budget: int, more: int, l_out: int
) -> None:
    r, d = shape(model)
    costs = AttentionCosts.of(deployment(model))
    work = generation(TopKAttention(kv_budget_tokens=budget), n, budget + more, l_out)
    assert summed(work.attended_tokens) * costs.attended_flops == 2 * r * n * d * budget * l_out
    assert summed(work.read_tokens) * costs.read_bytes == 2 * n * d * budget * l_out


@given(budget=st.integers(1, 200), l_in=prompts, l_out=outputs)
def test_topk_ramps_up_from_a_shorter_prompt(budget: int, l_in: int, l_out: int) -> None:
    work = generation(TopKAttention(kv_budget_tokens=budget), 1, l_in, l_out)
    # Each of the first budget - Lin steps misses what the context is short of the budget.
    short = max(0, budget - l_in)
    ramp = min(short, l_out)
    missing = ramp * short - ramp * (ramp + 1) // 2
    assert summed(work.attended_tokens) == budget * l_out - missing


@given(
    model=models,
    n=trials,
    size=st.sampled_from([1, 4, 16]),
    prompt_blocks=st.integers(0, 9),
    blocks=st.integers(1, 9),
)
def test_block_search_in_whole_blocks_is_equation_9_and_one_discrete_term(
    model: str, n: int, size: int, prompt_blocks: int, blocks: int
) -> None:
    r, d = shape(model)
    kind = BlockTopKAttention(kv_budget_tokens=size, block_tokens=size)
    costs = AttentionCosts.of(deployment(model, attention=kind))
    l_in, l_out = prompt_blocks * size, blocks * size
    entries = summed(generation(kind, n, l_in, l_out).index_entries)
    # Eq. 9 with r on both terms, as in the authors' code, and the prompt's keys scored in each trial.
    assert 2 * size * entries == 2 * n * l_in * l_out + n * l_out**2 + n * size * l_out
    assert entries * costs.index_flops == pytest.approx(
        r * (2 * n * l_in * d * l_out + n * d * l_out**2) / (2 * size) + r * n * d * l_out / 2, rel=1e-15
    )
    assert entries * costs.index_bytes == pytest.approx(
        (2 * n * l_in * d * l_out + n * d * l_out**2) / (2 * size) + n * d * l_out / 2, rel=1e-15
    )


def test_one_generation_of_qwen3_8b_by_numbers() -> None:
    # D = 2 * 8 * 128 * 36 = 73,728 and r = 4: 4 * 73,728 * (16,384^2 + 2 * 200 * 16,384 + 16,384).
    work = generation(DenseAttention(), 1, 200, 16_384)
    flops = summed(work.attended_tokens) * AttentionCosts.of(deployment()).attended_flops
    assert flops == 294_912 * (268_435_456 + 6_553_600 + 16_384) == 81_102_404_321_280
