"""INV-16: nothing that the machine knows of the hour, or of its own randomness, gets into a result."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import TINY_MODEL, node

from simulator import load_scenario, simulate
from simulator.engine.run import EngineName
from simulator.scenario.schema import Scenario

CLOCKS = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "clock_gettime",
    "localtime",
    "gmtime",
    "sleep",
)
DICE = ("random", "randint", "normal", "uniform", "seed", "standard_normal", "shuffle", "choice")
"""Functions of the global generator that ``numpy.random`` keeps, which another program may have used."""


def refuse(name: str) -> Callable[..., None]:
    def asked(*_args: object, **_options: object) -> None:
        message = f"{name} was asked"
        raise AssertionError(message)

    return asked


@pytest.fixture
def small() -> Scenario:
    """Return a scenario with queues, cancellations and several replicas."""
    return load_scenario(
        {
            "schema": 1,
            "hardware": node(),
            "model": {"preset": TINY_MODEL, "attention": {"kind": "dense"}},
            "parallelism": {"tp": 1, "dp": 2},
            "engine": {"max_sequences": 4},
            "workload": {
                "tasks": {"kind": "synthetic", "count": 30, "prompt_tokens": 40},
                "arrivals": {"kind": "poisson", "rate_per_s": 300.0},
                "lengths": {"kind": "lognormal", "median_tokens": 40.0, "log_sigma": 0.6},
                "outcomes": {"kind": "beta", "alpha": 0.6, "beta": 1.2},
                "strategy": {"kind": "best_of_n", "trials": 4, "stop_at_first_success": True},
                "max_tokens": 200,
            },
        }
    )


def outcome(scenario: Scenario, engine: EngineName) -> tuple[bytes, bytes, bytes, str]:
    result = simulate(scenario, engine=engine)
    records = result.records
    return records.steps.tobytes(), records.trials.tobytes(), records.tasks.tobytes(), str(result.summary)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_no_clock_of_the_machine_is_read(
    engine: EngineName, small: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outcome(small, engine)
    with monkeypatch.context() as broken:
        for name in CLOCKS:
            broken.setattr(time, name, refuse(f"time.{name}"))
        actual = outcome(small, engine)
    assert actual == expected


def test_no_clock_of_the_machine_gets_into_the_files(
    small: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = simulate(small).to_dir(tmp_path / "first")
    with monkeypatch.context() as later:
        for name in ("time", "monotonic", "perf_counter"):
            later.setattr(time, name, lambda: 4e9)
        second = simulate(small).to_dir(tmp_path / "second")
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_no_global_generator_is_used(
    engine: EngineName, small: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = outcome(small, engine)
    with monkeypatch.context() as broken:
        for name in DICE:
            broken.setattr(np.random, name, refuse(f"numpy.random.{name}"))
        for name in ("random", "randint", "shuffle", "choice", "seed"):
            broken.setattr(random, name, refuse(f"random.{name}"))
        actual = outcome(small, engine)
    assert actual == expected
