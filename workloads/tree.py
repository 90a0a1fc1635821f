"""The request tree of a task: what a strategy has asked for so far and what came of it.

A node is one generation. A plain trial is a node with the task's prompt; a child continues its parent's
text, so its prompt is the parent's prompt and output, or what was recorded for it.  Lengths and
correctness are hidden until a node has finished: a strategy reads only what a server would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil
from typing import TYPE_CHECKING, Final

from workloads.task import SharedPrefix, Task

if TYPE_CHECKING:
    import networkx as nx

ROUNDING: Final = 1e-9
"""Slack for sums and products of shares such as 1/3, so that three thirds are a whole."""


class NodeState(IntEnum):
    """Life of a node; it only moves forward."""

    SUBMITTED = 0
    FINISHED = 1
    CANCELLED = 2


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """What a strategy asks the server to generate.

    Parameters
    ----------
    parent : index of the node that this one continues, or None for the task's prompt.
    share_ratio : part of a whole solution that this node writes, in (0, 1]; a trial writes 1.
    keep_kv : keep the node's KV cached when it ends, because children may continue it.
    max_tokens : a tighter cap on this node's output than its share of the workload's, if any, tokens.
    kv_budget_tokens : keys that its decode steps attend to, one of the strategy's `kv_budgets_tokens`; None
        for the budget of the scenario's attention, if it has one, tokens.
    delay_s : time to wait before it is sent, s; a tool runs.
    prompt_tokens : its prompt, where that was recorded; None for its parent's text, tokens.
    prefix : what its recorded prompt has in common with other requests, where it does not begin with all
        of its parent's text.
    luck : number of the draws that decide its length and outcome; None, as for all strategies that do
        not know them, for its own index in the tree.
    """

    parent: int | None = None
    share_ratio: float = 1.0
    keep_kv: bool = False
    max_tokens: int | None = None
    kv_budget_tokens: int | None = None
    luck: int | None = None
    delay_s: float = 0.0
    prompt_tokens: int | None = None
    prefix: SharedPrefix = ()


@dataclass(slots=True)
class RequestNode:
    """A node of the tree; the outcome fields are meaningful once `state` is FINISHED.

    Parameters
    ----------
    index : position in the tree, from 0, in the order of request.
    request : what was asked for.
    prompt_tokens : tokens before the node's own output (task prompt plus ancestors' outputs).
    max_tokens : cap on the node's output.
    depth : number of ancestors.
    generated_tokens : tokens produced so far.
    truncated : the node ran into `max_tokens` before its answer was complete.
    correct : what an oracle verifier says of the finished node.
    answer : identity of the final answer, equal answers have equal numbers; -1 where there is none.
    score : what a process reward model says of the finished node (larger is better).
    """

    index: int
    request: NodeRequest
    prompt_tokens: int
    max_tokens: int
    depth: int = 0
    state: NodeState = NodeState.SUBMITTED
    generated_tokens: int = 0
    truncated: bool = False
    correct: bool = False
    answer: int = -1
    score: float = 0.0


@dataclass(slots=True)
class RequestTree:
    """All nodes of one task, in the order in which they were requested."""

    task: Task
    nodes: list[RequestNode] = field(default_factory=list)
    open_nodes: int = 0

    def expect(self, change: int) -> None:
        """Count nodes that are asked for but not sent yet: their task goes on."""
        self.open_nodes += change

    def add(self, request: NodeRequest, *, max_tokens: int) -> RequestNode:
        """Append the node that `request` asks for and return it.

        Parameters
        ----------
        request : the node wanted; its parent, if any, has finished.
        max_tokens : the workload's cap on a whole solution; the node may use its share of it, tokens.
        """
        if request.parent is None:
            prompt_tokens, depth = self.task.prompt_tokens, 0
        else:
            parent = self.nodes[request.parent]
            prompt_tokens, depth = parent.prompt_tokens + parent.generated_tokens, parent.depth + 1
        if request.prompt_tokens is not None:
            prompt_tokens = request.prompt_tokens
        cap = share_of_tokens(max_tokens, request.share_ratio)
        if request.max_tokens is not None:
            cap = min(cap, request.max_tokens)
        node = RequestNode(len(self.nodes), request, prompt_tokens, cap, depth)
        self.nodes.append(node)
        self.open_nodes += 1
        return node

    def close(self, node: RequestNode, state: NodeState) -> None:
        """Move `node` to its final `state`."""
        node.state = state
        self.open_nodes -= 1

    @property
    def finished(self) -> list[RequestNode]:
        """Nodes that ran to their end, in the order of request."""
        return [node for node in self.nodes if node.state is NodeState.FINISHED]

    def to_networkx(self) -> nx.DiGraph:
        """Return the tree as a directed graph: node -1 is the task, edges point to children.

        Node attributes are the fields of `RequestNode`; the graph's attribute ``task`` is the task's
        index.
        """
        import networkx as nx  # noqa: PLC0415 - imported where used: no start-up cost

        graph = nx.DiGraph(task=self.task.index)
        graph.add_node(-1, prompt_tokens=self.task.prompt_tokens)
        for node in self.nodes:
            graph.add_node(
                node.index,
                prompt_tokens=node.prompt_tokens,
                generated_tokens=node.generated_tokens,
                state=node.state.name.lower(),
                truncated=node.truncated,
                correct=node.correct,
                answer=node.answer,
            )
            graph.add_edge(-1 if node.request.parent is None else node.request.parent, node.index)
        return graph


def share_of_tokens(tokens: int, share_ratio: float) -> int:
    """Return the tokens that a node with `share_ratio` has of a whole of `tokens`, rounded up.

    Examples
    --------
    >>> share_of_tokens(100, 1.0), share_of_tokens(100, 0.3), share_of_tokens(1, 0.25)
    (100, 30, 1)
    """
    return tokens if share_ratio == 1.0 else max(1, ceil(tokens * share_ratio - ROUNDING))
