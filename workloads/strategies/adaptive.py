"""Adaptive sampling: trials in waves, more only for tasks that are not solved yet.

What is known of a task are its finished trials: which were verified as correct, and how long they
were.  From these follow how many trials come next, their KV budget, and when a task is given up.  How
long running trials have become counts where a trial may write no more than is left for its task: it is
stopped at that very token.

Ignored: other use of how far running trials have come.  A strategy is asked when one has ended, and the KV
budget of a trial stays what it was when it began.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from simulator.frozen import Count, FrozenModel, Tokens
from workloads.kv_budgets import Ladder
from workloads.strategies.protocol import CONTINUE, Decision, any_correct, open_nodes
from workloads.tree import NodeRequest, RequestNode, RequestTree


class Adaptive(FrozenModel):
    """Trials in waves until one verifies as correct, `max_trials` are spent or the task is given up.

    A success cancels what is left of its wave; a wave that ends without one starts the next.  With the
    first three parameters alone it solves what best_of_n with as many trials solves, spends fewer tokens
    and takes more time.

    Notes
    -----
    Number of trials: with `give_up_tokens`, no more than fit into it together with those so far, each
    taken to be as long as the mean so far.  After n failures of L tokens each a trial succeeds with a
    chance of some 1 / (n + 1), so this ends where a success would cost more than so many tokens.

    Running trials: with `stop_at_bound`, a trial ends where the output of its task reaches
    `give_up_tokens`, and is wrong unless it has just come to its answer.  Trials of one wave share what is
    left equally, for each is capped when it begins.

    KV budget: the smallest on the ladder that is `budget_ratio` times the context that the next trial
    is taken to reach (the prompt and the mean length so far), and one step up for each `raise_after`
    trials that failed.  Without a finished trial, `first_budget_tokens`.

    Examples
    --------
    >>> strategy = Adaptive(first_wave=2, wave=4, max_trials=10, kv_budgets_tokens=(256, 1024))
    >>> [request.kv_budget_tokens for request in strategy.start()]
    [256, 256]
    """

    kind: Literal["adaptive"] = Field(default="adaptive", description="[-] Selects this strategy.")
    first_wave: Count = Field(description="[trials] Trials a task starts with.")
    wave: Count = Field(description="[trials] Trials added each time none so far is correct.")
    max_trials: Count = Field(description="[trials] Trials after which a task is given up.")
    give_up_tokens: Count | None = Field(
        default=None,
        description="[tokens] Output of all trials of a task beyond which it is given up; null: no bound.",
    )
    stop_at_bound: bool = Field(
        default=False,
        description="[-] Stop running trials where the output of their task reaches give_up_tokens.",
    )
    kv_budgets_tokens: Ladder = Field(
        default=(), description="[tokens] KV budgets to choose from, ascending; none: that of the attention."
    )
    first_budget_tokens: Tokens | None = Field(
        default=None, description="[tokens] KV budget of the first wave; null: the smallest."
    )
    budget_ratio: float = Field(
        default=0.0, ge=0.0, le=1.0, description="[-] KV budget wanted over the context expected."
    )
    raise_after: Count | None = Field(
        default=None, description="[trials] Failures that raise the KV budget by a step; null: never."
    )

    max_depth: ClassVar[int] = 0
    verifier_noise: ClassVar[float] = 0.0

    @model_validator(mode="after")
    def _parameters_fit(self) -> Self:
        faults = []
        if self.first_wave > self.max_trials:
            faults.append(f"first_wave {self.first_wave} is more than max_trials {self.max_trials}")
        first, ladder = self.first_budget_tokens, self.kv_budgets_tokens
        if ladder and first is not None and first not in ladder:
            faults.append(f"first_budget_tokens {first} is none of kv_budgets_tokens {list(ladder)}")
        needless = {"first_budget_tokens": first, "budget_ratio": self.budget_ratio or None}
        needless["raise_after"] = self.raise_after
        given = [name for name, value in needless.items() if value is not None]
        if given and not ladder:
            faults.append(f"{', '.join(given)} without kv_budgets_tokens; for example [256, 512, 1024]")
        faults += self._faults_of_bound()
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_bound(self) -> list[str]:
        if not self.stop_at_bound:
            return []
        if self.give_up_tokens is None:
            return ["stop_at_bound without give_up_tokens; for example 30000"]
        if self.give_up_tokens < self.first_wave:
            return [
                f"give_up_tokens {self.give_up_tokens} is less than a token for each of first_wave trials"
            ]
        return []

    @property
    def shares_prompt(self) -> bool:
        """Whether a task can have more than one trial."""
        return self.max_trials > 1

    @property
    def independent_trials(self) -> bool:
        """Whether there is one trial alone: a success cancels others, a failure may add some."""
        return self.max_trials == 1

    def start(self) -> Sequence[NodeRequest]:
        """Return the first wave."""
        ladder = self.kv_budgets_tokens
        budget = self.first_budget_tokens or (ladder[0] if ladder else None)
        return self._wave(self.first_wave, budget, spent_tokens=0)

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return the cancellation of the wave on success, the next wave when this one has failed."""
        if node.correct:
            return Decision(cancel=open_nodes(tree))
        if tree.open_nodes or any_correct(tree):
            return CONTINUE
        spent = sum(trial.generated_tokens for trial in tree.nodes)
        trials = self._trials_left(len(tree.nodes), spent)
        if trials < 1:
            return CONTINUE
        budget = self._budget(len(tree.nodes), tree.task.prompt_tokens + spent / len(tree.nodes))
        return Decision(self._wave(trials, budget, spent_tokens=spent))

    def solved(self, tree: RequestTree) -> bool:
        """Say whether any finished trial is correct."""
        return any_correct(tree)

    def _wave(self, trials: int, budget_tokens: int | None, *, spent_tokens: int) -> tuple[NodeRequest, ...]:
        """Return so many trials with one KV budget that may write what is left for their task."""
        cap = None
        if self.stop_at_bound and self.give_up_tokens is not None:
            cap = (self.give_up_tokens - spent_tokens) // trials
        return (NodeRequest(kv_budget_tokens=budget_tokens, max_tokens=cap),) * trials

    def _trials_left(self, failed: int, spent_tokens: int) -> int:
        """Return how many trials to add after `failed` ones that wrote `spent_tokens` together."""
        trials = min(self.wave, self.max_trials - failed)
        if self.give_up_tokens is None:
            return trials
        # (give_up - spent) / (spent / failed), in whole numbers.
        return min(trials, (self.give_up_tokens - spent_tokens) * failed // spent_tokens)

    def _budget(self, failed: int, context_tokens: float) -> int | None:
        """Return the KV budget of the next trial, expected to reach `context_tokens`."""
        ladder = self.kv_budgets_tokens
        if not ladder:
            return None
        step = bisect_left(ladder, self.budget_ratio * context_tokens)
        if self.raise_after is not None:
            step += failed // self.raise_after
        return ladder[min(step, len(ladder) - 1)]
