"""Designs of sweeps: which points grids, rows, draws and Latin hypercubes consist of."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import ScenarioError
from simulator.scenario.sweeps import SweepSpec
from simulator.sweeps import design
from simulator.sweeps.design import MOST_RUNS

NAMES = ("model.preset", "parallelism.tp", "engine.max_sequences")
TABLES = st.lists(
    st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True), min_size=1, max_size=3
).map(lambda found: dict(zip(NAMES, found, strict=False)))


def points(**fields: Any) -> list[tuple[object, ...]]:  # noqa: ANN401 - any argument
    return [tuple(point.labels.values()) for point in design(SweepSpec(**fields))]


def refusal(**fields: Any) -> str:  # noqa: ANN401 - any argument
    with pytest.raises(ScenarioError) as caught:
        design(SweepSpec(**fields))
    return str(caught.value)


@given(TABLES)
def test_a_grid_has_every_combination_once_in_the_order_of_its_axes(axes: dict[str, list[int]]) -> None:
    assert points(axes=axes) == list(product(*axes.values()))


@given(st.integers(1, 20), st.integers(1, 3))
def test_rows_take_one_value_of_each_axis(rows: int, columns: int) -> None:
    axes = {name: [place * 100 + row for row in range(rows)] for place, name in enumerate(NAMES[:columns])}
    assert points(axes=axes, combine="zip") == list(zip(*axes.values(), strict=True))


@given(TABLES.filter(lambda axes: len({len(values) for values in axes.values()}) > 1))
def test_rows_of_unequal_length_are_refused_with_their_lengths(axes: dict[str, list[int]]) -> None:
    told = refusal(axes=axes, combine="zip")
    assert all(f"{name} has {len(values)}" in told for name, values in axes.items())


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_a_latin_hypercube_meets_every_stratum_of_every_axis_once(samples: int, draw_seed: int) -> None:
    pytest.importorskip("scipy", reason="Latin hypercubes need the extra `plan`")
    axes = {"a.b": {"low": 0.0, "high": 1.0}, "c.d": {"low": 10.0, "high": 20.0}}
    found = points(axes=axes, combine="latin_hypercube", samples=samples, draw_seed=draw_seed)
    for place, (low, width) in enumerate([(0.0, 1.0), (10.0, 10.0)]):
        strata = sorted(int((float(row[place]) - low) / width * samples) for row in found)  # type: ignore[arg-type] # rows hold numbers
        assert strata == list(range(samples))


@pytest.mark.parametrize("combine", ["random", "latin_hypercube"])
@given(samples=st.integers(1, 30), draw_seed=st.integers(0, 1000))
def test_draws_repeat_by_their_seed_and_differ_between_seeds(
    combine: str, samples: int, draw_seed: int
) -> None:
    pytest.importorskip("scipy", reason="Latin hypercubes need the extra `plan`")
    fields = {"axes": {"a.b": "0.5..8", "c.d": "1e-3..10:log"}, "combine": combine, "samples": samples}
    first = points(**fields, draw_seed=draw_seed)
    assert first == points(**fields, draw_seed=draw_seed)
    assert first != points(**fields, draw_seed=draw_seed + 1)


@given(st.integers(1, 8), st.integers(1, 30))
def test_a_latin_hypercube_gives_each_of_given_values_its_share(values: int, shares: int) -> None:
    pytest.importorskip("scipy", reason="Latin hypercubes need the extra `plan`")
    axes = {"a.b": list(range(values)), "c.d": {"low": 0.0, "high": 1.0}}
    found = points(axes=axes, combine="latin_hypercube", samples=values * shares)
    assert sorted(row[0] for row in found) == sorted(list(range(values)) * shares)  # type: ignore[type-var] # values can be sorted


def test_equal_points_of_a_draw_are_run_once() -> None:
    found = points(axes={"a.b": [1, 2]}, combine="random", samples=50)
    assert sorted(found) == [(1,), (2,)]  # type: ignore[type-var] # values can be sorted


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"axes": {"a": "0.5..8"}},
            "sweep.axes: a: an interval has no values of its own; give some, such as",
        ),
        ({"axes": {"a": [1]}, "samples": 3}, "sweep.samples: grid takes all values"),
        ({"axes": {"a": [1]}, "combine": "random"}, "sweep.samples: random draws points; say how many"),
        ({"axes": {"a": [1], "b": {"x": {"a": 2}}}}, "sweep.axes: a and b both change a"),
        ({"axes": {"a": [{"c": 1}], "a.b": [1]}}, "sweep.axes: a and a.b both change a.b"),
        (
            {"axes": {"x": {"p": {"a.b": 1}}, "y": {"q": {"a": {"b": 2}}}}},
            "sweep.axes: x and y both change a.b",
        ),
    ],
)
def test_axes_that_do_not_go_together_are_refused(fields: dict[str, Any], told: str) -> None:
    assert told in refusal(**fields)


def test_paths_that_only_begin_alike_do_not_overlap() -> None:
    assert len(points(axes={"a.b": [1, 2], "a.bc": [1, 2]})) == 4


@settings(max_examples=15)
@given(st.lists(st.integers(200, 9_999), min_size=2, max_size=3))
def test_too_large_a_grid_is_refused_with_its_size_and_a_way_out(sizes: list[int]) -> None:
    axes = {name: f"1:{size}" for name, size in zip(NAMES, sizes, strict=False)}
    if prod(sizes) <= MOST_RUNS:
        return
    told = refusal(axes=axes)
    assert f"{prod(sizes):,} points" in told
    assert "combine: latin_hypercube, samples: 1000" in told


def test_seeds_and_variants_count_towards_the_limit() -> None:
    spec = SweepSpec(axes={"a": "1:1000", "b": "1:500"})
    with pytest.raises(ScenarioError, match=r"500,000 points with 3 runs each"):
        design(spec, runs_per_point=3)
