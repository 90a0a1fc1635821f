"""Oracle allocation: a bound on what any way to spend trials can reach, for nobody to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal

from pydantic import Field

from simulator.frozen import Count, FrozenModel
from workloads.kv_budgets import Ladder
from workloads.outcome import NodeOutcome
from workloads.strategies.protocol import CONTINUE, TRIAL, Decision, any_correct
from workloads.tree import NodeRequest, RequestNode, RequestTree

BOUND: Final = (
    "workload.strategy oracle knows the outcome of every trial in advance: a bound that no server can reach."
)


_WRONG: Final = -1
"""Stands for the KV budget of a trial that none makes right."""


class Oracle(FrozenModel):
    """Spend on each task the fewest trials that solve it, and nothing on tasks that none solves.

    It knows which trials come out right under which KV budget.  Trials that fail under all have the smallest
    budget, the last the smallest under which it is right; so a strategy that runs trials in order to
    their end, as `adaptive` with waves of one does, writes no fewer tokens for any task that it solves.
    With `skips_failures` the failing trials are left out too: of each task the shortest trial that is
    right is run.  No strategy whatever that stays within `max_trials` writes fewer tokens for it.  With
    `most_tokens` it takes the tasks that need the fewest tokens, as is best for a lower solving rate.

    Notes
    -----
    The one exception to rule R8 (strategies see what a server sees).  A task that is not worth a trial
    takes a prompt and one token, for every task has a node.

    Examples
    --------
    >>> def known(trial: int, budget: int | None) -> NodeOutcome:
    ...     return NodeOutcome(900, (trial, budget) == (1, 256), 0, 0.0, False)
    >>> plan = Oracle(max_trials=3, kv_budgets_tokens=(64, 256)).plan(known)
    >>> [request.kv_budget_tokens for request in plan]
    [64, 256]
    """

    kind: Literal["oracle"] = Field(default="oracle", description="[-] Selects this strategy.")
    max_trials: Count = Field(description="[trials] Trials looked at for each task.")
    kv_budgets_tokens: Ladder = Field(
        default=(), description="[tokens] KV budgets to choose from, ascending; none: that of the attention."
    )
    skips_failures: bool = Field(
        default=False, description="[-] Leave the trials that fail before the first success out, too."
    )

    most_tokens: Count | None = Field(
        default=None, description="[tokens] Output beyond which a task is left out; null: all that can be."
    )

    max_depth: ClassVar[int] = 0
    verifier_noise: ClassVar[float] = 0.0
    shares_prompt: ClassVar[bool] = True
    independent_trials: ClassVar[bool] = False

    def start(self) -> Sequence[NodeRequest]:
        """Return one trial, which is all that can be planned without `plan`."""
        return (TRIAL,)

    def plan(self, outcome: Callable[[int, int | None], NodeOutcome]) -> Sequence[NodeRequest]:
        """Return the trials of a task whose outcomes are known.

        Parameters
        ----------
        outcome : the hidden truth about a trial under a KV budget; a larger one solves what a smaller does.
        """
        budgets: tuple[int | None, ...] = self.kv_budgets_tokens or (None,)
        spent, found = 0, []
        for trial in range(self.max_trials):
            tokens = outcome(trial, budgets[-1]).output_tokens
            spent = tokens if self.skips_failures else spent + tokens
            right = next((budget for budget in budgets if outcome(trial, budget).correct), _WRONG)
            if right != _WRONG:
                found.append((spent, trial, right))
                if not self.skips_failures:
                    break
        spent, trial, budget = min(found, key=lambda one: one[:2], default=(0, 0, _WRONG))
        if budget == _WRONG or (self.most_tokens is not None and spent > self.most_tokens):
            return (NodeRequest(kv_budget_tokens=budgets[0], max_tokens=1),)
        if self.skips_failures:
            return (NodeRequest(kv_budget_tokens=budget, luck=trial),)
        return (*[NodeRequest(kv_budget_tokens=budgets[0])] * trial, NodeRequest(kv_budget_tokens=budget))

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return `CONTINUE`: the plan is complete from the start."""
        del tree, node  # nothing that comes out is news
        return CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether any finished trial is correct."""
        return any_correct(tree)
