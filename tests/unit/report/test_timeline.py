from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "metrics"))

from made_records import capacity, two_tasks

from simulator.metrics.tables import RunTables
from simulator.report.timeline import binned, timeline

STRETCHES = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 40), st.integers(0, 9)), min_size=1, max_size=12
)


@given(stretches=STRETCHES, bins=st.integers(1, 13))
def test_bins_hold_the_literal_overlaps(stretches: list[tuple[int, int, int]], bins: int) -> None:
    edges = np.linspace(0.0, 130.0, bins + 1)
    start, length, level = (np.array(column) for column in zip(*stretches, strict=True))
    expected = [
        sum(h * max(0.0, min(s + n, right) - max(s, left)) for s, n, h in stretches)
        for left, right in pairwise(edges)
    ]
    found = binned(start, start + length, level.astype(float), edges)
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


def test_a_timeline_loses_nothing() -> None:
    tables = RunTables.of(two_tasks().records())
    line = timeline(tables, capacity(), bins=7)
    assert line.bin_s == pytest.approx(10 / 7)
    assert float(line.output_tokens_per_s.sum()) * line.bin_s == pytest.approx(84)
    # Trials run 3 + 3 + 6 + 5 s and wait 0 + 1 + 1 + 3 s.
    assert float(line.running.sum()) * line.bin_s == pytest.approx(17)
    assert float(line.waiting.sum()) * line.bin_s == pytest.approx(5)


def test_a_timeline_is_empty_where_no_replica_steps() -> None:
    line = timeline(RunTables.of(two_tasks().records()), capacity(), bins=10)
    assert np.isnan(line.batch).tolist() == [False] * 8 + [True] * 2
    assert line.batch[0] == pytest.approx(3.0)
    assert line.kv_ratio[7] == pytest.approx(0.5)
    assert line.output_tokens_per_s[9] == pytest.approx(0.0, abs=1e-6)


def test_unlimited_capacity_has_no_occupancy() -> None:
    line = timeline(RunTables.of(two_tasks().records()), capacity(limited=False), bins=4)
    assert bool(np.isnan(line.kv_ratio).all())
    assert line.kv_tokens[0] > 0
