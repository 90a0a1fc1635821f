"""The times of tokens that a run keeps are those at which the reference engine gave each of them."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from scenario_space import TINY_MODEL, node, scenarios

from simulator.engine.records import TRIAL_COLUMNS, RunRecords, column
from simulator.engine.reference import ReferenceReplica
from simulator.engine.run import EngineName, run_scenario
from simulator.errors import InfeasiblePlanError, SimulatorError
from simulator.metrics.token_times import gaps_ns, token_times_ns
from simulator.scenario.schema import Scenario

Given = dict[tuple[int, int], list[int]]


def crowded() -> Scenario:
    """Return a scenario whose sequences are preempted."""
    return Scenario.model_validate(
        {
            "schema": 1,
            "hardware": node(),
            "model": {"preset": TINY_MODEL},
            "parallelism": {"tp": 1, "dp": 2},
            "engine": {
                "kv": {"block_tokens": 16, "blocks": 14, "watermark_ratio": 0.0},
                "max_sequences": 6,
                "max_batched_tokens": 24,
            },
            "workload": {
                "tasks": {"kind": "synthetic", "count": 12, "prompt_tokens": 30},
                "arrivals": {"kind": "poisson", "rate_per_s": 2000.0},
                "lengths": {"kind": "lognormal", "median_tokens": 60.0, "log_sigma": 0.5},
                "outcomes": {"kind": "fixed", "solve_probability": 0.5},
                "strategy": {"kind": "best_of_n", "trials": 3, "stop_at_first_success": True},
                "max_tokens": 120,
            },
        }
    )


def run(scenario: Scenario, engine: EngineName, *, token_times: bool = True) -> RunRecords | None:
    try:
        return run_scenario(scenario, seed=scenario.seed, engine=engine, token_times=token_times).records
    except InfeasiblePlanError:
        return None


def watched(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> tuple[RunRecords | None, Given]:
    """Run the reference engine and note every token that it gives, one by one."""
    given_: Given = defaultdict(list)
    end_step = ReferenceReplica._end_step

    def noted(replica: ReferenceReplica, chunks: dict[int, int]) -> None:
        before = {id(s): (s, s.view.generated_tokens) for s in replica._running}
        end_step(replica, chunks)
        for sequence, tokens in before.values():
            if sequence.view.generated_tokens > tokens:
                given_[sequence.view.task, sequence.node.index].append(int(replica._env.now))

    with monkeypatch.context() as patch:
        patch.setattr(ReferenceReplica, "_end_step", noted)
        return run(scenario, "reference"), given_


def derived(records: RunRecords) -> Given:
    tasks, nodes = (column(records.trials, TRIAL_COLUMNS, name).tolist() for name in ("task", "node"))
    times = (found.tolist() for found in token_times_ns(records))
    return {(t, n): found for t, n, found in zip(tasks, nodes, times, strict=True) if found}


def assert_tokens_as_given(scenario: Scenario) -> RunRecords | None:
    with pytest.MonkeyPatch.context() as patch:
        reference, given_ = watched(scenario, patch)
    fast = run(scenario, "fast")
    if fast is None or reference is None:
        assert fast is reference
        return None
    assert derived(fast) == derived(reference) == dict(given_)
    assert fast.tokens is not None
    assert reference.tokens is not None
    assert fast.tokens.numbers.tolist() == reference.tokens.numbers.tolist()
    return fast


@given(scenario=scenarios())
def test_every_token_comes_when_the_reference_engine_gives_it(scenario: Scenario) -> None:
    assert_tokens_as_given(scenario)


def test_so_it_is_where_sequences_are_preempted_and_cancelled() -> None:
    records = assert_tokens_as_given(crowded())
    assert records is not None
    assert column(records.trials, TRIAL_COLUMNS, "preemptions").sum() > 3
    assert records.tokens is not None
    assert len(records.tokens.resumed) > 3
    states = set(column(records.trials, TRIAL_COLUMNS, "state").tolist())
    assert states == {2, 3}


def test_keeping_the_times_changes_no_record() -> None:
    kept, plain = (run(crowded(), "fast", token_times=keep) for keep in (True, False))
    assert kept is not None
    assert plain is not None
    assert plain.tokens is None
    for name in ("steps", "trials", "tasks"):
        assert getattr(kept, name).tobytes() == getattr(plain, name).tobytes()


def test_gaps_of_a_trial_add_up_to_its_time_after_the_first_token() -> None:
    records = run(crowded(), "fast")
    assert records is not None
    first, ended, state = (
        column(records.trials, TRIAL_COLUMNS, name) for name in ("first_token_ns", "ended_ns", "state")
    )
    sums = [int(gaps.sum()) for gaps in gaps_ns(records)]
    finished = [row for row, value in enumerate(state) if value == 2]
    assert [sums[row] for row in finished] == (ended - first)[finished].tolist()


def test_a_run_that_kept_nothing_says_how_to_keep_it() -> None:
    records = run(crowded(), "fast", token_times=False)
    assert records is not None
    with pytest.raises(SimulatorError, match=r"simulate\(\.\.\., token_times=True\)"):
        next(token_times_ns(records))
