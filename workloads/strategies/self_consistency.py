"""Self-consistency: independent trials, the most frequent answer wins; no verifier needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from simulator.frozen import Count, FrozenModel
from workloads.outcome import CORRECT_ANSWER, NO_ANSWER
from workloads.strategies.protocol import CONTINUE, TRIAL, Decision
from workloads.tree import NodeRequest, NodeState, RequestNode, RequestTree


class SelfConsistency(FrozenModel):
    """N parallel trials and a majority vote over their final answers (Wang et al., arXiv 2203.11171).

    Trials without a final answer (truncated) do not vote.  Of equally frequent answers the one that
    the earliest requested trial gave wins: requests are exchangeable, so no answer is favoured.

    Examples
    --------
    >>> len(SelfConsistency(trials=3).start())
    3
    """

    kind: Literal["self_consistency"] = Field(
        default="self_consistency", description="[-] Selects this strategy."
    )
    trials: Count = Field(description="[trials] Independent trials of each task (N).")

    max_depth: ClassVar[int] = 0
    independent_trials: ClassVar[bool] = True
    verifier_noise: ClassVar[float] = 0.0
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()

    @property
    def shares_prompt(self) -> bool:
        """Whether a task has more than one trial."""
        return self.trials > 1

    def start(self) -> Sequence[NodeRequest]:
        """Return all trials at once."""
        return (TRIAL,) * self.trials

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return `CONTINUE`: the vote waits for every trial."""
        del tree, node  # the vote is counted when all have finished
        return CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether the majority answer is the correct one."""
        return majority_answer(tree) == CORRECT_ANSWER


def majority_answer(tree: RequestTree) -> int:
    """Return the answer that most finished nodes of `tree` give, `NO_ANSWER` if none gives one.

    A tie goes to the answer seen first in the order of request.
    """
    votes: dict[int, int] = {}
    for node in tree.nodes:
        if node.state is NodeState.FINISHED and node.answer != NO_ANSWER:
            votes[node.answer] = votes.get(node.answer, 0) + 1
    # dicts keep the order of first insertion and max() keeps the first of equals: the tie rule.
    return max(votes, key=votes.__getitem__, default=NO_ANSWER)
