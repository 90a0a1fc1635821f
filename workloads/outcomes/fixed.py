"""Fixed difficulty: every task is solved by a trial with the same chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import FrozenModel, Ratio
from simulator.rng import Streams
from workloads.outcomes.wrong_answers import WrongAnswers


class FixedOutcomes(FrozenModel):
    """One solve probability for all tasks.

    Examples
    --------
    >>> FixedOutcomes(solve_probability=0.25).solve_probabilities(2, Streams(1)).tolist()
    [0.25, 0.25]
    """

    kind: Literal["fixed"] = Field(default="fixed", description="[-] Selects this model.")
    solve_probability: Ratio = Field(description="[-] Chance that a trial is correct.")
    wrong_answers: WrongAnswers = Field(
        default=WrongAnswers(), description="[-] How wrong trials spread over answers."
    )

    def solve_probabilities(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return `solve_probability` for every task, shape (count,)."""
        del streams  # nothing is random
        return np.full(count, self.solve_probability)
