"""Random streams are addressed, never used up."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rng import CHUNK, Streams


@given(seed=st.integers(0, 2**63 - 1), order=st.permutations(range(6)))
def test_draws_do_not_depend_on_their_order(seed: int, order: list[int]) -> None:
    places = [("length", 0, 0), ("length", 0, 1), ("length", 5, 0), ("length", 2000, 0), ("answer", 0, 0)]
    places.append(("answer", 2000, 3))
    fresh = [Streams(seed).uniform(name, task=task, draw=draw) for name, task, draw in places]
    shared = Streams(seed)
    for i in order:
        name, task, draw = places[i]
        assert shared.uniform(name, task=task, draw=draw) == fresh[i]
    assert len(set(fresh)) == len(fresh)


def test_a_generator_starts_at_its_beginning_each_time() -> None:
    streams = Streams(3)
    first = streams.generator("arrivals").random(4)
    assert streams.generator("arrivals").random(4).tolist() == first.tolist()


def test_addresses_that_look_alike_are_different_streams() -> None:
    addresses: list[tuple[str, tuple[int, ...]]] = [("a", ()), ("a", (0,)), ("a", (0, 0)), ("a", (0, 1))]
    addresses += [("a", (1, 0)), ("b", ()), ("b", (0,)), ("ab", ()), ("", ())]
    draws = [Streams(0).generator(name, *index).random(8).tolist() for name, index in addresses]
    assert all(one != other for one, other in combinations(draws, 2))


def test_seeds_that_are_close_are_different_streams() -> None:
    draws = [Streams(seed).generator("x").random() for seed in (0, 1, 2, 2**32, 2**32 + 1, 2**63 - 1)]
    assert len(set(draws)) == len(draws)


def test_a_seed_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        Streams(-1).generator("x")


@pytest.mark.parametrize("task", [0, CHUNK - 1, CHUNK, 3 * CHUNK + 17])
def test_a_task_has_its_own_place_in_its_chunk(task: int) -> None:
    chunk, row = divmod(task, CHUNK)
    column = Streams(11).generator("length", 4, chunk).random(CHUNK)
    assert Streams(11).uniform("length", task=task, draw=4) == column[row]


def test_uniforms_are_uniform_and_uncorrelated() -> None:
    streams = Streams(20_240_611)
    grid = np.array(
        [[streams.uniform("length", task=task, draw=draw) for draw in range(4)] for task in range(4000)]
    )
    assert ((grid >= 0.0) & (grid < 1.0)).all()
    ranks = (np.arange(grid.size) + 0.5) / grid.size
    # Kolmogorov-Smirnov: 1.95 / sqrt(n) is exceeded once in a thousand seeds; the seed is fixed.
    assert np.abs(np.sort(grid, axis=None) - ranks).max() < 1.95 / np.sqrt(grid.size)
    correlation = np.corrcoef(grid.T) - np.eye(4)
    assert np.abs(correlation).max() < 4.0 / np.sqrt(len(grid))
    assert abs(np.corrcoef(grid[1:, 0], grid[:-1, 0])[0, 1]) < 4.0 / np.sqrt(len(grid))


def test_numbers_are_the_same_in_another_process() -> None:
    code = "from simulator.rng import Streams; print(repr(Streams(5).uniform('length', task=9, draw=2)))"
    answers = {
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert answers == {repr(Streams(5).uniform("length", task=9, draw=2))}


def test_the_names_in_use_do_not_collide(root: Path) -> None:
    # Streams are addressed by the CRC of their names.
    call = re.compile(r"\._?(?:uniform|generator)\(\"(\w+)\"")
    sources = [*(root / "workloads").rglob("*.py"), *(root / "simulator").rglob("*.py")]
    names = {name for path in sources for name in call.findall(path.read_text(encoding="utf-8"))}
    assert {"length", "arrivals", "correct"} <= names
    assert len({crc32(name.encode()) for name in names}) == len(names)
