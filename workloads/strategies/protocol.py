"""The seam of a test-time strategy: how the trials of a task are spent.

A strategy is a pure function of what has been seen: it is asked once when a task starts and once
each time a node has finished, and answers with nodes to generate and nodes to cancel.  It keeps no
state of its own; the tree is its memory.  It may read the outcome fields of FINISHED nodes only
(invariant INV-9): those of an open or cancelled node are not known to a server.

Contract with the engine: `node` is closed (state, outcome fields and `open_nodes` are up to date)
before `on_finish` is called, which with a `workloads.verifier` is when its verdict is there; nothing is
called for cancelled nodes; a node named twice in `cancel`, or finishing in the very step in which it was
to stop, is no error.

Ignored: the cost of voting, and the time a client takes to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from workloads.tree import NodeRequest, NodeState, RequestNode, RequestTree


@dataclass(frozen=True, slots=True)
class Decision:
    """What a strategy wants after a node has finished.

    Parameters
    ----------
    requests : new nodes to generate.
    cancel : indices of nodes whose generation should stop at the next step boundary.
    """

    requests: tuple[NodeRequest, ...] = ()
    cancel: tuple[int, ...] = ()


CONTINUE: Final = Decision()
"""Nothing new: wait for the nodes that are still open."""

TRIAL: Final = NodeRequest()
"""One whole solution attempt from the task's prompt."""


class Strategy(Protocol):
    """How the trials of a task are spent; a task ends when no node of its tree is open.

    The `share_ratio` of the nodes on any path from the root sum to at most 1: a path is one solution.  Nodes
    with recorded prompts are solutions of their own.
    """

    def start(self) -> Sequence[NodeRequest]:
        """Return the nodes that a new task asks for; at least one."""
        ...

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return what to do now that `node` has finished; reads finished nodes only."""
        ...

    def solved(self, tree: RequestTree) -> bool:
        """Say whether the strategy's final answer to an ended task is correct."""
        ...

    @property
    def max_depth(self) -> int:
        """Largest number of ancestors a node can have (bounds the context)."""
        ...

    @property
    def shares_prompt(self) -> bool:
        """Whether several nodes of a task can hold its prompt (prefix sharing pays)."""
        ...

    @property
    def independent_trials(self) -> bool:
        """Whether every task has the same number of whole solutions, whatever comes out of them.

        Only then can pass@k be told from them without bias.
        """
        ...

    @property
    def verifier_noise(self) -> float:
        """Standard deviation of a node's score around the truth; 0 where no score is read."""
        ...

    @property
    def kv_budgets_tokens(self) -> tuple[int, ...]:
        """KV budgets that its nodes may have, ascending, tokens; none: all have the attention's own."""
        ...


def open_nodes(tree: RequestTree) -> tuple[int, ...]:
    """Return the indices of the nodes of `tree` that are still being served."""
    return tuple(node.index for node in tree.nodes if node.state is NodeState.SUBMITTED)


def any_correct(tree: RequestTree) -> bool:
    """Say whether an oracle verifier accepts any finished node of `tree` (coverage)."""
    return any(node.correct for node in tree.nodes if node.state is NodeState.FINISHED)
