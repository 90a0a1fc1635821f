"""Beam search over partial solutions, guided by a process reward model.

A solution is written in `rounds` equal parts.  Each round generates ``beams * expansion`` parts,
waits for all of them, keeps the `beams` best by score and continues each of those `expansion`
times (Snell et al., arXiv 2408.03314, section 5).  The children of one node share its whole text.

Ignored: the reward model's own compute; parts of unequal length by design (their lengths still
vary, as each draws its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from simulator.frozen import Count, FrozenModel
from workloads.strategies.protocol import CONTINUE, Decision
from workloads.tree import NodeRequest, NodeState, RequestNode, RequestTree


class BeamSearch(FrozenModel):
    """Expand and prune partial solutions by score; the answer is the best of the last round.

    A node that its cap cut off is not continued and cannot be the answer; if a round leaves no other
    node, the task ends unsolved.

    Examples
    --------
    >>> search = BeamSearch(beams=2, expansion=3, rounds=4)
    >>> len(search.start()), search.start()[0].share_ratio, search.max_depth
    (6, 0.25, 3)
    """

    kind: Literal["beam_search"] = Field(default="beam_search", description="[-] Selects this strategy.")
    beams: Count = Field(description="[nodes] Partial solutions kept after each round.")
    expansion: Count = Field(description="[nodes] Continuations generated for each that was kept.")
    rounds: int = Field(ge=1, le=1000, description="[rounds] Parts in which a solution is written.")
    verifier_noise: float = Field(
        default=0.0,
        ge=0.0,
        le=1000.0,
        description="[-] Standard deviation of the reward model's score around 1 (on track) or 0 (not).",
    )

    shares_prompt: ClassVar[bool] = True
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()

    @property
    def max_depth(self) -> int:
        """Rounds before the last."""
        return self.rounds - 1

    @property
    def independent_trials(self) -> bool:
        """Whether a node is a whole solution."""
        return self.rounds == 1

    def start(self) -> Sequence[NodeRequest]:
        """Return the first round: `beams` times `expansion` openings."""
        return (self._part(parent=None, depth=0),) * (self.beams * self.expansion)

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return the next round once every node of this one has ended."""
        if tree.open_nodes or node.depth == self.max_depth:
            return CONTINUE
        kept = _ranked(tree, node.depth)[: self.beams]
        return Decision(
            tuple(
                self._part(parent=beam.index, depth=node.depth + 1)
                for beam in kept
                for _ in range(self.expansion)
            )
        )

    def solved(self, tree: RequestTree) -> bool:
        """Say whether the best-scored solution of the last round is correct."""
        ranked = _ranked(tree, self.max_depth)
        return bool(ranked) and ranked[0].correct

    def _part(self, *, parent: int | None, depth: int) -> NodeRequest:
        """Return the request of one part at `depth`; only the last round needs no KV afterwards."""
        return NodeRequest(parent=parent, share_ratio=1.0 / self.rounds, keep_kv=depth < self.max_depth)


def _ranked(tree: RequestTree, depth: int) -> list[RequestNode]:
    """Return the complete nodes of one round, best score first, ties in the order of request."""
    complete = (
        node
        for node in tree.nodes
        if node.depth == depth and node.state is NodeState.FINISHED and not node.truncated
    )
    return sorted(complete, key=lambda node: (-node.score, node.index))
