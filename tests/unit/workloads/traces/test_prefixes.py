"""Segments that prompts share, against comparing every prompt with every other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workloads.traces.prefixes import SharedPrefixes, shared_prefixes
from workloads.traces.table import PrefixBlocks

BLOCK = 16


def common(one: list[int], other: list[int]) -> int:
    """Return how many leading ids two prompts have in common, one by one."""
    size = 0
    while size < min(len(one), len(other)) and one[size] == other[size]:
        size += 1
    return size


@given(
    rows=st.lists(st.lists(st.integers(-2, 1), max_size=5), min_size=1, max_size=8),
    short=st.lists(st.integers(0, 20), min_size=8, max_size=8),
)
def test_two_prompts_share_the_segments_up_to_where_they_part(
    rows: list[list[int]], short: list[int]
) -> None:
    blocks = PrefixBlocks(
        np.cumsum([0, *map(len, rows)]), np.array([i for row in rows for i in row], dtype=np.int64), BLOCK
    )
    prompts = np.array([max(1, BLOCK * len(row) - less) for row, less in zip(rows, short, strict=False)])
    parents, ends, tasks = shared_prefixes(blocks, prompts)
    full = [row[: prompt // BLOCK] for row, prompt in zip(rows, prompts, strict=True)]
    paths: list[Any] = [()] * len(rows)
    if parents:
        prefixes = SharedPrefixes(parents=parents, end_tokens=ends, tasks=tuple(tasks.tolist()))
        prefixes.check_prompts(prompts.tolist(), ())
        paths = [prefixes.of_task(row) for row in range(len(rows))]
    for one, row in enumerate(full):
        most = 0
        for other in range(len(full)):
            if one == other:
                continue
            both = [part for part in paths[one] if part in paths[other]]
            assert (both[-1][1] if both else 0) == BLOCK * common(row, full[other])
            most = max(most, common(row, full[other]))
        assert (paths[one][-1][1] if paths[one] else 0) == BLOCK * most


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"end_tokens": [10]}, "parents has 2 segments but end_tokens has 1"),
        ({"parents": [1, -1]}, "segment 0 continues segment 1, which is no earlier one"),
        ({"end_tokens": [10, 10]}, "segment 1 ends at 10 tokens, and the one that it continues at 10"),
        ({"tasks": [2]}, "tasks name segment 2 of 2, counted from 0"),
        ({"parents": [], "end_tokens": []}, "at least 1"),
    ],
)
def test_segments_that_do_not_fit_are_refused(change: dict[str, list[int]], told: str) -> None:
    fine = {"parents": [-1, 0], "end_tokens": [10, 20], "tasks": [1]}
    with pytest.raises(ValidationError, match=told):
        SharedPrefixes.model_validate(fine | change)


def test_segments_longer_than_a_prompt_and_missing_rows_are_refused() -> None:
    prefixes = SharedPrefixes(parents=(-1,), end_tokens=(10,), tasks=(0, -1), follow_ups=(0,))
    prefixes.check_prompts((10, 1), (11,))
    with pytest.raises(ValueError, match="tasks, row 0: segment 0 ends at 10 tokens, the prompt has 9"):
        prefixes.check_prompts((9, 1), (11,))
    with pytest.raises(ValueError, match="tasks has 2 rows, there are 1"):
        prefixes.check_prompts((10,), (11,))
    with pytest.raises(ValueError, match="follow_ups has 1 rows, there are 0"):
        prefixes.check_prompts((10, 1), ())
