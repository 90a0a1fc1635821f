"""The seam of a test-time strategy: how the trials of a task are spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workloads.tree import NodeRequest, RequestNode, RequestTree


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


CONTINUE = Decision()
"""Nothing new: wait for the nodes that are still open."""


class Strategy(Protocol):
    """How the trials of a task are spent; a task ends when no node of its tree is open."""

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
