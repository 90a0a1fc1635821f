"""A task: one problem that users want solved, before any strategy has spent trials on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One problem to be solved.

    Parameters
    ----------
    index : position in the run, from 0; addresses the task's random numbers.
    prompt_tokens : tokens of the problem statement, shared by all trials of the task.
    solve_probability : hidden chance that one full trial of it is correct (its difficulty).
    priority : larger is more urgent; read by the `priority` scheduler only.
    """

    index: int
    prompt_tokens: int
    solve_probability: float
    priority: int = 0
