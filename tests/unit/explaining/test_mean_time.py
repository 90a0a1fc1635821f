"""Parts of time over seeds: shares with bounds, and paired differences to the first side."""

from __future__ import annotations

from typing import Any

import pytest
from small_runs import small

from simulator import SideBySide, compare_sides
from simulator.explaining.machine_time import machine_time
from simulator.explaining.sides_text import render_sides
from simulator.explaining.task_time import task_time

DRAWN = {
    "workload.lengths": {"kind": "lognormal", "median_tokens": 200.0, "log_sigma": 0.5},
    "report.seeds": 3,
}


@pytest.fixture(scope="module")
def found() -> SideBySide:
    return compare_sides([small(**DRAWN), small(**DRAWN, **{"engine.max_sequences": 2, "name": "two"})])


def parts(found: SideBySide, side: str, whole: str) -> dict[str, dict[str, Any]]:
    return found.summary["time"][side][whole]["parts"]


def test_differences_are_those_of_the_seeds(found: SideBySide) -> None:
    first, second = found.comparison.runs["scenario"], found.comparison.runs["two"]
    shares = [[machine_time(run).share_ratios["weights"] for run in runs] for runs in (first, second)]
    told = parts(found, "two", "machine")["weights"]["share_difference"]
    differences = [b - a for a, b in zip(*shares, strict=True)]
    assert told["estimate"] == pytest.approx(sum(differences) / 3)
    assert told["low"] < min(differences) < told["high"]
    waits = [[task_time(run).seconds["queueing"] for run in runs] for runs in (first, second)]  # type: ignore[union-attr] # all tasks of these runs are answered
    told = parts(found, "two", "task")["queueing"]["per_task_difference"]
    assert told["estimate"] == pytest.approx(sum(b - a for a, b in zip(*waits, strict=True)) / 3)
    assert told["estimate"] > 0.0


def test_differences_of_shares_sum_to_nothing_and_shares_to_one(found: SideBySide) -> None:
    for whole in ("machine", "task"):
        told = parts(found, "two", whole).values()
        assert sum(part["share_difference"]["estimate"] for part in told) == pytest.approx(0.0, abs=1e-12)
        assert sum(part["share_ratio"] for part in told) == pytest.approx(1.0)
        for part in told:
            assert 0.0 <= part["share_low"] <= part["share_ratio"] <= part["share_high"] <= 1.0


def test_the_first_side_has_no_difference(found: SideBySide) -> None:
    for whole in ("machine", "task"):
        assert {p["share_difference"] for p in parts(found, "scenario", whole).values()} == {None}
    time = found.time.set_index(["side", "whole", "part"])
    assert time.loc["scenario"]["share_difference"].isna().all()
    row = time.loc[("two", "task", "queueing")]
    assert row["per_task_difference_low"] < row["per_task_difference"] < row["per_task_difference_high"]


def test_the_text_shows_them_only_where_there_are_intervals(found: SideBySide) -> None:
    title = "Difference of the share to that of scenario, percentage points, seed by seed"
    assert render_sides(found).count(title) == 2
    single = {**DRAWN, "report.seeds": 1}
    one = compare_sides([small(**single), small(**single, **{"engine.max_sequences": 2, "name": "two"})])
    assert title not in render_sides(one)
    assert parts(one, "two", "machine")["weights"]["share_difference"]["low"] is None


def test_a_seed_without_an_answer_leaves_tasks_undefined() -> None:
    cut = {"report.horizon_s": 0.05}
    one = compare_sides([small(), small(**cut, name="cut")])
    assert one.summary["time"]["cut"]["task"] is None
    assert one.summary["time"]["cut"]["machine"]["gpu_seconds_per_task"] is None
    assert parts(one, "cut", "machine")["weights"]["per_task_difference"] is None
    assert "undefined, no task was answered (cut)" in render_sides(one)
