"""A comparison whose runs are shared out to other processes."""

from __future__ import annotations

import os

import pytest

import simulator.api
from simulator import Scenario, compare, load_scenario
from simulator.engine.records import RunRecords

SMALL = {
    "schema": 1,
    "name": "small",
    "hardware": "b200-sxm-8",
    "model": {"preset": "qwen3-8b", "attention": {"kind": "dense"}},
    "workload": {
        "tasks": {"kind": "synthetic", "count": 6, "prompt_tokens": 64},
        "arrivals": "all_at_once",
        "lengths": {"kind": "lognormal", "median_tokens": 24, "log_sigma": 0.5},
        "outcomes": {"kind": "fixed", "solve_probability": 0.5},
        "strategy": {"kind": "best_of_n", "trials": 2},
        "max_tokens": 64,
    },
    "report": {"seeds": 3},
    "variants": {"one": {"parallelism.dp": 1}, "four": {"parallelism.dp": 4}},
}


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario(SMALL)


def tables(records: RunRecords) -> list[bytes]:
    return [records.tasks.tobytes(), records.trials.tobytes(), records.steps.tobytes()]


def test_results_are_those_of_one_process(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = compare(scenario)
    monkeypatch.setattr(simulator.api, "SHARED_FROM_S", 0.0)
    told: list[tuple[int, int]] = []
    shared = compare(scenario, workers=2, check=True, progress=lambda *counts: told.append(counts))
    assert shared.names == alone.names == ("one", "four")
    for name in shared.names:
        for mine, other in zip(shared.runs[name], alone.runs[name], strict=True):
            assert (mine.seed, mine.scenario) == (other.seed, other.scenario)
            assert tables(mine.records) == tables(other.records)
            assert mine.checks
            assert all(check.checked or check.note for check in mine.checks)
    assert shared.summary == alone.summary
    assert told[-1] == (36, 36)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_short_runs_stay_here(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.processes.process_pool", None)  # would not be callable
    assert len(compare(scenario, workers=8).runs["four"]) == 3


def test_the_first_run_is_made_here_and_the_others_elsewhere(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    here: list[int] = []
    simulate = simulator.api.simulate

    def counted(*arguments: object, **named: object) -> object:
        here.append(os.getpid())
        return simulate(*arguments, **named)  # type: ignore[arg-type] # as they were given

    monkeypatch.setattr(simulator.api, "SHARED_FROM_S", 0.0)
    monkeypatch.setattr(simulator.api, "simulate", counted)
    with pytest.raises(Exception, match=r"pickle|local object"):
        compare(scenario, workers=2)  # a local function cannot be sent: the others were not made here
    assert here == [os.getpid()]
