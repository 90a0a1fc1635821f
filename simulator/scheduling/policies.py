"""Scheduler policies: who is admitted first, and who gives way when KV memory runs out.

A policy ranks a sequence when it enters the queue; the engine admits in the order of ranks and, when
blocks run out, preempts the running sequence with the largest `victim_rank`.  Ranks do not change
while a sequence waits, so the order can be kept in a heap and holds for a whole macro step
(``docs/decisions/0006-policies-rank.md``).  A head that does not fit blocks those behind it, as in
serving engines, so a long prompt is not overtaken for ever; under a policy that is not first come first
served a sequence can still wait as long as better-ranked ones keep coming.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field

from simulator.frozen import FrozenModel
from simulator.scheduling.view import SequenceView

Rank: TypeAlias = tuple[int, ...]


class Fcfs(FrozenModel):
    """First come, first served, by submission; the last admitted is preempted first (as in vLLM)."""

    kind: Literal["fcfs"] = Field(default="fcfs", description="[-] Selects this scheduler.")

    reads_prediction: ClassVar[bool] = False

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue; a preempted sequence keeps its old place."""
        return (view.number,)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:  # noqa: ARG002 - the seam's signature
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (admitted,)


class ShortestFirst(FrozenModel):
    """Least work first: what a server knows, or what an outside predictor says.

    Output lengths are hidden, so ``known`` counts the prompt and the output cap; ``predicted`` counts the
    prompt and the workload's `length_prediction`.  What a preempted sequence has generated is done.
    """

    kind: Literal["shortest_first"] = Field(
        default="shortest_first", description="[-] Selects this scheduler."
    )
    by: Literal["known", "predicted"] = Field(default="known", description="[-] which length counts")

    @property
    def reads_prediction(self) -> bool:
        """Whether the workload must bring predicted lengths."""
        return self.by == "predicted"

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        output = view.predicted_tokens if self.by == "predicted" else view.max_tokens
        return (view.prompt_tokens + output - view.generated_tokens, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        output = view.predicted_tokens if self.by == "predicted" else view.max_tokens
        return (view.prompt_tokens + output, admitted)


class LongestFirst(FrozenModel):
    """The longest predicted output first, so that stragglers of a synchronous batch start early."""

    kind: Literal["longest_first"] = Field(default="longest_first", description="[-] Selects this scheduler.")

    reads_prediction: ClassVar[bool] = True

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        return (view.generated_tokens - view.predicted_tokens, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (-view.predicted_tokens, admitted)


class TaskAffine(FrozenModel):
    """Finish the oldest task first: its later trials and rounds overtake the tasks that came after it."""

    kind: Literal["task_affine"] = Field(default="task_affine", description="[-] Selects this scheduler.")

    reads_prediction: ClassVar[bool] = False

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        return (view.task_arrival_ns, view.task, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (view.task_arrival_ns, view.task, admitted)


class Priority(FrozenModel):
    """The most urgent first, by the task's priority, then order of submission."""

    kind: Literal["priority"] = Field(default="priority", description="[-] Selects this scheduler.")

    reads_prediction: ClassVar[bool] = False

    def rank(self, view: SequenceView) -> Rank:
        """Return the place in the queue."""
        return (-view.priority, view.number)

    def victim_rank(self, view: SequenceView, admitted: int) -> Rank:
        """Return how readily a running sequence is preempted; the largest goes first."""
        return (-view.priority, admitted)
