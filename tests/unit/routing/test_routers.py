"""Which replica a sequence goes to, router by router."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.routing import LeastLoaded, PrefixAffine, RoundRobin, Router


@dataclass
class Seen:
    """A replica as routers see it."""

    index: int
    outstanding: int = 0
    tasks: frozenset[int] = frozenset()

    def holds_task(self, task: int) -> bool:
        return task in self.tasks


def node(*loads: int, holders: tuple[int, ...] = ()) -> list[Seen]:
    """Return replicas with these loads; `holders` serve task 7."""
    return [Seen(i, load, frozenset({7} if i in holders else ())) for i, load in enumerate(loads)]


def route(router: Router, replicas: list[Seen], number: int = 0) -> int:
    return router.route(number=number, task=7, replicas=replicas)


def test_round_robin_takes_turns_whatever_the_load() -> None:
    replicas = node(900, 0, 5, holders=(0,))
    assert [route(RoundRobin(), replicas, number) for number in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_least_loaded_ties_go_to_the_lowest_index() -> None:
    assert route(LeastLoaded(), node(3, 2, 2)) == 1
    assert route(LeastLoaded(), node(0, 0, 0)) == 0


@given(loads=st.lists(st.integers(0, 9), min_size=1, max_size=8), number=st.integers(0, 99))
def test_least_loaded_never_passes_over_a_lighter_replica(loads: list[int], number: int) -> None:
    index = route(LeastLoaded(), node(*loads), number)
    assert loads[index] == min(loads)
    assert loads.index(min(loads)) == index


def test_prefix_affine_follows_the_task() -> None:
    assert route(PrefixAffine(), node(0, 9, 3, holders=(1,))) == 1


def test_prefix_affine_takes_the_lightest_holder_and_of_equals_the_lowest() -> None:
    assert route(PrefixAffine(), node(0, 9, 3, 3, holders=(1, 2, 3))) == 2


def test_prefix_affine_starts_a_task_where_there_is_least_to_do() -> None:
    assert route(PrefixAffine(), node(4, 1, 1)) == 1


def test_prefix_affine_gives_up_beyond_its_imbalance() -> None:
    router = PrefixAffine(max_imbalance=5)
    assert route(router, node(2, 7, holders=(1,))) == 1
    assert route(router, node(2, 8, holders=(1,))) == 0


def test_prefix_affine_passes_over_one_holder_for_another() -> None:
    assert route(PrefixAffine(max_imbalance=5), node(0, 9, 5, holders=(1, 2))) == 2


def test_without_any_imbalance_affinity_only_breaks_ties() -> None:
    router = PrefixAffine(max_imbalance=0)
    assert route(router, node(2, 2, holders=(1,))) == 1
    assert route(router, node(2, 3, holders=(1,))) == 0


@pytest.mark.parametrize("imbalance", [-1, 1_000_001, 1.5])
def test_an_imbalance_is_a_whole_number_in_range(imbalance: object) -> None:
    with pytest.raises(ValidationError, match="max_imbalance"):
        PrefixAffine.model_validate({"max_imbalance": imbalance})
