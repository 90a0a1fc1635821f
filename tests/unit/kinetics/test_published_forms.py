"""The published forms: what they are, where they equal the corrected ones, and where they are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.attention import Attention, BlockTopKAttention, DenseAttention, TopKAttention
from simulator.errors import SimulatorError
from simulator.kinetics import PAPER_RIDGE, Cost, LengthMoments, cost, kinetics_model
from simulator.kinetics.cost import Variant

QWEN3_8B = kinetics_model("qwen3-8b", parameters="paper")
D, R, P = 73_728, 4, 8.19e9
FAMILY = DenseAttention(prefix_reads="once_per_family")
trials = st.integers(1, 8)
lengths = st.integers(1, 20_000)


def published(
    attention: Attention,
    n: int,
    c: int,
    length: int | list[int] | LengthMoments,
    variant: Variant = "as_published",
) -> Cost:
    return cost(
        QWEN3_8B,
        attention,
        trials=n,
        prompt_tokens=c,
        output_tokens=length,
        ridge_flops_per_byte=PAPER_RIDGE,
        variant=variant,
    )


# Eq. 4 and 8 to 9 as printed; the corrected forms and their sums are in the other files of this folder.
@given(n=trials, c=st.integers(0, 5000), length=lengths)
def test_dense_is_equation_4(n: int, c: int, length: int) -> None:
    i = PAPER_RIDGE
    printed = (
        2 * n * P * length
        + 2 * R * n * c * D * length
        + R * n * D * length**2
        + 2 * i * c * D * length
        + i * n * D * length**2
    )
    assert published(FAMILY, n, c, length).eflops == pytest.approx(printed, rel=1e-14)
    assert published(FAMILY, n, c, length, "corrected").eflops == pytest.approx(printed, rel=1e-14)


@given(n=trials, budget=st.integers(1, 5000), more=st.integers(0, 5000), length=lengths)
def test_topk_is_equation_8_where_the_prompt_fills_the_budget(
    n: int, budget: int, more: int, length: int
) -> None:
    printed = 2 * n * P * length + 2 * (R + PAPER_RIDGE) * n * D * budget * length
    topk = TopKAttention(kv_budget_tokens=budget)
    assert published(topk, n, budget + more, length).eflops == pytest.approx(printed, rel=1e-14)
    assert published(topk, n, budget + more, length, "corrected").eflops == pytest.approx(printed, rel=1e-14)


@given(n=trials, c=st.integers(0, 5000), length=lengths, size=st.sampled_from([1, 16, 128]))
def test_block_selection_is_equation_9_which_lacks_r_on_the_prompt(
    n: int, c: int, length: int, size: int
) -> None:
    kind = BlockTopKAttention(kv_budget_tokens=size, block_tokens=size)
    length = max(length, size)
    flops = (2 * n * c * D * length + R * n * D * length**2) / (2 * size)
    read = (2 * c * D * length + n * D * length**2) / (2 * size)
    found = published(kind, n, c, length)
    assert found.selection_flops == pytest.approx(flops, rel=1e-14)
    assert found.selection_bytes == pytest.approx(read, rel=1e-14)
    right = published(kind, n, c, length, "corrected")
    assert right.selection_flops - flops == pytest.approx(
        (R - 1) * n * c * D * length / size, rel=1e-9, abs=1e-6 * flops
    )
    assert right.selection_bytes - read == pytest.approx(
        (n - 1) * c * D * length / size, rel=1e-9, abs=1e-6 * read
    )


@given(c=st.integers(0, 1000), short=st.integers(0, 1000), more=st.integers(0, 1000))
def test_the_ramp_of_the_topk_script_has_the_wrong_sign_and_that_of_the_block_script_the_right_one(
    c: int, short: int, more: int
) -> None:
    budget, length = c + short, short + more
    if budget == 0 or length == 0:
        return
    topk = TopKAttention(kv_budget_tokens=budget)
    block = BlockTopKAttention(kv_budget_tokens=budget, block_tokens=1)
    right = published(topk, 1, c, length, "corrected").kv_bytes
    assert published(topk, 1, c, length).kv_bytes - right == 2 * D * short**2
    assert published(block, 1, c, length).kv_bytes == right


# The longer trial makes the budget allowed; the shorter ones never fill it.
@pytest.mark.parametrize("kind", ["topk", "block_topk"])
@pytest.mark.parametrize(
    ("budget", "prompt", "some"), [(4096, 1024, [1000, 3072]), (1024, 0, [10] * 99 + [1024])]
)
def test_published_ramps_are_refused_where_a_trial_ends_before_the_budget_is_full(
    kind: str, budget: int, prompt: int, some: list[int]
) -> None:
    attention = (
        TopKAttention(kv_budget_tokens=budget)
        if kind == "topk"
        else BlockTopKAttention(kv_budget_tokens=budget, block_tokens=16)
    )
    moments = LengthMoments(
        mean_tokens=sum(some) / len(some),
        mean_square_tokens2=sum(n * n for n in some) / len(some),
        shortest_tokens=min(some),
        longest_tokens=max(some),
    )
    for lengths in (some, moments):
        with pytest.raises(
            SimulatorError, match=rf"allowed: a budget at most {min(some)} tokens .* variant 'corrected'"
        ):
            published(attention, 1, prompt, lengths)
    exact = sum(min(prompt + i + 0.5, budget) for length in some for i in range(length)) / len(some)
    right = published(attention, 1, prompt, some, "corrected").kv_bytes
    assert right / (2 * D) == pytest.approx(exact, rel=1e-12)


# Cost tables of the authors' scripts: Qwen3-8B, AIME24, top-k, one trial, mean over 32 generations.  Their
# two printed numbers, six decimals each, follow from two integers: the sum of the 32 lengths and the prompt.
# That the sums come out whole is the check that nothing was fitted.
@pytest.mark.parametrize(
    ("budget", "prompt", "tokens_of_32", "printed"),
    [
        (32, 32, 386_309, (197.969774, 32.042014, 230.011787)),
        (64, 64, 728_128, (373.569455, 120.787698, 494.357152)),
        (256, 218, 344_138, (177.779911, 228.413344, 406.193255)),
        (1024, 212, 146_456, (77.925878, 416.069001, 493.994879)),
    ],
)
def test_the_published_cost_tables_come_out_to_their_printed_digits(
    budget: int, prompt: int, tokens_of_32: int, printed: tuple[float, float, float]
) -> None:
    # The prompts of the first two rows are at least the budget, which costs the same whatever they are.
    compute, memory, total = printed
    mean, rest = divmod(tokens_of_32, 32)
    lengths = [mean + 1] * rest + [mean] * (32 - rest)
    found = published(TopKAttention(kv_budget_tokens=budget), 1, prompt, lengths)
    assert round(found.compute_flops / 1e12, 6) == pytest.approx(compute, abs=1.1e-6)
    assert round(PAPER_RIDGE * found.memory_bytes / 1e12, 6) == pytest.approx(memory, abs=1.1e-6)
    assert round(found.eflops / 1e12, 6) == pytest.approx(total, abs=1.1e-6)
    two = published(TopKAttention(kv_budget_tokens=budget), 2, prompt, lengths)
    assert two.eflops == pytest.approx(2 * found.eflops, rel=1e-14)


def test_no_length_gives_the_published_memory_of_budget_1024_with_the_right_ramp() -> None:
    read = 416.069001e12 / (2 * D * PAPER_RIDGE)
    mean = (77.925878e12 - 2 * R * D * read) / (2 * P)
    assert read > 1024 * mean  # more than a full budget in every step
    right = 1024 * mean - (1024 - 212) ** 2 / 2
    assert read / right == pytest.approx(1.151, abs=0.001)


def test_decision_5_quotes_these_sums() -> None:
    topk = TopKAttention(kv_budget_tokens=4096)
    assert published(topk, 1, 1024, 8192).kv_bytes / (2 * D) == 38_273_024
    exact = cost(
        QWEN3_8B,
        topk,
        trials=1,
        prompt_tokens=1024,
        output_tokens=8192,
        ridge_flops_per_byte=PAPER_RIDGE,
        summation="steps",
    )
    assert sum(min(4096, 1024 + i) for i in range(8192)) == 28_834_304
    assert sum(min(4096, 1024 + i) for i in range(1, 8193)) == exact.kv_bytes / (2 * D)
