"""One trial at a time with constant steps is an M/G/1 queue, without any rounding of the service."""

from __future__ import annotations

import sys
from math import log1p, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import MILLISECOND, constant_steps, scenario, tables_of, tasks, workload

from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario

STEP_S = 1e-3
MEAN_TOKENS = 50
SEEDS = range(20)
T_999_19 = 3.883
"""Two-sided 99.9 % quantile of Student's t with 19 degrees of freedom, for the mean of the 20 seeds."""

GEOMETRIC = [1 + int(log1p(-(i + 0.5) / 2000) / log1p(-1 / MEAN_TOKENS)) for i in range(2000)]
"""Quantiles of the geometric distribution, the exponential of whole steps."""
LENGTHS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "deterministic": ({"kind": "constant", "tokens": MEAN_TOKENS}, [MEAN_TOKENS]),
    "geometric": ({"kind": "empirical", "values": GEOMETRIC}, GEOMETRIC),
    "two_point": ({"kind": "empirical", "values": [10, 10, 10, 170]}, [10, 10, 10, 170]),
}
"""Length model and the equally likely values behind it."""


def single_server(lengths: dict[str, Any], rate_per_s: float, count: int) -> Scenario:
    return scenario(
        workload(tasks=tasks(count), lengths=lengths, arrivals={"kind": "poisson", "rate_per_s": rate_per_s}),
        engine={"latency": constant_steps(STEP_S), "max_sequences": 1},
    )


def rate_for(utilisation: float, values: list[int]) -> float:
    return utilisation / (fmean(values) * STEP_S)


def waits_s(tables: RunTables) -> np.ndarray[Any, np.dtype[np.float64]]:
    return (tables.trials["started_ns"] - tables.trials["submitted_ns"]) / 1e9


@pytest.mark.parametrize("lengths", LENGTHS)
def test_every_wait_follows_lindleys_recursion(lengths: str) -> None:
    model, values = LENGTHS[lengths]
    trials = tables_of(single_server(model, rate_for(0.8, values), count=500)).trials
    free_ns = 0
    for arrived, started, ended, output in zip(
        *(trials[name].tolist() for name in ("submitted_ns", "started_ns", "ended_ns", "output_tokens")),
        strict=True,
    ):
        assert started == max(arrived, free_ns)
        free_ns = started + output * MILLISECOND
        assert ended == free_ns


def check_mean_wait(lengths: str, utilisation: float, count: int, precision: float) -> None:
    model, values = LENGTHS[lengths]
    rate = rate_for(utilisation, values)
    second_moment_s2 = fmean(value**2 for value in values) * STEP_S**2
    expected = rate * second_moment_s2 / (2 * (1 - utilisation))
    served = single_server(model, rate, count)
    # The first tenth of a run, which starts empty, is left out.
    means = [float(waits_s(tables_of(served, seed))[count // 10 :].mean()) for seed in SEEDS]
    half_width = T_999_19 * stdev(means) / sqrt(len(means))
    assert half_width < precision * expected
    assert fmean(means) == pytest.approx(expected, abs=half_width)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_mean_wait_is_that_of_pollaczek_and_khinchine(lengths: str) -> None:
    check_mean_wait(lengths, utilisation=0.5, count=250, precision=0.35)


@pytest.mark.slow
@pytest.mark.parametrize("utilisation", [0.3, 0.7])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_mean_wait_of_long_runs_is_that_of_pollaczek_and_khinchine(
    lengths: str, utilisation: float
) -> None:
    check_mean_wait(lengths, utilisation, count=3000, precision=0.15)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_the_server_is_busy_for_exactly_the_work_brought(lengths: str) -> None:
    model, values = LENGTHS[lengths]
    tables = tables_of(single_server(model, rate_for(0.6, values), count=500))
    busy_ns = int((tables.steps["end_ns"] - tables.steps["start_ns"]).sum())
    assert busy_ns == int(tables.trials["output_tokens"].sum()) * MILLISECOND


def test_the_busy_ratio_is_the_load_offered() -> None:
    utilisation = 0.6
    model, values = LENGTHS["deterministic"]
    served = single_server(model, rate_for(utilisation, values), count=250)
    ratios = []
    for seed in SEEDS:
        tables = tables_of(served, seed)
        last_arrival_ns = int(tables.tasks["arrival_ns"].max())
        in_time = np.minimum(tables.steps["end_ns"], last_arrival_ns) - tables.steps["start_ns"]
        ratios.append(float(np.maximum(in_time, 0).sum()) / last_arrival_ns)
    half_width = T_999_19 * stdev(ratios) / sqrt(len(ratios))
    assert half_width < 0.08 * utilisation
    assert fmean(ratios) == pytest.approx(utilisation, abs=half_width)
