"""Output lengths of a model on a published benchmark."""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from simulator.frozen import FrozenModel
from workloads.benchmarks import BenchmarkName, load_benchmark
from workloads.lengths.difficulty_coupled import DifficultyCoupledLengths
from workloads.task import Task


class BenchmarkLengths(FrozenModel):
    """The length model that the benchmark's file holds for a model, coupled to difficulty.

    Examples
    --------
    >>> lengths = BenchmarkLengths(name="aime24", model="qwen3-8b")
    >>> easy, hard = Task(0, 128, 1.0), Task(1, 128, 0.0)
    >>> lengths.quantile(0.5, easy) < lengths.quantile(0.5, hard)
    True
    """

    kind: Literal["benchmark"] = Field(default="benchmark", description="[-] Selects this model.")
    name: BenchmarkName = Field(description="[-] Which benchmark: aime24, aime25 or livecodebench.")
    model: str = Field(
        description="[-] Which language model: qwen3-1.7b, qwen3-4b, qwen3-8b, qwen3-14b or qwen3-32b; on "
        "aime24 and aime25 also qwen3-0.6b, on aime24 also qwen3-30b-a3b."
    )

    @model_validator(mode="after")
    def _model_is_known(self) -> Self:
        load_benchmark(self.name).figures(self.model)
        return self

    @cached_property
    def distribution(self) -> DifficultyCoupledLengths:
        """The fitted distribution."""
        figures = load_benchmark(self.name).figures(self.model)
        return DifficultyCoupledLengths(
            median_tokens=figures.median_tokens, log_sigma=figures.log_sigma, slope=figures.slope
        )

    def quantile(self, u: float, task: Task) -> int:
        """Return the quantile for the difficulty of `task`, whole tokens, at least 1."""
        return self.distribution.quantile(u, task)

    def mean_tokens(self, task: Task, *, cap: int) -> float:
        """Return the mean of min(length, `cap`) for `task`, tokens; ignores rounding."""
        return self.distribution.mean_tokens(task, cap=cap)
