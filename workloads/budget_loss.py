"""What a small KV budget costs in correctness: an assumption, for nobody has published it per task.

Published are curves over cost in which an oracle chose the budget of each question (Kinetics, arXiv
2506.05333, Fig. 8); ``docs/decisions/0013-kv-budgets-per-request.md`` says how `half_ratio` compares
with them.

Ignored: budgets do not change how long a trial is; how much of an answer needs which keys differs between
tasks, here by the length of their trials alone.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from simulator.frozen import FrozenModel

ASSUMPTION: Final = "assumed, not measured: the chance that a trial stays correct under its KV budget"

WITHOUT_EFFECT: Final = "no effect: every key is attended to"
"""What a declared loss is where neither attention nor strategy has KV budgets, as dense attention."""


class BudgetLoss(FrozenModel):
    """Chance that a trial which would be correct with all keys is so with a KV budget B.

    ``1 / (1 + (half_ratio * context / B) ** steepness)``, with the context at the trial's end; 1 where the
    budget holds the whole context.  Longer trials need more budget.  It multiplies the task's chance under
    the same random number, so what a budget solves a larger one solves too.

    Examples
    --------
    >>> loss = BudgetLoss(half_ratio=0.01)
    >>> [round(loss.kept_ratio(budget, 10_000), 2) for budget in (50, 100, 400, 10_000)]
    [0.2, 0.5, 0.94, 1.0]
    """

    half_ratio: float = Field(
        gt=0.0, le=1.0, description="[-] budget over context at which half of the correct trials are lost"
    )
    steepness: float = Field(
        default=2.0, ge=0.1, le=20.0, description="[-] how fast the loss falls around that ratio"
    )

    def kept_ratio(self, budget_tokens: int | None, context_tokens: int) -> float:
        """Return the part of correct trials that stay so; a budget of None attends to all keys."""
        if budget_tokens is None or budget_tokens >= context_tokens:
            return 1.0
        lost_odds: float = (self.half_ratio * context_tokens / budget_tokens) ** self.steepness
        return 1.0 / (1.0 + lost_odds)
