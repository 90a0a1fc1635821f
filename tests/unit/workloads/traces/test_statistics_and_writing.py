"""Figures of a trace by hand, and our own form, which loses nothing."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_up import PLAIN

from simulator.errors import SimulatorError
from workloads.traces import PrefixBlocks, Trace, read, window
from workloads.traces.kinship import parents_among, roots_and_depths, sessions_of
from workloads.traces.statistics import sharing, statistics
from workloads.traces.writing import write

COLUMNS = ("arrival_s", "prompt_tokens", "output_tokens", "request_ids", "parents", "tool_s", "sessions")


def traced(name: str, tmp_path: Path) -> Trace:
    path = tmp_path / "trace"
    path.write_text(PLAIN[name][1], encoding="utf-8")
    return read(path)


def blocks_of(*rows: list[int]) -> PrefixBlocks:
    offsets = np.cumsum([0, *map(len, rows)])
    return PrefixBlocks(offsets, np.array([one for row in rows for one in row], dtype=np.int64), 16)


def assert_equal(found: Trace, expected: Trace) -> None:
    """Check that two traces have the same rows."""
    for name in COLUMNS:
        one, other = getattr(found, name), getattr(expected, name)
        if other is None:
            assert one is None, name
        else:
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert (found.blocks is None) == (expected.blocks is None)
    if found.blocks is not None and expected.blocks is not None:
        for field in fields(PrefixBlocks):
            np.testing.assert_array_equal(
                getattr(found.blocks, field.name), getattr(expected.blocks, field.name)
            )


def test_rate_and_burstiness_are_those_of_the_arrivals() -> None:
    found = statistics(Trace("kinesim", np.array([1.0, 2.0, 2.5, 5.0])))
    assert (found.rows, found.span_s, found.rate_per_s) == (4, 4.0, 1.0)
    gaps = np.array([1.0, 0.5, 2.5])
    assert found.gap_cv == pytest.approx(gaps.std() / gaps.mean())
    counts = np.array([1, 2, 0, 0, 1])
    assert found.second_cv == pytest.approx(counts.std() / counts.mean())
    assert found.tick_s is None


def test_one_request_has_neither_rate_nor_burstiness() -> None:
    found = statistics(Trace("kinesim", np.array([3.0])))
    assert (found.rate_per_s, found.gap_cv, found.second_cv, found.moments) == (None, None, None, 1)


def test_few_moments_are_told_with_their_distance() -> None:
    assert statistics(Trace("kinesim", np.repeat([0.0, 3.0, 5.999, 9.0], 10))).tick_s == 3.0


def test_a_block_is_seen_if_the_whole_beginning_is() -> None:
    assert sharing(blocks_of([1, 2, 3], [1, 2, 9, 3], [2, 3])).seen_ratio == pytest.approx(2 / 9)


def test_a_prompt_that_repeats_itself_has_not_been_seen() -> None:
    assert sharing(blocks_of([1, 1, 1])).seen_ratio == 0.0


def test_sessions_are_counted_by_tree_where_rows_have_parents(tmp_path: Path) -> None:
    found = statistics(traced("llmservingsim", tmp_path)).sessions
    assert found is not None
    assert (found.count, found.requests, found.longest, found.deepest, found.waiting) == (1, 3, 3, 2, 2)


def test_parents_are_the_last_row_before_that_has_the_id() -> None:
    assert parents_among(np.array([3, 3, 4, 3]), np.array([3, 3, 3, 9])).tolist() == [-1, 0, 1, -1]


def test_roots_of_a_long_chain_are_found() -> None:
    parents = np.arange(-1, 999)
    roots, depths = roots_and_depths(parents)
    assert set(roots.tolist()) == {0}
    assert depths.tolist() == list(range(1000))
    assert set(sessions_of(parents).tolist()) == {0}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", PLAIN)
def test_our_own_form_loses_nothing(tmp_path: Path, name: str, suffix: str) -> None:
    found, path = traced(name, tmp_path), tmp_path / f"own{suffix}"
    write(found, path)
    again = read(path)
    if found.parents is not None and found.request_ids is None:  # rows that are named get numbers
        assert again.request_ids is not None
        assert again.request_ids.tolist() == list(range(found.rows))
        again = Trace(
            **{field.name: getattr(again, field.name) for field in fields(Trace)} | {"request_ids": None}
        )
    assert_equal(again, found)
    assert again.ignored == ()


def test_a_name_that_says_no_form_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"ends in none of \.csv, \.parquet"):
        write(Trace("kinesim", np.zeros(1)), tmp_path / "out.json")
    with pytest.raises(OSError, match="nowhere") as refused:
        write(Trace("kinesim", np.zeros(1)), tmp_path / "nowhere" / "out.csv")
    assert str(refused.value.filename) == str(tmp_path / "nowhere" / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_window_begins_at_its_first_moment_and_keeps_sessions_whole(tmp_path: Path) -> None:
    found = window(traced("llmservingsim", tmp_path), 0.004, 0.005)
    np.testing.assert_array_equal(found.arrival_s, [0.0, np.nan, np.nan])
    assert found.parents is not None
    assert found.parents.tolist() == [-1, 0, 1]


def test_a_window_cuts_a_parent_off_that_came_before_it(tmp_path: Path) -> None:
    found = window(traced("bailian", tmp_path), 1.0, 10.0)
    assert found.parents is not None
    assert found.blocks is not None
    assert found.parents.tolist() == [-1, -1]
    assert found.blocks.ids.tolist() == [1, 2, 3, 4, 2]
    assert found.blocks.offsets.tolist() == [0, 4, 5]
