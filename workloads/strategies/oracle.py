"""Oracle allocation: a bound on what any way to spend trials can reach, for nobody to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Literal

from pydantic import Field

from simulator.frozen import Count, FrozenModel
from workloads.kv_budgets import Ladder
from workloads.strategies.protocol import CONTINUE, TRIAL, Decision, any_correct
from workloads.tree import NodeRequest, RequestNode, RequestTree

BOUND: Final = (
    "workload.strategy oracle knows the outcome of every trial in advance: a bound that no server can reach."
)


class Oracle(FrozenModel):
    """Spend on each task the fewest trials that solve it, and nothing on tasks that none solves.

    It knows which trials come out right under which KV budget.  Trials that fail under all have the smallest
    budget, the last the smallest under which it is right; so a strategy that runs trials in order to
    their end, as `adaptive` with waves of one does, writes no fewer tokens for any task that it solves.
    With `skips_failures` the failing trials are left out too: of each task the shortest trial that is
    right is run.  No strategy whatever that stays within `max_trials` writes fewer tokens for it.

    Notes
    -----
    The one exception to rule R8 (strategies see what a server sees).  A task that is not worth a trial
    takes a prompt and one token, for every task has a node.

    Examples
    --------
    >>> oracle = Oracle(max_trials=3, kv_budgets_tokens=(64, 256))
    >>> plan = oracle.plan(lambda trial, budget: 900 if (trial, budget) == (1, 256) else None)
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

    max_depth: ClassVar[int] = 0
    verifier_noise: ClassVar[float] = 0.0
    shares_prompt: ClassVar[bool] = True
    independent_trials: ClassVar[bool] = False

    def start(self) -> Sequence[NodeRequest]:
        """Return one trial, which is all that can be planned without `plan`."""
        return (TRIAL,)

    def plan(self, tokens_if_correct: Callable[[int, int | None], int | None]) -> Sequence[NodeRequest]:
        """Return the trials of a task whose outcomes are known.

        Parameters
        ----------
        tokens_if_correct : called with a trial and a KV budget; returns the trial's output where it is
            correct, tokens, else None.
        """
        budgets: tuple[int | None, ...] = self.kv_budgets_tokens or (None,)
        right: list[tuple[int, int, int | None]] = []
        for trial in range(self.max_trials):
            for budget in budgets:
                tokens = tokens_if_correct(trial, budget)
                if tokens is not None:
                    right.append((tokens, trial, budget))
                    break
            if right and not self.skips_failures:
                break
        cheap = NodeRequest(kv_budget_tokens=budgets[0])
        if not right:
            return (NodeRequest(kv_budget_tokens=budgets[0], max_tokens=1),)
        _, trial, budget = min(right, key=lambda found: found[:2])
        if self.skips_failures:
            return (NodeRequest(kv_budget_tokens=budget, luck=trial),)
        return (*[cheap] * trial, NodeRequest(kv_budget_tokens=budget))

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return `CONTINUE`: the plan is complete from the start."""
        del tree, node  # nothing that comes out is news
        return CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether any finished trial is correct."""
        return any_correct(tree)
