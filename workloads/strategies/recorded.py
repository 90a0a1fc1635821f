"""What was recorded: a task's requests one after the other, as a trace says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from pydantic import Field

from simulator.frozen import FrozenModel
from workloads.strategies.protocol import CONTINUE, Decision
from workloads.tree import NodeRequest, NodeState, RequestNode, RequestTree

MOST_DEPTH: Final = 10_000_000
"""Turns that a session may have: as many as a trace may have rows."""


class Recorded(FrozenModel):
    """A task's own request and the recorded turns that follow it, each when its parent and tool have ended.

    A turn has the prompt that was recorded for it.  It begins with all that its parent read and wrote,
    where it is that long; where it is shorter, with what was recorded of its beginning, or else with what its
    parent's prompt shared.  A task without
    turns is one request.  It is solved when all its requests were answered in full: whether they were
    right is not recorded.

    Examples
    --------
    >>> len(Recorded().start())
    1
    """

    kind: Literal["recorded"] = Field(default="recorded", description="[-] Selects this strategy.")

    max_depth: ClassVar[int] = MOST_DEPTH
    shares_prompt: ClassVar[bool] = True
    independent_trials: ClassVar[bool] = False
    verifier_noise: ClassVar[float] = 0.0
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()

    def start(self) -> Sequence[NodeRequest]:
        """Return the task's own request."""
        return (NodeRequest(keep_kv=True),)

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return the turns that follow `node`."""
        number = node.request.luck or 0
        requests = tuple(
            NodeRequest(
                parent=node.index,
                keep_kv=True,
                luck=turn.number,
                delay_s=turn.tool_s,
                prompt_tokens=turn.prompt_tokens,
                prefix=turn.prefix,
            )
            for turn in tree.task.turns
            if turn.after == number
        )
        return Decision(requests) if requests else CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether all requests were answered in full."""
        if len(tree.nodes) <= len(tree.task.turns):
            return False
        return all(node.state is NodeState.FINISHED and not node.truncated for node in tree.nodes)
