"""Adaptive sampling: trials in waves, more only for tasks that are not solved yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from simulator.frozen import Count, FrozenModel
from workloads.strategies.protocol import CONTINUE, TRIAL, Decision, any_correct, open_nodes
from workloads.tree import NodeRequest, RequestNode, RequestTree


class Adaptive(FrozenModel):
    """Trials in waves until one verifies as correct or `max_trials` are spent.

    A success cancels what is left of its wave; a wave that ends without one starts the next.  Solves
    what best_of_n with as many trials solves, spends fewer tokens and takes more time.

    Examples
    --------
    >>> len(Adaptive(first_wave=2, wave=4, max_trials=10).start())
    2
    """

    kind: Literal["adaptive"] = Field(default="adaptive", description="[-] Selects this strategy.")
    first_wave: Count = Field(description="[trials] Trials a task starts with.")
    wave: Count = Field(description="[trials] Trials added each time none so far is correct.")
    max_trials: Count = Field(description="[trials] Trials after which a task is given up.")

    max_depth: ClassVar[int] = 0
    verifier_noise: ClassVar[float] = 0.0

    @model_validator(mode="after")
    def _first_wave_fits(self) -> Self:
        if self.first_wave > self.max_trials:
            msg = f"first_wave {self.first_wave} is more than max_trials {self.max_trials}"
            raise ValueError(msg)
        return self

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
        return (TRIAL,) * self.first_wave

    def on_finish(self, tree: RequestTree, node: RequestNode) -> Decision:
        """Return the cancellation of the wave on success, the next wave when this one has failed."""
        if node.correct:
            return Decision(cancel=open_nodes(tree))
        if tree.open_nodes or any_correct(tree):
            return CONTINUE
        left = self.max_trials - len(tree.nodes)
        return Decision((TRIAL,) * min(self.wave, left)) if left else CONTINUE

    def solved(self, tree: RequestTree) -> bool:
        """Say whether any finished trial is correct."""
        return any_correct(tree)
