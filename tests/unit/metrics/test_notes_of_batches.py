"""A run whose batches go far beyond what was measured says so."""

from __future__ import annotations

import pytest

from simulator.api import simulate
from simulator.scenario.loader import load_scenario


@pytest.mark.parametrize(("concurrency", "noted"), [(10, False), (200, True)])
def test_batches_beyond_the_measured_ones_are_noted(concurrency: int, *, noted: bool) -> None:
    changes = {
        "workload.tasks.repeats": 7,
        "workload.arrivals.concurrency": concurrency,
        "workload.max_tokens": 64,
        "variants.block_topk.model.attention.kv_budget_tokens": 256,
        "parallelism.dp": 1,
        "engine.max_sequences": 1024,
        "hardware": "b200-sxm-1",
    }
    notes = simulate(load_scenario("quickstart", overrides=changes)).summary["notes"]
    told = [note for note in notes if "decoded at once" in note]
    assert bool(told) is noted
    assert all("measured up to 64" in note for note in told)
