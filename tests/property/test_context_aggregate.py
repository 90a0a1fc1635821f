"""Sufficient statistics answer as the literal sums do, after any history of joins, leaves and steps."""

from __future__ import annotations

from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulator.attention import ContextArray
from simulator.attention.aggregate import MAX_WINDOW_STEPS, CapCounts, ContextAggregate, GranuleCounts
from simulator.attention.contexts import Prefix
from simulator.attention.work import IntTotals

GRANULES = (1, 2, 3, 7, 16)
CAPS = (1, 2, 24, 60, 120)
MOST_STEPS = 40
"""More than two of the largest granules."""

families = st.sampled_from(
    [
        (),
        (("a", 4),),
        (("b", 9),),
        (("a", 4), ("a1", 3)),
        (("a", 4), ("a2", 0)),
        (("a", 4), ("a1", 3), ("a11", 11)),
    ]
)


class Histories(RuleBasedStateMachine):
    """A batch that changes as an engine changes it, beside the plain list of its contexts."""

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[int, tuple[int, int, Prefix]] = {}
        self.names = count()

    @initialize()
    def start(self) -> None:
        self.batch = ContextAggregate(granules=GRANULES, caps=CAPS)

    @rule(context=st.integers(1, 90), prefix=families)
    def join(self, context: int, prefix: Prefix) -> None:
        offset = self.batch.join(context, prefix)
        self.members[next(self.names)] = (context, offset, prefix)

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.members)))
        _, offset, prefix = self.members.pop(name)
        self.batch.leave(offset, prefix)

    @rule(steps=st.integers(1, 50))
    def advance(self, steps: int) -> None:
        self.batch.advance(steps)
        self.members = {n: (c + steps, offset, p) for n, (c, offset, p) in self.members.items()}

    @property
    def contexts(self) -> list[int]:
        return [context for context, _, _ in self.members.values()]

    @property
    def oracle(self) -> ContextArray:
        return ContextArray(self.contexts, [prefix for _, _, prefix in self.members.values()])

    @invariant()
    def totals_are_the_literal_sums(self) -> None:
        for steps in (1, MOST_STEPS):
            assert listed(self.batch.total(steps)) == listed(self.oracle.total(steps))
            for granule in GRANULES:
                got = self.batch.total_rounded(granule, steps)
                assert listed(got) == listed(self.oracle.total_rounded(granule, steps))

    @invariant()
    def the_longest_is_the_longest(self) -> None:
        for steps in (1, MOST_STEPS):
            assert listed(self.batch.longest(steps)) == listed(self.oracle.longest(steps))

    @invariant()
    def capped_totals_are_the_literal_sums_while_they_are_linear(self) -> None:
        longest = min(self.batch.linear_steps(), 130)
        for steps in {1, min(2, longest), longest}:
            for cap in CAPS:
                got = self.batch.total_capped(cap, steps)
                assert listed(got) == listed(self.oracle.total_capped(cap, steps))

    @invariant()
    def counts_and_shared_prefixes_are_exact(self) -> None:
        assert self.batch.count() == len(self.members)
        assert self.batch.repeated_prefix_tokens() == self.oracle.repeated_prefix_tokens()

    @invariant()
    def linear_steps_end_when_a_member_reaches_a_cap(self) -> None:
        ends = [cap - c + 1 for c in self.contexts for cap in CAPS if c < cap]
        assert self.batch.linear_steps() == min(ends, default=MAX_WINDOW_STEPS)

    @invariant()
    def a_single_step_is_a_plain_int(self) -> None:
        assert type(self.batch.total(1)) is int
        assert type(self.batch.total_rounded(7, 1)) is int
        assert type(self.batch.total_capped(24, 1)) is int
        assert type(self.batch.longest(1)) is int

    @invariant()
    def entering_counts_those_whose_token_opens_a_granule(self) -> None:
        for granule in GRANULES:
            opens = sum((context - 1) % granule == 0 for context in self.contexts)
            assert self.batch.granules(granule).entering() == opens


def listed(totals: IntTotals) -> list[int]:
    return [int(total) for total in np.atleast_1d(totals)]


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=25)


@given(
    contexts=st.lists(st.integers(1, 70), min_size=1, max_size=9),
    granule=st.sampled_from(GRANULES),
    started=st.integers(0, 40),
    room=st.integers(0, 60),
)
def test_steps_within_is_the_longest_window_whose_entries_fit(
    contexts: list[int], granule: int, started: int, room: int
) -> None:
    counts = GranuleCounts(granule)
    counts.advance(started)
    for context in contexts:
        counts.join(context - started)
    steps = counts.steps_within(room)

    def entered(last: int) -> int:
        return sum(-(-(c + last) // granule) + (-c // granule) for c in contexts)

    assert entered(steps - 1) <= room < entered(steps)


def test_an_empty_batch_never_runs_out_of_room() -> None:
    assert GranuleCounts(16).steps_within(0) == MAX_WINDOW_STEPS


def test_a_window_of_many_periods_is_the_literal_sum() -> None:
    batch = ContextAggregate(granules=(5,), caps=())
    for context in (1, 4, 5, 6, 12):
        batch.join(context)
    literal = ContextArray([1, 4, 5, 6, 12]).total_rounded(5, 203)
    assert listed(batch.total_rounded(5, 203)) == listed(literal)


def test_twins_that_leave_before_their_cap_are_forgotten_one_by_one() -> None:
    counts = CapCounts(10)
    for _ in range(3):
        counts.join(4)
    counts.leave(4)
    counts.leave(4)
    assert (counts.linear_steps(), counts.below) == (7, 1)
    counts.advance(6)
    assert (counts.below, counts.total(1), counts.linear_steps()) == (0, 10, MAX_WINDOW_STEPS)


def test_a_member_that_rejoins_with_the_offset_of_one_that_left_still_counts() -> None:
    counts = CapCounts(10)
    counts.join(4)
    counts.leave(4)
    counts.join(4)
    counts.advance(6)
    assert (counts.below, counts.total(1)) == (0, 10)


def test_a_context_beyond_the_cap_at_joining_counts_as_the_cap() -> None:
    batch = ContextAggregate(granules=(), caps=(10,))
    offset = batch.join(10_000)
    assert batch.linear_steps() == MAX_WINDOW_STEPS
    assert listed(batch.total_capped(10, 3)) == [10, 10, 10]
    batch.leave(offset)
    assert batch.total_capped(10, 1) == 0


def test_a_prefix_is_repeated_until_one_holder_is_left() -> None:
    batch = ContextAggregate(granules=(), caps=())
    offsets = [batch.join(20, (("p", 16),)) for _ in range(3)]
    seen = [batch.repeated_prefix_tokens()]
    for offset in offsets:
        batch.leave(offset, (("p", 16),))
        seen.append(batch.repeated_prefix_tokens())
    assert seen == [32, 16, 0, 0]


def test_the_longest_window_that_may_be_asked_for_is_answered_in_full() -> None:
    batch = ContextAggregate(granules=(), caps=(100_000,))
    batch.join(1)
    steps = batch.linear_steps()
    assert len(listed(batch.total_capped(100_000, steps))) == steps
