"""A batch of c sequences with constant steps is an M/G/c queue that admits at step boundaries.

A trial that finds a place free still waits for the running step, at most one step.  That delay does not
add up: places become free at boundaries, so whoever waits for a place starts when it is free.
"""

from __future__ import annotations

import sys
from heapq import heappop, heappush
from math import factorial, log1p, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import constant_steps, scenario, tables_of, tasks, workload

from simulator.scenario.schema import Scenario

STEP_S = 1e-4
STEP_NS = 100_000
MEAN_TOKENS = 2000
SERVICE_S = MEAN_TOKENS * STEP_S
SEEDS = range(20)
T_999_19 = 3.883
"""Two-sided 99.9 % quantile of Student's t with 19 degrees of freedom, for the mean of the 20 seeds."""

GEOMETRIC = [1 + int(log1p(-(i + 0.5) / 4000) / log1p(-1 / MEAN_TOKENS)) for i in range(4000)]


def many_servers(servers: int, utilisation: float, count: int) -> Scenario:
    rate = utilisation * servers / (fmean(GEOMETRIC) * STEP_S)
    return scenario(
        workload(
            tasks=tasks(count),
            lengths={"kind": "empirical", "values": GEOMETRIC},
            arrivals={"kind": "poisson", "rate_per_s": rate},
        ),
        engine={"latency": constant_steps(STEP_S), "max_sequences": servers},
    )


def erlang_c(servers: int, utilisation: float) -> float:
    """Return the chance to wait in M/M/c."""
    offered = servers * utilisation
    queued = offered**servers / factorial(servers) / (1 - utilisation)
    return queued / (sum(offered**k / factorial(k) for k in range(servers)) + queued)


@pytest.mark.parametrize("servers", [2, 5])
def test_no_wait_exceeds_that_of_kiefer_and_wolfowitz_by_more_than_a_step(servers: int) -> None:
    trials = tables_of(many_servers(servers, 0.8, count=1500)).trials
    free_ns = [0] * servers
    excess = set()
    for arrived, started, output in zip(
        *(trials[name].tolist() for name in ("submitted_ns", "started_ns", "output_tokens")), strict=True
    ):
        start_ns = max(arrived, heappop(free_ns))
        heappush(free_ns, start_ns + output * STEP_NS)
        excess.add(started - start_ns)
    assert min(excess) == 0
    assert 0.9 * STEP_NS < max(excess) <= STEP_NS


def waits_s(served: Scenario, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the waits of a run that starts empty, without its first tenth."""
    trials = tables_of(served, seed).trials
    waits = (trials["started_ns"] - trials["submitted_ns"]) / 1e9
    return waits[len(waits) // 10 :]


def half_width(samples: list[float]) -> float:
    return T_999_19 * stdev(samples) / sqrt(len(samples))


def test_the_chance_to_wait_is_erlangs() -> None:
    expected = erlang_c(4, 0.7)
    served = many_servers(4, 0.7, count=300)
    # Up to a step is the wait for a boundary, not for a place.
    shares = [float((waits_s(served, seed) > STEP_S).mean()) for seed in SEEDS]
    assert half_width(shares) < 0.3 * expected
    assert fmean(shares) == pytest.approx(expected, abs=half_width(shares))


@pytest.mark.slow
@pytest.mark.parametrize(("servers", "utilisation"), [(2, 0.5), (4, 0.75)])
def test_the_mean_wait_of_long_runs_is_erlangs(servers: int, utilisation: float) -> None:
    expected = erlang_c(servers, utilisation) * SERVICE_S / (servers * (1 - utilisation))
    served = many_servers(servers, utilisation, count=3000)
    means = [float(waits_s(served, seed).mean()) for seed in SEEDS]
    assert half_width(means) < 0.25 * expected
    assert fmean(means) == pytest.approx(expected, abs=half_width(means) + STEP_S)
