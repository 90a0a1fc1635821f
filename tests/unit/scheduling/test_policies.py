"""Who is admitted next and who gives way, policy by policy."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from pydantic import ValidationError

from simulator.scheduling import (
    Fcfs,
    LongestFirst,
    Priority,
    Scheduler,
    SequenceView,
    ShortestFirst,
    TaskAffine,
)
from workloads.outcome import NodeOutcome

BASE = SequenceView(
    number=0,
    task=0,
    task_arrival_ns=0,
    submitted_ns=0,
    prompt_tokens=100,
    max_tokens=1000,
    priority=0,
    predicted_tokens=500,
)


def view(number: int, **changes: int) -> SequenceView:
    return replace(BASE, number=number, **changes)


def queue(policy: Scheduler, *views: SequenceView) -> list[int]:
    """Return the numbers in the order of admission."""
    return [v.number for v in sorted(views, key=policy.rank)]


def gives_way(policy: Scheduler, *running: SequenceView) -> int:
    """Return the number of the first to be preempted; `running` is in the order of admission."""
    ranks = {v.number: policy.victim_rank(v, admitted) for admitted, v in enumerate(running)}
    return max(ranks, key=lambda number: ranks[number])


def test_fcfs_goes_by_submission_whatever_else_is_known() -> None:
    views = view(2, prompt_tokens=1), view(0, prompt_tokens=9000), view(1, priority=9)
    assert queue(Fcfs(), *views) == [0, 1, 2]


def test_a_preempted_sequence_keeps_its_place_under_fcfs() -> None:
    assert queue(Fcfs(), view(4), view(1, generated_tokens=700), view(2)) == [1, 2, 4]


def test_fcfs_preempts_the_last_admitted() -> None:
    assert gives_way(Fcfs(), view(5), view(1), view(3)) == 3


def test_shortest_first_counts_prompt_and_cap_on_the_output() -> None:
    views = view(0, prompt_tokens=600), view(1, max_tokens=400), view(2, prompt_tokens=10)
    assert queue(ShortestFirst(), *views) == [1, 2, 0]


def test_shortest_first_takes_off_what_is_generated() -> None:
    assert queue(ShortestFirst(), view(0), view(1, generated_tokens=1)) == [1, 0]


def test_shortest_first_by_prediction_ignores_the_cap() -> None:
    policy = ShortestFirst(by="predicted")
    views = view(0, predicted_tokens=90, max_tokens=5000), view(1, predicted_tokens=91, max_tokens=100)
    assert queue(policy, *views) == [0, 1]
    assert queue(ShortestFirst(), *views) == [1, 0]


def test_shortest_first_preempts_the_longest_and_of_equals_the_last_admitted() -> None:
    assert gives_way(ShortestFirst(), view(0), view(1, prompt_tokens=800), view(2)) == 1
    assert gives_way(ShortestFirst(), view(2), view(0), view(1)) == 1
    assert gives_way(ShortestFirst(by="predicted"), view(0, predicted_tokens=900), view(1)) == 0


def test_longest_first_starts_the_longest_prediction() -> None:
    views = view(0, predicted_tokens=5), view(1, predicted_tokens=700), view(2, predicted_tokens=60)
    assert queue(LongestFirst(), *views) == [1, 2, 0]


def test_longest_first_goes_by_what_is_left_of_a_preempted_sequence() -> None:
    views = view(0, predicted_tokens=500, generated_tokens=450), view(1, predicted_tokens=60)
    assert queue(LongestFirst(), *views) == [1, 0]


def test_longest_first_preempts_the_shortest_prediction() -> None:
    assert gives_way(LongestFirst(), view(0, predicted_tokens=9), view(1), view(2)) == 0
    assert gives_way(LongestFirst(), view(2), view(1)) == 1


def test_task_affine_finishes_the_task_that_came_first() -> None:
    views = (
        view(0, task=1, task_arrival_ns=10),
        view(1, task=0, task_arrival_ns=5),
        view(2, task=1, task_arrival_ns=10),
        view(3, task=0, task_arrival_ns=5),
    )
    assert queue(TaskAffine(), *views) == [1, 3, 0, 2]


def test_task_affine_goes_by_task_where_tasks_came_together() -> None:
    assert queue(TaskAffine(), view(0, task=2), view(1, task=1), view(2, task=1)) == [1, 2, 0]


def test_task_affine_preempts_the_task_that_came_last() -> None:
    running = view(0, task=1, task_arrival_ns=9), view(1, task=0), view(2, task=0)
    assert gives_way(TaskAffine(), *running) == 0
    assert gives_way(TaskAffine(), view(1, task=0), view(2, task=0)) == 2


def test_priority_serves_the_larger_number_first_and_equals_in_order() -> None:
    views = view(0), view(1, priority=-1), view(2, priority=3), view(3, priority=3)
    assert queue(Priority(), *views) == [2, 3, 0, 1]


def test_priority_preempts_the_least_urgent_and_of_equals_the_last_admitted() -> None:
    assert gives_way(Priority(), view(0, priority=1), view(1, priority=0), view(2, priority=1)) == 1
    assert gives_way(Priority(), view(1), view(0)) == 0


@pytest.mark.parametrize(
    ("policy", "reads"),
    [
        (Fcfs(), False),
        (ShortestFirst(), False),
        (ShortestFirst(by="predicted"), True),
        (LongestFirst(), True),
        (TaskAffine(), False),
        (Priority(), False),
    ],
    ids=repr,
)
def test_a_policy_says_whether_it_reads_predictions(policy: Scheduler, *, reads: bool) -> None:
    assert policy.reads_prediction is reads


def test_shortest_first_knows_two_lengths_only() -> None:
    with pytest.raises(ValidationError, match="'known' or 'predicted'"):
        ShortestFirst.model_validate({"by": "actual"})


def test_a_view_shows_what_a_server_knows_and_nothing_else() -> None:
    # INV-9: nothing of the outcome, and no way to the run-time objects that hold it.
    shown = {field.name: field.type for field in fields(SequenceView)}
    assert set(shown) == {
        "number",
        "task",
        "task_arrival_ns",
        "submitted_ns",
        "prompt_tokens",
        "max_tokens",
        "priority",
        "predicted_tokens",
        "generated_tokens",
    }
    assert set(shown.values()) == {"int"}
    assert not set(shown) & set(NodeOutcome._fields)


def test_a_view_cannot_be_given_more() -> None:
    with pytest.raises(AttributeError, match="output_tokens"):
        BASE.output_tokens = 3  # type: ignore[attr-defined] # what the test is about
