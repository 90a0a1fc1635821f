"""The hidden truth about one node: drawn when it is requested, revealed when it has finished."""

from __future__ import annotations

from typing import Final, NamedTuple

CORRECT_ANSWER: Final = 0
"""Identity of the correct answer of every task; wrong answers count from 1."""

NO_ANSWER: Final = -1
"""Identity that stands for "no final answer": an intermediate or a truncated node."""


class NodeOutcome(NamedTuple):
    """What generating a node would give if it ran to its end.

    Parameters
    ----------
    output_tokens : tokens the node writes, cap included; at least 1.
    correct : a final node's answer is right, an intermediate node is still on track.
    answer : identity of the final answer (`CORRECT_ANSWER`, a wrong one from 1, or `NO_ANSWER`).
    score : what a process reward model says: 1 for correct, 0 otherwise, plus its noise.
    truncated : the cap ended the node before its text was complete.
    """

    output_tokens: int
    correct: bool
    answer: int
    score: float
    truncated: bool
