"""Plans: the best choice under limits, or the most that a plan sustains, found by simulating candidates.

`goals` says what is wanted of a run, `evaluating` simulates candidates and keeps what came of them,
`searching` and `bisecting` decide which ones, `answering` makes the answer, `files` writes it.
"""

from __future__ import annotations

from simulator.planning.answering import Answer
from simulator.planning.plan import plan

__all__ = ["Answer", "plan"]
