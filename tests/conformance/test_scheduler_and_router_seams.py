"""Every scheduler and every router keeps the promises that the engines rely on."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from serving_unions import each

from simulator.routing import Router
from simulator.scheduling import Scheduler, SequenceView

# -- schedulers

views = st.builds(
    SequenceView,
    number=st.integers(0, 50),
    task=st.integers(0, 5),
    task_arrival_ns=st.integers(0, 5),
    submitted_ns=st.integers(0, 5),
    prompt_tokens=st.integers(1, 5),
    max_tokens=st.integers(1, 9),
    priority=st.integers(-2, 2),
    predicted_tokens=st.integers(0, 9),
    generated_tokens=st.integers(0, 9),
)


@each("scheduler")
@given(one=views, other=views)
def test_ranks_are_whole_numbers_that_order_any_two_sequences(
    member: Scheduler, one: SequenceView, other: SequenceView
) -> None:
    ranks = member.rank(one), member.rank(other)
    assert {type(part) for rank in ranks for part in rank} == {int}
    assert len(ranks[0]) == len(ranks[1])
    # The queue is a heap of (rank, sequence) and sequences do not compare.
    assert ranks[0] != ranks[1] or one.number == other.number


@each("scheduler")
@given(one=views, other=views, admitted=st.integers(0, 20), later=st.integers(1, 9))
def test_victim_ranks_tell_any_two_running_sequences_apart(
    member: Scheduler, one: SequenceView, other: SequenceView, admitted: int, later: int
) -> None:
    ranks = member.victim_rank(one, admitted), member.victim_rank(other, admitted + later)
    assert {type(part) for rank in ranks for part in rank} == {int}
    assert len(ranks[0]) == len(ranks[1])
    assert ranks[0] != ranks[1]


@each("scheduler")
@given(view=views, admitted=st.integers(0, 20), later=st.integers(1, 9))
def test_of_equal_sequences_the_last_admitted_gives_way(
    member: Scheduler, view: SequenceView, admitted: int, later: int
) -> None:
    assert member.victim_rank(view, admitted + later) > member.victim_rank(view, admitted)


@each("scheduler")
@given(view=views, generated=st.integers(0, 99), admitted=st.integers(0, 20))
def test_who_gives_way_does_not_change_while_sequences_run(
    member: Scheduler, view: SequenceView, generated: int, admitted: int
) -> None:
    # The fast engine keeps victims in a heap and does not count tokens while it jumps.
    later = replace(view, generated_tokens=generated)
    assert member.victim_rank(later, admitted) == member.victim_rank(view, admitted)


@each("scheduler")
@given(view=views, predicted=st.integers(0, 99), admitted=st.integers(0, 20))
def test_predictions_are_read_only_where_that_is_declared(
    member: Scheduler, view: SequenceView, predicted: int, admitted: int
) -> None:
    other = replace(view, predicted_tokens=predicted)
    same_rank = member.rank(other) == member.rank(view)
    same_victim = member.victim_rank(other, admitted) == member.victim_rank(view, admitted)
    if not member.reads_prediction:
        assert (same_rank, same_victim) == (True, True)
    elif predicted != view.predicted_tokens:
        assert not same_rank


@each("scheduler")
@given(view=views)
def test_a_policy_leaves_the_view_as_it_is(member: Scheduler, view: SequenceView) -> None:
    before = replace(view)
    member.rank(view)
    member.victim_rank(view, 3)
    assert view == before


@each("scheduler")
def test_a_policy_is_given_one_view_and_nothing_that_leads_further(member: Scheduler) -> None:
    assert list(signature(member.rank).parameters) == ["view"]
    assert list(signature(member.victim_rank).parameters) == ["view", "admitted"]


# -- routers


@dataclass
class Seen:
    """A replica as routers see it; anything else they touch is an AttributeError."""

    index: int
    outstanding: int
    tasks: frozenset[int]

    def holds_task(self, task: int) -> bool:
        return task in self.tasks


@st.composite
def nodes(draw: st.DrawFn) -> list[Seen]:
    """Draw one to five replicas."""
    tasks = st.frozensets(st.integers(0, 3), max_size=2)
    return [Seen(i, draw(st.integers(0, 200)), draw(tasks)) for i in range(draw(st.integers(1, 5)))]


@each("router")
@given(replicas=nodes(), number=st.integers(0, 999), task=st.integers(0, 3))
def test_a_router_names_a_replica_and_always_the_same(
    member: Router, replicas: list[Seen], number: int, task: int
) -> None:
    index = member.route(number=number, task=task, replicas=replicas)
    assert type(index) is int
    assert 0 <= index < len(replicas)
    assert member.route(number=number, task=task, replicas=replicas) == index


@each("router")
@given(number=st.integers(0, 999), task=st.integers(0, 3))
def test_one_replica_gets_everything(member: Router, number: int, task: int) -> None:
    assert member.route(number=number, task=task, replicas=[Seen(0, 10**6, frozenset())]) == 0
