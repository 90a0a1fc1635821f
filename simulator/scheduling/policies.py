"""Scheduler policies: who is admitted first, and who gives way when KV memory runs out.

A policy ranks a sequence when it enters the queue; the engine admits in the order of ranks and, when
blocks run out, preempts the running sequence with the largest `victim_rank`.  Ranks do not change
while a sequence waits, so the order can be kept in a heap and holds for a whole macro step
(``docs/decisions/0006-policies-rank.md``).  A head that does not fit blocks those behind it, as in
serving engines: nothing overtakes, nothing starves.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from simulator.frozen import FrozenModel
from simulator.scheduling.view import SequenceView

Rank: TypeAlias = tuple[int, ...]


class Fcfs(FrozenModel):
    """First come, first served, by submission; the last admitted is preempted first (as in vLLM)."""

    kind: Literal["fcfs"] = "fcfs"

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue; a preempted sequence keeps its old place."""
        return (view.number,)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:  # noqa: ARG002 - the seam's signature
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (admitted,)


class ShortestFirst(FrozenModel):
    """Least known work first: the shortest prompt plus output cap, then order of submission.

    Output lengths are hidden, so only what a server knows counts; a preempted sequence counts what it
    has generated as done.
    """

    kind: Literal["shortest_first"] = "shortest_first"

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        return (view.prompt_tokens + view.max_tokens - view.generated_tokens, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (view.prompt_tokens + view.max_tokens, admitted)


class TaskAffine(FrozenModel):
    """Finish the oldest task first: its later trials and rounds overtake the tasks that came after it."""

    kind: Literal["task_affine"] = "task_affine"

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        return (view.task_arrival_ns, view.task, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (view.task_arrival_ns, view.task, admitted)


class Priority(FrozenModel):
    """The most urgent first, by the task's priority, then order of submission."""

    kind: Literal["priority"] = "priority"

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        return (-view.priority, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (-view.priority, admitted)
