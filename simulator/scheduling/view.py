"""What a policy may know of a sequence: what a real server knows, never its hidden length or outcome."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SequenceView:
    """The visible side of a sequence.

    Parameters
    ----------
    number : order of submission in the run, unique.
    task : index of the task it belongs to.
    task_arrival_ns : when the task arrived.
    submitted_ns : when this sequence was submitted.
    prompt_tokens : tokens of its prompt.
    max_tokens : cap on its output.
    priority : larger is more urgent.
    predicted_tokens : what an outside predictor says of its output length; 0 where there is none.
    generated_tokens : tokens produced so far; more than 0 in the queue only after a preemption.
    """

    number: int
    task: int
    task_arrival_ns: int
    submitted_ns: int
    prompt_tokens: int
    max_tokens: int
    priority: int
    predicted_tokens: int = 0
    generated_tokens: int = 0
