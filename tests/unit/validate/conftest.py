"""Measured runs that nobody measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.calibrate.runs import ServingRun

ONE: dict[str, Any] = {
    "row": "one",
    "gpu": "h100-sxm",
    "engine": "vllm",
    "version": "0.19.0",
    "model": "llama-3.1-8b",
    "weight_dtype": "fp8",
    "kv_dtype": "fp8",
    "tp": 1,
    "prompt_tokens": 256,
    "output_tokens": 64,
    "concurrency": 4,
    "tpot_s": 0.006,
    "ttft_s": 0.05,
}

MakeRun = Callable[..., ServingRun]


@pytest.fixture
def make_run() -> MakeRun:
    """Return a maker of runs that differ from one small run in the values that are given."""

    def make(**changes: object) -> ServingRun:
        return ServingRun(**(ONE | changes))

    return make


@pytest.fixture
def held_out(make_run: MakeRun) -> ServingRun:
    """Return a run that fits must not see."""
    return next(run for run in (make_run(concurrency=n) for n in range(2, 40)) if run.held_out)


@pytest.fixture
def seen(make_run: MakeRun) -> ServingRun:
    """Return a run that fits may see."""
    return next(
        run for run in (make_run(row="seen", concurrency=n) for n in range(2, 40)) if not run.held_out
    )
