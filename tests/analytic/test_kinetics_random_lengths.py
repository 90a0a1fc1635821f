"""Simulated tasks of random lengths against the closed form's expectation, Eq. 10 of Kinetics.

Against the lengths that were drawn the closed form is exact.  Against the distribution's moments the mean
over tasks is off by chance: by its standard error, which decides the tolerance and has to be small enough to
see E[L^2].
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import LONG_MODEL, scenario, tables_of, tasks, workload
from test_kinetics_step_times import PEAK, RIDGE, by_hand, preset

from simulator import simulate
from simulator.attention import Attention, DenseAttention, TopKAttention
from simulator.kinetics import BF16_RIDGE, Cost, KineticsModel, LengthMoments, cost
from simulator.model import Architecture
from simulator.scenario.schema import Scenario

MEDIAN, SIGMA, CAP, PROMPT = 400.0, 0.5, 900, 100
TASKS = 3000
MOST_ERRORS = 4.0
"""Standard errors that a mean may be off: by chance one in 16,000 is."""

TINY = Architecture.model_validate(LONG_MODEL)
EXPERTS = Architecture.model_validate(
    {**LONG_MODEL, "name": "experts", "experts": {"count": 8, "active": 2, "ffn_size": 128}}
)
TOPK = TopKAttention(kv_budget_tokens=100)


def moments() -> LengthMoments:
    """Return the moments of decode steps: min(round(lognormal), cap) less the token of the prompt."""
    normal = NormalDist(math.log(MEDIAN), SIGMA)
    upper = [normal.cdf(math.log(k + 0.5)) for k in range(CAP)] + [1.0]
    chances = np.diff(upper)  # of 1 .. CAP tokens
    steps = np.arange(CAP)
    assert chances.sum() == pytest.approx(1.0, abs=1e-9)
    assert chances[:20].sum() < 1e-8, "hardly any trial is shorter than 20 tokens"
    return LengthMoments(float(chances @ steps), float(chances @ steps**2), 20, CAP - 1)


def sampled(architecture: Architecture, attention: Attention, **engine: Any) -> Scenario:  # noqa: ANN401 - raw parts
    return scenario(
        workload(
            tasks=tasks(TASKS, PROMPT),
            lengths={"kind": "lognormal", "median_tokens": MEDIAN, "log_sigma": SIGMA},
            max_tokens=CAP,
        ),
        engine={"max_sequences": TASKS, "max_batched_tokens": 10_000_000, **engine},
        model={"preset": architecture.model_dump(), "attention": attention.model_dump()},
    )


def closed(architecture: Architecture, attention: Attention, lengths: Any, **more: Any) -> Cost:  # noqa: ANN401 - as `cost` takes them
    return cost(
        KineticsModel.of(architecture),
        attention,
        trials=1,
        prompt_tokens=PROMPT,
        output_tokens=lengths,
        ridge_flops_per_byte=BF16_RIDGE,
        summation="steps",
        **more,
    )


def standard_error(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("attention", [DenseAttention(), TOPK], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("architecture", [TINY, EXPERTS], ids=["dense", "experts"])
def test_simulated_eflops_of_random_lengths_are_the_expectation(
    architecture: Architecture, attention: Attention, seed: int
) -> None:
    result = simulate(sampled(architecture, attention), seed=seed)
    run, steps = dict(result.summary["kinetics"]), result.trials["output_tokens"].to_numpy() - 1
    drawn = closed(architecture, attention, steps)
    assert run["decode_eflops_per_task"] == pytest.approx(drawn.eflops, rel=1e-12)
    expected = closed(architecture, attention, moments())
    one_by_one = [closed(architecture, attention, int(n)).eflops for n in steps]
    error = standard_error(one_by_one)
    assert abs(run["decode_eflops_per_task"] - expected.eflops) < MOST_ERRORS * error


def test_the_tolerance_sees_that_the_mean_of_squares_is_not_the_square_of_the_mean() -> None:
    """With E[L]^2 for E[L^2] the same comparison fails by two tolerances."""
    m = moments()
    steps = tables_of(sampled(TINY, DenseAttention())).trials["output_tokens"] - 1
    kv = [closed(TINY, DenseAttention(), int(n)).kv_bytes for n in steps]
    equal = LengthMoments(m.mean_tokens, m.mean_tokens**2, m.shortest_tokens, m.longest_tokens)
    off = abs(np.mean(kv) - closed(TINY, DenseAttention(), equal).kv_bytes)
    assert off > 2 * MOST_ERRORS * standard_error(kv)
    assert abs(np.mean(kv) - closed(TINY, DenseAttention(), m).kv_bytes) < MOST_ERRORS * standard_error(kv)


def test_the_max_form_of_random_lengths_is_of_the_expected_flops_and_bytes() -> None:
    """Not the expectation of each trial's larger side: with a ridge between them the two differ."""
    steps = tables_of(sampled(TINY, DenseAttention())).trials["output_tokens"] - 1
    form = closed(TINY, DenseAttention(), moments(), combine="max")
    assert form.eflops == max(form.compute_flops, BF16_RIDGE * form.memory_bytes)
    drawn = closed(TINY, DenseAttention(), steps, combine="max")
    kv = [BF16_RIDGE * closed(TINY, DenseAttention(), int(n)).memory_bytes for n in steps]
    assert abs(drawn.eflops - form.eflops) < MOST_ERRORS * standard_error(kv)


@pytest.mark.parametrize("name", ["qwen3-0.6b", "qwen3-30b-a3b"])
def test_step_times_of_random_lengths_one_at_a_time_are_the_expected_additive_form(name: str) -> None:
    """One sequence on the GPU: a step reads the weights for it alone, a mixture its active experts."""
    count = 400
    run = scenario(
        workload(
            tasks=tasks(count, PROMPT),
            lengths={"kind": "lognormal", "median_tokens": MEDIAN, "log_sigma": SIGMA},
            max_tokens=CAP,
        ),
        engine={
            "latency": {"kind": "roofline", "combine": "additive", "layer_overhead_s": 0.0},
            "prefill": "remote",
            "max_sequences": 1,
            "kv": {"capacity": "unlimited"},
        },
        model={"preset": preset(name).model_dump(), "attention": {"kind": "dense"}},
    )
    tables = tables_of(run)
    alone = tables.steps["prefill_tokens"] == 0
    eflops = float((tables.steps["end_ns"] - tables.steps["start_ns"])[alone].sum()) / 1e9 * PEAK / count
    architecture, hand = preset(name), by_hand(preset(name))
    unread = architecture.active_parameters - hand.weights
    per_step = RIDGE * (hand.moved_bytes + hand.norm_bytes - 2 * unread) - 2 * unread

    def whole(lengths: Any) -> float:  # noqa: ANN401 - as `cost` takes them
        form = closed(architecture, DenseAttention(), lengths, concurrent_tasks=1)
        mean = lengths.mean_tokens if isinstance(lengths, LengthMoments) else float(np.mean(lengths))
        return form.eflops + per_step * mean

    steps = tables.trials["output_tokens"] - 1
    assert eflops == pytest.approx(whole(steps), rel=1e-5)
    assert abs(eflops - whole(moments())) < MOST_ERRORS * standard_error([whole([int(n)]) for n in steps])
