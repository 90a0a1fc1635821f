"""The simulator and the closed forms of `simulator.kinetics` agree where they must.

One task on one replica, KV capacity unlimited, weight reads amortised, data-sheet roofline, additive.  The
first token of a trial comes from its prompt, so an output of n tokens takes n - 1 decode steps.
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

MODEL = KineticsModel.of(Architecture.model_validate(LONG_MODEL))
PROMPT, OUTPUT = 100, 701

KINDS = [
    DenseAttention(),
    TopKAttention(kv_budget_tokens=64),
    TopKAttention(kv_budget_tokens=256),
    BlockTopKAttention(kv_budget_tokens=64, block_tokens=16),
    BlockTopKAttention(kv_budget_tokens=256, block_tokens=64),
    SlidingWindowAttention(window_tokens=140, sink_tokens=4),
]


def simulated(attention: Attention, trials: int = 1, **engine: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    run = scenario(
        workload(
            tasks=tasks(1, PROMPT),
            lengths={"kind": "constant", "tokens": OUTPUT},
            strategy={"kind": "best_of_n", "trials": trials},
        ),
        attention=attention.model_dump(),
        engine=engine,
    )
    return dict(simulate(run).summary["kinetics"])


def closed(attention: Attention, trials: int = 1, **more: Any) -> Cost:  # noqa: ANN401 - keywords of `cost`
    return cost(
        MODEL,
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
def test_simulated_eflops_are_those_of_the_closed_form(attention: Attention, trials: int) -> None:
    run, form = simulated(attention, trials), closed(attention, trials)
    assert run["ridge_flops_per_byte"] == BF16_RIDGE
    assert run["decode_flops_per_task"] == pytest.approx(form.compute_flops, rel=1e-12)
    assert run["decode_bytes_per_task"] == pytest.approx(form.memory_bytes, rel=1e-12)
    assert run["decode_eflops_per_task"] == pytest.approx(form.eflops, rel=1e-12)


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
