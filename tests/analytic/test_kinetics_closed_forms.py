"""The simulator and the closed forms of `simulator.kinetics` agree where they must.

One task on one replica, KV capacity unlimited, weight reads amortised: FLOPs, bytes and eFLOPs as the
simulator accounts for them; step times and random lengths stand in test_kinetics_step_times.py and
test_kinetics_random_lengths.py.  The first token of a trial comes from its prompt, so an output of n tokens
takes n - 1 decode steps.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import LONG_MODEL, scenario, tasks, workload

from simulator import simulate
from simulator.attention import (
    Attention,
    BlockTopKAttention,
    DenseAttention,
    SlidingWindowAttention,
    TopKAttention,
)
from simulator.kinetics import BF16_RIDGE, Cost, KineticsModel, cost
from simulator.model import Architecture

ARCHITECTURES = {
    "dense": Architecture.model_validate(LONG_MODEL),
    "experts": Architecture.model_validate(
        {**LONG_MODEL, "name": "experts", "experts": {"count": 8, "active": 2, "ffn_size": 128}}
    ),
}
PROMPT, OUTPUT = 100, 701

KINDS = [
    DenseAttention(),
    TopKAttention(kv_budget_tokens=64),
    TopKAttention(kv_budget_tokens=256),
    BlockTopKAttention(kv_budget_tokens=64, block_tokens=16),
    BlockTopKAttention(kv_budget_tokens=256, block_tokens=64),
    SlidingWindowAttention(window_tokens=140, sink_tokens=4),
]


def simulated(attention: Attention, trials: int = 1, model: str = "dense", **engine: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    run = scenario(
        workload(
            tasks=tasks(1, PROMPT),
            lengths={"kind": "constant", "tokens": OUTPUT},
            strategy={"kind": "best_of_n", "trials": trials},
        ),
        model={"preset": ARCHITECTURES[model].model_dump(), "attention": attention.model_dump()},
        engine=engine,
    )
    return dict(simulate(run).summary["kinetics"])


def closed(attention: Attention, trials: int = 1, model: str = "dense", **more: Any) -> Cost:  # noqa: ANN401 - keywords of `cost`
    return cost(
        KineticsModel.of(ARCHITECTURES[model]),
        attention,
        trials=trials,
        prompt_tokens=PROMPT,
        output_tokens=OUTPUT - 1,
        ridge_flops_per_byte=BF16_RIDGE,
        summation=more.pop("summation", "steps"),
        **more,
    )


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize("attention", KINDS, ids=lambda kind: f"{kind.kind}-{max(kind.caps, default=0)}")
@pytest.mark.parametrize("model", sorted(ARCHITECTURES))
def test_simulated_eflops_are_those_of_the_closed_form(attention: Attention, trials: int, model: str) -> None:
    run, form = simulated(attention, trials, model), closed(attention, trials, model)
    assert run["ridge_flops_per_byte"] == BF16_RIDGE
    assert run["decode_flops_per_task"] == pytest.approx(form.compute_flops, rel=1e-12)
    assert run["decode_bytes_per_task"] == pytest.approx(form.memory_bytes, rel=1e-12)
    assert run["decode_eflops_per_task"] == pytest.approx(form.eflops, rel=1e-12)


def test_a_mixture_of_experts_counts_its_active_parameters() -> None:
    experts = ARCHITECTURES["experts"]
    assert experts.active_parameters < 0.8 * experts.parameters
    flops = simulated(DenseAttention(), model="experts")["decode_flops_per_task"]
    attention = closed(DenseAttention(), model="experts").attention_flops
    assert flops - attention == 2 * experts.active_parameters * (OUTPUT - 1)


def test_a_prompt_read_once_is_that_of_equation_3() -> None:
    family = DenseAttention(prefix_reads="once_per_family")
    run = simulated(family, 5, kv={"capacity": "unlimited", "prefix_sharing": True})
    assert run["decode_eflops_per_task"] == pytest.approx(closed(family, 5).eflops, rel=1e-12)


@pytest.mark.parametrize("attention", KINDS[:2], ids=["dense", "topk"])
def test_the_papers_integral_is_within_a_step_of_the_simulation(attention: Attention) -> None:
    run = simulated(attention)["decode_eflops_per_task"]
    form = closed(attention, summation="integral", variant="as_published").eflops
    assert math.isclose(run, form, rel_tol=1.0 / (2 * PROMPT + OUTPUT - 1))
    assert run >= form
