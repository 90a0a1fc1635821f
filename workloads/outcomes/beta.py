"""Beta-distributed difficulty, with a share of tasks that no trial solves."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import FrozenModel, Ratio
from simulator.rng import Streams
from workloads.outcomes.beta_quantile import zero_inflated_beta_quantile
from workloads.outcomes.wrong_answers import WrongAnswers

BetaShape = Annotated[float, Field(ge=0.01, le=10_000.0)]
"""A shape parameter of a Beta distribution."""


class BetaOutcomes(FrozenModel):
    """Solve probabilities from a zero-inflated Beta distribution.

    Coverage over many tasks is ``(1 - zero_ratio) * (1 - B(alpha, beta + k) / B(alpha, beta))``, the
    form that fits the LiveCodeBench curves of Qwen3 (Kinetics, arXiv 2506.05333).  A task keeps its
    rank when the parameters change, so two models find the same tasks hard.

    Examples
    --------
    >>> outcomes = BetaOutcomes(alpha=0.4, beta=0.2, zero_ratio=0.1)
    >>> chances = outcomes.solve_probabilities(1000, Streams(1))
    >>> bool(0.05 < (chances == 0.0).mean() < 0.15)
    True
    """

    kind: Literal["beta"] = Field(default="beta", description="[-] Selects this model.")
    alpha: BetaShape = Field(description="[-] First shape parameter (weight of easy tasks).")
    beta: BetaShape = Field(description="[-] Second shape parameter (weight of hard tasks).")
    zero_ratio: Ratio = Field(default=0.0, description="[-] Share of tasks that no trial solves.")
    wrong_answers: WrongAnswers = Field(
        default=WrongAnswers(), description="[-] How wrong trials spread over answers."
    )

    def solve_probabilities(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return independent draws, shape (count,)."""
        uniforms = streams.generator("difficulty").random(count)
        return zero_inflated_beta_quantile(
            uniforms, alpha=self.alpha, beta=self.beta, zero_ratio=self.zero_ratio
        )
