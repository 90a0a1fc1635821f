"""A comparison whose runs are shared out to other processes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from typing import ClassVar, Literal

import pytest

import simulator.api
from simulator import Scenario, compare, load_scenario, with_components
from simulator.engine.records import RunRecords
from simulator.frozen import FrozenModel
from simulator.scheduling import SequenceView

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


class CountingPool:
    """Runs what is submitted at once, and counts it."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, job: Callable[[], object]) -> Future[object]:
        self.submitted += 1
        future: Future[object] = Future()
        future.set_result(job())
        return future


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> CountingPool:
    made = CountingPool()
    monkeypatch.setattr("simulator.processes.process_pool", lambda _workers: nullcontext(made))
    return made


def test_short_runs_stay_here(scenario: Scenario, pool: CountingPool) -> None:
    assert len(compare(scenario, workers=8).runs["four"]) == 3
    assert pool.submitted == 0


def test_after_the_first_long_run_others_are_shared_out(
    scenario: Scenario, pool: CountingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulator.api, "SHARED_FROM_S", 0.0)
    assert len(compare(scenario, workers=2).runs["four"]) == 3
    assert pool.submitted == 5


class LastFirst(FrozenModel):
    """A scheduler of one's own, which no other process knows."""

    kind: Literal["last_first"] = "last_first"
    reads_prediction: ClassVar[bool] = False

    def rank(self, view: SequenceView) -> tuple[int, ...]:
        return (-view.number,)

    def victim_rank(self, view: SequenceView, admitted: int) -> tuple[int, ...]:
        del view
        return (admitted,)


def test_components_of_ones_own_stay_here(
    scenario: Scenario, pool: CountingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulator.api, "SHARED_FROM_S", 0.0)
    assert len(compare(with_components(scenario, scheduler=LastFirst()), workers=2).runs["four"]) == 3
    assert pool.submitted == 0
