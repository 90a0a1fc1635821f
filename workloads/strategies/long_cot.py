"""Long chain of thought: one trial, as long as the cap allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from simulator.frozen import FrozenModel
from workloads.strategies.protocol import CONTINUE, TRIAL, Decision, any_correct
from workloads.tree import NodeRequest, RequestNode, RequestTree


class LongCot(FrozenModel):
    """One trial per task; the answer is that trial's (Kinetics, arXiv 2506.05333, "Long-CoT").

    Examples
    --------
    >>> len(LongCot().start())
    1
    """

    kind: Literal["long_cot"] = Field(default="long_cot", description="[-] Selects this strategy.")

    max_depth: ClassVar[int] = 0
    shares_prompt: ClassVar[bool] = False
    independent_trials: ClassVar[bool] = True
    verifier_noise: ClassVar[float] = 0.0
    kv_budgets_tokens: ClassVar[tuple[int, ...]] = ()

    def start(self) -> Sequence[NodeRequest]:
        """Return the one trial."""
        return (TRIAL,)

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return `CONTINUE`: the task ends with its trial."""
        del tree, node  # whatever came out, nothing follows
        return CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether the trial finished with the correct answer."""
        return any_correct(tree)
