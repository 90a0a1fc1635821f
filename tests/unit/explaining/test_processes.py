"""Processes change no result, and one that is killed is told in words."""

from __future__ import annotations

import os
import signal

import pytest
from small_runs import small

from simulator import api, compare_sides
from simulator.errors import SimulatorError
from simulator.processes import run_all


def doubled_or_killed(number: int) -> int:
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_results_come_in_the_order_of_the_jobs() -> None:
    assert list(run_all(abs, [-3, 2, -1], 2)) == [3, 2, 1] == list(run_all(abs, [-3, 2, -1], 1))


def test_a_process_that_is_killed_is_told_in_words() -> None:
    with pytest.raises(SimulatorError, match="one of 2 processes was ended before its run was"):
        list(run_all(doubled_or_killed, [1, -1], 2))


def test_a_comparison_does_not_depend_on_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SHARED_FROM_S", 0.0)  # else runs this short stay in this process
    sides = [small(**{"report.seeds": 2}), small(**{"engine.max_sequences": 1, "name": "one"})]
    told: list[tuple[int, int]] = []
    found = compare_sides(sides, workers=2, progress=lambda ended, total: told.append((ended, total)))
    assert found.summary == compare_sides(sides).summary
    assert told[-1] == (16, 16)
