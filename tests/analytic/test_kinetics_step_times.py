"""Simulated step times against the closed form over the peak, under a roofline that combines as it does.

One GPU, unlimited KV capacity, prompts that are there, all sequences in step.  Time x peak FLOP/s is then the
closed form's eFLOPs at the ridge of that GPU, but for what the two define differently:

- the step reads its weights once for the whole batch: `concurrent_tasks` of the closed form, 1 / batch;
- it multiplies by matrices alone, where P counts the look-up of embeddings (if untied) and the norms too;
- it moves activations, new keys and values and the norms' traffic, which the closed form leaves out.

The last two are worked out here by hand and added.  They do not grow with the context, so the closed form
alone is met in the limit of large batches of long contexts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import scenario, tables_of, tasks, workload

from simulator.attention import Attention, BlockTopKAttention, DenseAttention, TopKAttention
from simulator.kinetics import Cost, KineticsModel, cost
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

PEAK, BANDWIDTH = 2.25e15, 8e12
"""bf16 FLOP/s and bytes/s of B200."""
RIDGE = PEAK / BANDWIDTH
NS_ROUNDING = 2e-6
"""Half a nanosecond of the shortest step here, 0.3 ms."""
OUTPUT = 201
STEPS = OUTPUT - 1
"""The first token of a trial comes from its prompt."""

DENSE, TOPK = DenseAttention(), TopKAttention(kv_budget_tokens=512)
BLOCKS = BlockTopKAttention(kv_budget_tokens=512, block_tokens=32)


@dataclass(frozen=True)
class ByHand:
    """What a step does besides attention, worked out from a configuration.

    Parameters
    ----------
    weights : elements of the matrices that a token is multiplied by.
    read : elements of the matrices that a step of some tokens reads.
    moved_bytes : activations and new keys and values of a token.
    norm_bytes : traffic of the norms of a token.
    """

    weights: float
    read: Callable[[int], float]
    moved_bytes: float
    norm_bytes: float


def by_hand(model: Architecture) -> ByHand:
    hidden, inside = model.hidden_size, model.query_heads * model.head_dim
    kv = 2 * model.kv_heads * model.head_dim
    attention = hidden * (inside + kv) + inside * hidden
    moved = (hidden + inside + kv) + (inside + hidden) + kv  # qkv, o, new keys and values
    if model.experts is None:
        always, one = 3 * hidden * model.ffn_size, 0
        moved += (hidden + 2 * model.ffn_size) + (model.ffn_size + hidden)
        used, touched = 0, _nothing
    else:
        e = model.experts
        always, one, used = hidden * e.count, 3 * hidden * e.ffn_size, e.active
        moved += (hidden + e.count) + e.active * (2 * hidden + 3 * e.ffn_size)

        def touched(tokens: int) -> float:
            return e.count * (1 - (1 - e.active / e.count) ** tokens)

    head = model.vocab_size * hidden

    def read(tokens: int) -> float:
        return model.layers * (attention + always + touched(tokens) * one) + head

    return ByHand(
        model.layers * (attention + always + used * one) + head,
        read,
        2.0 * (model.layers * moved + hidden + model.vocab_size),
        2.0 * model.layers * 2 * 4 * hidden,
    )


def _nothing(_: int) -> float:
    return 0.0


def preset(name: str) -> Architecture:
    return load_part(find("model", name), Architecture)


def decode_seconds(
    model: str,
    attention: Attention,
    combine: str,
    batch: int,
    prompt: int,
    **parts: Any,  # noqa: ANN401 - raw parts
) -> float:
    """Return the time of all decode steps of a run, s."""
    run = scenario(
        workload(tasks=tasks(batch, prompt), lengths={"kind": "constant", "tokens": OUTPUT}),
        engine={
            "latency": {"kind": "roofline", "combine": combine, "layer_overhead_s": 0.0},
            "prefill": "remote",
            "max_sequences": batch,
            "kv": {"capacity": "unlimited"},
        },
        model={"preset": preset(model).model_dump(), "attention": attention.model_dump()},
        **parts,
    )
    steps = tables_of(run).steps
    decoding = steps["prefill_tokens"] == 0
    assert set(steps["decode_sequences"][decoding]) == {batch}
    assert steps["steps"][decoding].sum() == STEPS
    return float((steps["end_ns"] - steps["start_ns"])[decoding].sum()) / 1e9


def closed(model: str, attention: Attention, batch: int, prompt: int, **more: Any) -> Cost:  # noqa: ANN401 - keywords
    return cost(
        KineticsModel.of(preset(model)),
        attention,
        trials=1,
        prompt_tokens=prompt,
        output_tokens=STEPS,
        ridge_flops_per_byte=RIDGE,
        summation="steps",
        concurrent_tasks=batch,
        **more,
    )


def both_sides(model: str, attention: Attention, batch: int, prompt: int) -> tuple[float, float, float]:
    """Return FLOPs, bytes and the norms' bytes of a task: the closed form and what it defines otherwise."""
    form, hand = closed(model, attention, batch, prompt), by_hand(preset(model))
    used = KineticsModel.of(preset(model)).active_parameters
    flops = form.compute_flops - 2 * (used - hand.weights) * STEPS
    moved = form.memory_bytes + (2 * (hand.read(batch) - used) / batch + hand.moved_bytes) * STEPS
    return flops, moved, hand.norm_bytes * STEPS


