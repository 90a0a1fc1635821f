"""What a run may cost, in counts that do not depend on the machine: events, step rows, Python calls.

The engine's promise is that cost grows with changes of the batch, not with tokens.  Times are measured by
``benchmarks/speed.py`` and asserted nowhere; here the events of SimPy, the rows of the records and the calls
of Python functions are counted.  The budgets are what was counted when they were set, and a little more.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
from simpy import Environment

from simulator import load_scenario
from simulator.engine.fast import FastReplica
from simulator.engine.records import TASK_COLUMNS, TRIAL_COLUMNS, column
from simulator.engine.run import EngineName, run_scenario


@dataclass
class Counts:
    """What one run took."""

    events: int = 0
    boundaries: int = 0
    rows: int = 0
    trials: int = 0
    tokens: int = 0
    preemptions: int = 0


SMALL_BATCH: dict[str, Any] = {"max_sequences": 64}
CONSTANT: dict[str, Any] = {"kind": "constant", "tokens": 2048}


def document(
    *,
    count: int,
    lengths: dict[str, Any],
    prompt_tokens: int = 512,
    **parts: dict[str, Any],
) -> dict[str, Any]:
    """Return a scenario of `count` equal tasks at once on one replica; `parts` replaces its tables."""
    workload = {
        "tasks": {"kind": "synthetic", "count": count, "prompt_tokens": prompt_tokens},
        "arrivals": {"kind": "all_at_once"},
        "lengths": lengths,
        "outcomes": {"kind": "fixed", "solve_probability": 0.5},
        "strategy": {"kind": "long_cot"},
    } | parts.get("workload", {})
    engine = {"max_sequences": 512, "max_batched_tokens": 8192, "kv": {"capacity": "unlimited"}}
    return {
        "schema": 1,
        "hardware": "b200-sxm-8",
        "model": {"preset": "qwen3-8b"} | parts.get("model", {}),
        "parallelism": parts.get("parallelism", {"tp": 8, "dp": 1}),
        "engine": engine | parts.get("engine", {}),
        "workload": workload,
    }


def lognormal(median_tokens: float) -> dict[str, Any]:
    return {"kind": "lognormal", "median_tokens": median_tokens, "log_sigma": 0.5}


def counted(monkeypatch: pytest.MonkeyPatch, raw: dict[str, Any], *, engine: EngineName = "fast") -> Counts:
    """Run a scenario and count."""
    scenario = load_scenario(raw)
    counts = Counts()
    step, decide = Environment.step, FastReplica._start_step

    def counting_step(env: Environment) -> None:
        counts.events += 1
        step(env)

    def counting_decide(replica: FastReplica) -> None:
        counts.boundaries += 1
        decide(replica)

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "step", counting_step)
        patch.setattr(FastReplica, "_start_step", counting_decide)
        records = run_scenario(scenario, seed=1, engine=engine).records
    counts.rows, counts.trials = len(records.steps), len(records.trials)
    counts.tokens = int(column(records.tasks, TASK_COLUMNS, "output_tokens").sum())
    counts.preemptions = int(column(records.trials, TRIAL_COLUMNS, "preemptions").sum())
    return counts


def test_ten_times_the_tokens_take_as_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    few = counted(monkeypatch, document(count=400, lengths=lognormal(1200), engine=SMALL_BATCH))
    many = counted(monkeypatch, document(count=400, lengths=lognormal(12_000), engine=SMALL_BATCH))
    assert many.tokens > 9.5 * few.tokens
    assert many.events == pytest.approx(few.events, rel=0.05)
    assert many.rows == pytest.approx(few.rows, rel=0.05)


def test_twice_the_trials_take_twice_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    one = counted(monkeypatch, document(count=1500, lengths=lognormal(2000)))
    two = counted(monkeypatch, document(count=3000, lengths=lognormal(2000)))
    # The first batch fills in few steps and the last one thins out, so twice is not quite reached.
    assert two.events / one.events == pytest.approx(2.0, rel=0.1)


def test_512_equal_requests_take_an_event_per_prefill_step_and_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = counted(monkeypatch, document(count=512, lengths=CONSTANT))
    assert counts.tokens == 512 * 2048
    # 262,144 prompt tokens in steps of 8,192 less what decodes, then one end for each of those steps.
    assert counts.events <= 76


def test_65_million_tokens_take_some_five_hundred_events(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = document(
        count=4096,
        prompt_tokens=384,
        lengths={"kind": "constant", "tokens": 16_000},
        engine={"max_sequences": 4096},
    )
    counts = counted(monkeypatch, cell)
    assert counts.tokens == 4096 * 16_000
    assert counts.events <= 550


@pytest.mark.parametrize(
    ("attention", "per_trial"),
    [
        ({"kind": "dense"}, 2.0),
        # Each member passes the cap on its own once, which ends a macro step.
        ({"kind": "block_topk", "kv_budget_tokens": 1024, "block_tokens": 16}, 3.0),
        ({"kind": "topk", "kv_budget_tokens": 1024}, 3.0),
        ({"kind": "sliding_window", "window_tokens": 1024}, 3.0),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_trial_costs_its_admission_and_its_end(
    monkeypatch: pytest.MonkeyPatch, attention: dict[str, Any], per_trial: float
) -> None:
    raw = document(count=600, lengths=lognormal(4000), model={"attention": attention}, engine=SMALL_BATCH)
    counts = counted(monkeypatch, raw)
    assert counts.events <= per_trial * counts.trials + 20
    assert counts.rows <= counts.boundaries


def test_an_arrival_costs_five_events_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = document(
        count=2000,
        prompt_tokens=128,
        lengths=lognormal(100),
        parallelism={"tp": 1, "dp": 8},
        workload={"arrivals": {"kind": "poisson", "rate_per_s": 300.0}},
    )
    counts = counted(monkeypatch, raw)
    # The arrival, the boundary it moves forward and the one left behind, the end of its prefill, its end.
    assert counts.events <= 5 * counts.trials
    assert counts.boundaries <= 3 * counts.trials


def test_a_busy_node_answers_several_arrivals_with_one_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = document(
        count=2000,
        prompt_tokens=128,
        lengths=lognormal(100),
        parallelism={"tp": 1, "dp": 8},
        workload={"arrivals": {"kind": "poisson", "rate_per_s": 2000.0}},
    )
    counts = counted(monkeypatch, raw)
    assert counts.boundaries <= 1.6 * counts.trials


def test_a_preemption_costs_two_boundaries_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    tight = {"kv": {"blocks": 12_000}}
    counts = counted(monkeypatch, document(count=600, lengths=lognormal(2000), engine=tight))
    assert counts.preemptions > 100
    # The step at which the pool runs dry, and the prefill that recomputes the victim.
    assert counts.boundaries <= 2 * (counts.trials + counts.preemptions)


def test_the_count_sees_a_step_by_step_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = document(count=20, lengths={"kind": "constant", "tokens": 400})
    fast = counted(monkeypatch, raw)
    reference = counted(monkeypatch, raw, engine="reference")
    assert fast.events <= 12
    assert reference.events >= 400


def test_a_boundary_takes_few_python_calls() -> None:
    scenario = load_scenario(document(count=1000, lengths=lognormal(2000)))
    run_scenario(scenario, seed=1)  # what is worked out once per batch size is not counted
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        records = run_scenario(scenario, seed=1).records
    finally:
        sys.setprofile(None)
    # Counted: 50 calls a step row, 80 a trial (drawn, routed, admitted, ended, recorded), some once a run.
    assert calls <= 56 * len(records.steps) + 90 * len(records.trials) + 400
