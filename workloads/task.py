"""A task: one problem that users want solved, before any strategy has spent trials on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

SharedPrefix: TypeAlias = tuple[tuple[int, int], ...]
"""Beginning of a prompt that others have too: (segment, tokens up to its end), outermost first."""


class Turn(NamedTuple):
    """A recorded request that follows another of its task; nothing of it is hidden from a client.

    Parameters
    ----------
    number : its place among the turns of the task; the task's own request is turn 0.
    after : turn that it follows.
    tool_s : time from the end of that turn to the request, s.
    prompt_tokens : its whole prompt, tokens.
    prefix : what prompts of other requests begin with too, where that was recorded.
    """

    number: int
    after: int
    tool_s: float
    prompt_tokens: int
    prefix: SharedPrefix = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One problem to be solved.

    Parameters
    ----------
    index : position in the run, from 0; addresses the task's random numbers.
    prompt_tokens : tokens of the problem statement, shared by all trials of the task.
    solve_probability : hidden chance that one full trial of it is correct (its difficulty).
    priority : larger is more urgent; read by the `priority` scheduler only.
    turns : recorded requests that follow its own; read by the `recorded` strategy only.
    prefix : what prompts of other tasks begin with too.
    """

    index: int
    prompt_tokens: int
    solve_probability: float
    priority: int = 0
    turns: tuple[Turn, ...] = ()
    prefix: SharedPrefix = ()
