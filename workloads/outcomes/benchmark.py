"""Difficulty of a published benchmark's questions for a model."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.frozen import FrozenModel
from simulator.rng import Streams
from workloads.benchmarks import BenchmarkName, load_benchmark, question_ranks
from workloads.outcomes.beta_quantile import zero_inflated_beta_quantile
from workloads.outcomes.wrong_answers import WrongAnswers


class BenchmarkOutcomes(FrozenModel):
    """Solve probabilities of a benchmark's questions, fitted to a model's published coverage.

    The questions are fixed: the seed does not move their difficulty, and a question has the same rank
    for every model.  More tasks than questions start again with the first.  The figures assume the
    same model's `BenchmarkLengths` and the benchmark's cap, for a trial that the cap cuts off is wrong.

    Examples
    --------
    >>> outcomes = BenchmarkOutcomes(name="aime24", model="qwen3-8b")
    >>> bool(0.7 < outcomes.solve_probabilities(30, Streams(1)).mean() < 0.8)
    True
    """

    kind: Literal["benchmark"] = Field(default="benchmark", description="[-] Selects this model.")
    name: BenchmarkName = Field(description="[-] Which benchmark: aime24, aime25 or livecodebench.")
    model: str = Field(
        description="[-] Which language model: qwen3-1.7b, qwen3-4b, qwen3-8b, qwen3-14b or qwen3-32b; on "
        "aime24 and aime25 also qwen3-0.6b, on aime24 also qwen3-30b-a3b."
    )
    wrong_answers: WrongAnswers = Field(
        default=WrongAnswers(), description="[-] How wrong trials spread over answers."
    )

    @model_validator(mode="after")
    def _model_is_known(self) -> Self:
        load_benchmark(self.name).figures(self.model)
        return self

    def solve_probabilities(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return p of `count` tasks, shape (count,), question after question."""
        del streams  # the questions are what they are
        benchmark = load_benchmark(self.name)
        figures = benchmark.figures(self.model)
        chances = zero_inflated_beta_quantile(
            question_ranks(benchmark.questions),
            alpha=figures.alpha,
            beta=figures.beta,
            zero_ratio=figures.zero_ratio,
        )
        return np.resize(chances, count)
