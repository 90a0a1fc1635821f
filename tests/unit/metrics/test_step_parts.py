"""Figures from merged step rows against those of every step, from the reference engine without merging."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from made_records import Made, S, capacity, scenario, summary, two_tasks

from simulator import load_scenario
from simulator.engine.recorder import StepRecorder
from simulator.engine.records import STEP_COLUMNS
from simulator.engine.run import Run, run_scenario
from simulator.metrics import summarise
from simulator.metrics.step_parts import StepParts
from simulator.metrics.tables import RunTables
from simulator.report.timeline import timeline
from simulator.scenario.schema import Scenario

CLOSE = {"dense": 0.005, "block_topk": 0.05, "sliding_window": 0.005}
"""How close figures must be; block top-k grows at two slopes, which are taken as one and none."""

POINTS_CLOSE = {"dense": 0.01, "block_topk": 0.2, "sliding_window": 0.01}
"""How close single points over time must be, in parts of the highest."""

ATTENTIONS = {
    "dense": {"kind": "dense"},
    "block_topk": {"kind": "block_topk", "kv_budget_tokens": 2048},
    "sliding_window": {"kind": "sliding_window", "window_tokens": 2048},
}


def long_rows(attention: str) -> Scenario:
    """Return 64 trials that decode together for almost all of their 16,384 tokens."""
    return load_scenario(
        {
            "schema": 1,
            "name": "long-rows",
            "hardware": "b200-sxm-1",
            "model": {"preset": "qwen3-8b", "attention": ATTENTIONS[attention]},
            "parallelism": {"tp": 1, "dp": 1},
            "workload": {
                "tasks": {"kind": "synthetic", "count": 64, "prompt_tokens": 512},
                "arrivals": {"kind": "all_at_once"},
                "lengths": {"kind": "constant", "tokens": 16384},
                "outcomes": {"kind": "beta", "alpha": 1.0, "beta": 1.0},
                "strategy": {"kind": "long_cot"},
            },
        }
    )


# Runs of 16,000 single steps take eight times as long under coverage and find no other line.
LONG = pytest.mark.no_cover


def append(recorder: StepRecorder, row: list[int]) -> None:
    recorder.table.append(tuple(row))


@pytest.fixture(scope="module", params=ATTENTIONS)
def both(request: pytest.FixtureRequest) -> tuple[Scenario, Run, Run]:
    """Return a scenario, its run, and its run recorded step by step by the reference engine."""
    chosen = long_rows(request.param)
    merged = run_scenario(chosen, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StepRecorder, "add", append)
        single = run_scenario(chosen, seed=0, engine="reference")
    assert len(merged.records.steps) < 50
    assert len(single.records.steps) > 16_000
    return chosen, merged, single


def of_run(chosen: Scenario, run: Run) -> dict[str, Any]:
    return summarise(chosen, run.records, run.capacity, run.latency)


def steps_of(run: Run) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    return {name: run.records.steps[:, place] for place, name in enumerate(STEP_COLUMNS)}


@LONG
def test_kv_occupancy_is_the_mean_over_the_time_of_every_step(both: tuple[Scenario, Run, Run]) -> None:
    chosen, merged, single = both
    s = steps_of(single)
    duration = s["end_ns"] - s["start_ns"]
    expected = float(np.dot(duration, s["kv_blocks"]) / duration.sum())
    found, close = of_run(chosen, merged)["load"], CLOSE[chosen.model.attention.kind]
    assert found["kv_tokens_mean"] == pytest.approx(16 * expected, rel=close)
    assert found["kv_occupancy_mean_ratio"] == pytest.approx(expected / single.capacity.blocks, rel=close)
    assert found["kv_tokens_max"] == 16 * int(s["kv_blocks"].max())


@LONG
@pytest.mark.parametrize("point", [50, 90, 95, 99])
def test_itl_percentiles_are_those_of_every_step(both: tuple[Scenario, Run, Run], point: int) -> None:
    chosen, merged, single = both
    s = steps_of(single)
    per_token = np.repeat(s["end_ns"] - s["start_ns"], s["decode_sequences"])
    expected = float(np.percentile(per_token, point, method="inverted_cdf")) / 1e9
    found = of_run(chosen, merged)["latency"]["itl_s"][f"p{point}"]
    assert found == pytest.approx(expected, rel=CLOSE[chosen.model.attention.kind])


@LONG
def test_itl_mean_and_maximum_are_exact(both: tuple[Scenario, Run, Run]) -> None:
    chosen, merged, single = both
    s = steps_of(single)
    duration, decoding = s["end_ns"] - s["start_ns"], s["decode_sequences"]
    itl = of_run(chosen, merged)["latency"]["itl_s"]
    assert itl["count"] == int(decoding.sum())
    assert itl["mean"] == pytest.approx(float(np.dot(duration, decoding)) / decoding.sum() / 1e9, rel=1e-12)
    assert itl["max"] == int(duration[decoding > 0].max()) / 1e9


@LONG
def test_the_timeline_follows_the_growth_inside_a_row(both: tuple[Scenario, Run, Run]) -> None:
    chosen, merged, single = both
    close = POINTS_CLOSE[chosen.model.attention.kind]
    lines = [timeline(RunTables.of(r.records), r.capacity, bins=40) for r in (merged, single)]
    for field in ("kv_ratio", "output_tokens_per_s", "batch"):
        found, expected = (getattr(line, field) for line in lines)
        assert float(np.abs(found - expected).max()) < close * float(expected.max())


@given(
    steps=st.integers(1, 400),
    first=st.integers(1, 10**6),
    growth=st.integers(0, 10**8),
    blocks=st.integers(0, 5000),
    mix=st.floats(0.0, 1.0),
)
def test_the_parts_of_a_row_hold_all_of_it(
    steps: int, first: int, growth: int, blocks: int, mix: float
) -> None:
    last = first + growth * (steps > 1)
    inner = max(0, steps - 2) * round(first + mix * (last - first))
    total = first * (steps > 1) + inner + last
    made = Made().step(
        1.0,
        1.0 + total / S,
        replica=0,
        steps=steps,
        decode_sequences=3,
        kv_blocks=2 * blocks,
        kv_block_steps=blocks * steps,
        first_step_ns=first,
        last_step_ns=last,
    )
    found = StepParts.of(RunTables.of(made.records()).steps)
    assert int(found.steps.sum()) == steps
    assert (found.start_ns[0], found.end_ns[-1]) == (S, S + total)
    assert found.start_ns[1:].tolist() == found.end_ns[:-1].tolist()
    assert bool((found.end_ns >= found.start_ns).all())
    assert bool((np.diff((found.end_ns - found.start_ns) / found.steps) >= -2).all())
    assert float(np.dot(found.steps, found.kv_blocks)) == pytest.approx(blocks * steps)
    assert int(found.tokens.sum()) == 3 * steps


def test_few_steps_of_even_growth_are_told_one_by_one() -> None:
    durations = [100, 200, 300, 400, 500]
    made = Made().step(
        0.0, 1500 / S, replica=0, steps=5, decode_sequences=1, first_step_ns=100, last_step_ns=500
    )
    found = StepParts.of(RunTables.of(made.records()).steps)
    assert (found.end_ns - found.start_ns).tolist() == durations


def test_steps_that_do_not_grow_stay_one_part() -> None:
    found = StepParts.of(RunTables.of(two_tasks().records()).steps)
    assert found.steps.tolist() == [20, 1, 10]
    assert found.kv_blocks.tolist() == [10.0, 30.0, 50.0]


def test_a_run_without_steps_has_no_parts() -> None:
    found = summary(scenario(), Made().records(end=1.0), capacity())
    assert found["latency"]["itl_s"]["mean"] is None
    assert found["load"]["kv_tokens_mean"] is None
