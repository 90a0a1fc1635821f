"""The asymptotic bounds of operational analysis: throughput of a closed loop and where it is reached."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from served import MILLISECOND, scenario, tables_of, tasks, workload

from simulator.scenario.schema import Scenario

SERVICE_NS = 10 * MILLISECOND
"""Ten tokens at a millisecond a step."""


def loop(
    concurrency: int, think_time_s: float, *, slots: int = 1, count: int = 40, **parts: object
) -> Scenario:
    arrivals = {"kind": "closed_loop", "concurrency": concurrency, "think_time_s": think_time_s}
    return scenario(workload(tasks=tasks(count), arrivals=arrivals, **parts), engine={"max_sequences": slots})


def last_end_ns(served: Scenario) -> int:
    return int(tables_of(served).tasks["ended_ns"].max())


@pytest.mark.parametrize("think_ms", [0, 3, 250])
def test_one_user_takes_service_and_pause_in_turn(think_ms: int) -> None:
    expected = 40 * SERVICE_NS + 39 * think_ms * MILLISECOND
    assert last_end_ns(loop(1, think_ms / 1000)) == expected


@pytest.mark.parametrize("users", [5, 8, 40])
def test_enough_users_keep_the_server_busy_all_the_time(users: int) -> None:
    # Four others are served while one pauses for four services.
    assert last_end_ns(loop(users, 0.04)) == 40 * SERVICE_NS


@pytest.mark.parametrize("users", [2, 4, 5])
def test_too_few_users_do_not_wait_after_the_first_round(users: int) -> None:
    trials = tables_of(loop(users, 0.04)).trials
    assert (trials["started_ns"] == trials["submitted_ns"])[users:].all()


@given(
    users=st.integers(1, 8),
    slots=st.integers(1, 8),
    think_ms=st.sampled_from([0, 1, 20, 300]),
    median_tokens=st.sampled_from([2.0, 15.0, 60.0]),
)
def test_no_loop_beats_its_server_or_its_users(
    users: int, slots: int, think_ms: int, median_tokens: float
) -> None:
    lengths = {"kind": "lognormal", "median_tokens": median_tokens, "log_sigma": 0.8}
    tables = tables_of(loop(users, think_ms / 1000, slots=slots, lengths=lengths))
    work_ns = int(tables.trials["output_tokens"].sum()) * MILLISECOND
    end_ns = int(tables.tasks["ended_ns"].max())
    pauses_ns = (40 - users) * think_ms * MILLISECOND
    assert end_ns * min(slots, users) >= work_ns
    assert end_ns * users >= work_ns + pauses_ns
    present = min(slots, users)
    running = tables.steps["decode_sequences"] + tables.steps["prefill_ends"]
    assert running.max() <= present