@pytest.mark.parametrize("model", ["qwen3-0.6b", "qwen3-8b", "qwen3-30b-a3b"])
def test_parameters_that_no_token_is_multiplied_by_are_norms_and_the_look_up_of_embeddings(
    model: str,
) -> None:
    a = preset(model)
    table = 0 if a.tied_embeddings else a.vocab_size * a.hidden_size
    norms = a.layers * (2 * a.hidden_size + 2 * a.head_dim) + a.hidden_size
    assert a.active_parameters - by_hand(a).weights == table + norms


@pytest.mark.parametrize("attention", [DENSE, TOPK, BLOCKS], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("model", ["qwen3-0.6b", "qwen3-8b", "qwen3-30b-a3b"])
def test_additive_step_times_are_the_additive_form(model: str, batch: int, attention: Attention) -> None:
    seconds = decode_seconds(model, attention, "additive", batch, 1000)
    flops, moved, norms = both_sides(model, attention, batch, 1000)
    assert seconds * PEAK / batch == pytest.approx(flops + RIDGE * (moved + norms), rel=NS_ROUNDING)


@pytest.mark.parametrize(("model", "left"), [("qwen3-8b", 1.01), ("qwen3-30b-a3b", 1.02)])
def test_large_batches_of_long_contexts_meet_the_form_without_weights(model: str, left: float) -> None:
    """Eq. 4 drops the read of the weights; what is left of it and of the activations shrinks to 1 or 2 %.

    A mixture of experts takes larger batches: they read all experts, ten times the parameters of a token.
    """
    equation_4 = closed(model, DENSE, 1, 16_384).eflops - RIDGE * closed(model, DENSE, 1, 16_384).weight_bytes
    ratios = [
        decode_seconds(model, DENSE, "additive", batch, 16_384) * PEAK / batch / equation_4
        for batch in (1, 16, 256, 4096)
    ]
    assert all(later < sooner for sooner, later in pairwise(ratios))
    assert ratios[0] > 2
    assert 1.0 < ratios[-1] < left


@pytest.mark.parametrize(
    ("model", "attention", "batch", "prompt", "bound"),
    [
        ("qwen3-0.6b", DENSE, 1, 1000, "memory"),
        ("qwen3-8b", DENSE, 1, 1000, "memory"),
        ("qwen3-8b", DENSE, 4096, 1, "compute"),
        ("qwen3-30b-a3b", DENSE, 64, 1000, "memory"),
        ("qwen3-30b-a3b", TopKAttention(kv_budget_tokens=16), 16_384, 1, "compute"),
    ],
)
def test_step_times_of_perfect_overlap_are_the_max_form_where_one_side_bounds_every_step(
    model: str, attention: Attention, batch: int, prompt: int, bound: str
) -> None:
    seconds = decode_seconds(model, attention, "max_of_sum", batch, prompt)
    flops, moved, norms = both_sides(model, attention, batch, prompt)
    form = closed(model, attention, batch, prompt, combine="max")
    sides = {"compute": flops, "memory": RIDGE * moved}
    assert max(sides, key=sides.__getitem__) == bound
    assert form.eflops == (form.compute_flops if bound == "compute" else RIDGE * form.memory_bytes)
    # Norms are apart in the roofline: they overlap with nothing.
    assert seconds * PEAK / batch == pytest.approx(sides[bound] + RIDGE * norms, rel=NS_ROUNDING)


def test_where_the_bound_changes_between_steps_perfect_overlap_takes_longer_than_the_max_form() -> None:
    """The paper takes the larger of two sums over the task, a machine the larger of two in every step."""
    model, batch, prompt = "qwen3-8b", 2048, 180
    flops, moved, norms = both_sides(model, DENSE, batch, prompt)
    seconds = decode_seconds(model, DENSE, "max_of_sum", batch, prompt)
    a = KineticsModel.of(preset(model))
    hand = by_hand(preset(model))
    per_step = [
        max(
            2 * hand.weights + 2 * a.query_heads_per_kv_head * a.kv_elements_per_token * context,
            RIDGE * (2 * hand.weights / batch + hand.moved_bytes + a.kv_bytes_per_token * context),
        )
        for context in range(prompt + 1, prompt + STEPS + 1)
    ]
    assert seconds * PEAK / batch == pytest.approx(sum(per_step) + RIDGE * norms, rel=NS_ROUNDING)
    assert sum(per_step) > 1.0005 * max(flops, RIDGE * moved)


@pytest.mark.parametrize(("batch", "bounds_differ"), [(1, False), (1024, True)])
def test_overlap_by_operation_lies_between_the_two_forms(batch: int, *, bounds_differ: bool) -> None:
    """`sum_of_max`, the roofline's default, has no closed form in the paper; those that have bound it."""
    longest, default, shortest = (
        decode_seconds("qwen3-8b", DENSE, combine, batch, 400)
        for combine in ("additive", "sum_of_max", "max_of_sum")
    )
    assert shortest <= default < longest
    # With one sequence memory bounds every operation, so that nothing is left to overlap otherwise.
    assert (shortest < default) is bounds_differ
