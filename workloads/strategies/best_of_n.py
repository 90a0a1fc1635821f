"""Best-of-N: independent trials in parallel, judged by an oracle verifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from simulator.frozen import Count, FrozenModel
from workloads.strategies.protocol import CONTINUE, TRIAL, Decision, any_correct, open_nodes
from workloads.tree import NodeRequest, RequestNode, RequestTree


class BestOfN(FrozenModel):
    """N parallel trials; a task is solved when any of them is correct.

    The solving rate is coverage, pass@N (Brown et al., arXiv 2407.21787; Kinetics, "Best-of-N").
    With `stop_at_first_success` a client checks each trial as it finishes and cancels the rest as
    soon as one passes: the same tasks are solved for fewer tokens.

    Examples
    --------
    >>> len(BestOfN(trials=4).start())
    4
    """

    kind: Literal["best_of_n"] = Field(default="best_of_n", description="[-] Selects this strategy.")
    trials: Count = Field(description="[trials] Independent trials of each task (N).")
    stop_at_first_success: bool = Field(
        default=False,
        description="[-] Cancel the other trials when a finished one verifies as correct.",
    )

    max_depth: ClassVar[int] = 0
    verifier_noise: ClassVar[float] = 0.0
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()

    @property
    def shares_prompt(self) -> bool:
        """Whether a task has more than one trial."""
        return self.trials > 1

    @property
    def independent_trials(self) -> bool:
        """Whether no trial is cancelled for the success of another."""
        return self.trials == 1 or not self.stop_at_first_success

    def start(self) -> Sequence[NodeRequest]:
        """Return all trials at once."""
        return (TRIAL,) * self.trials

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return the cancellation of the open trials if this one ends the search."""
        if self.stop_at_first_success and node.correct:
            return Decision(cancel=open_nodes(tree))
        return CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether any finished trial is correct."""
        return any_correct(tree)
