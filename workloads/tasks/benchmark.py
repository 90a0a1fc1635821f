"""The questions of a published benchmark, once or several times over."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.frozen import FrozenModel
from simulator.rng import Streams
from workloads.benchmarks import Benchmark, BenchmarkName, load_benchmark


class BenchmarkTasks(FrozenModel):
    """Every question of a benchmark, `repeats` times, in the order of the benchmark.

    The questions are fixed: their prompts do not depend on the seed.

    Examples
    --------
    >>> BenchmarkTasks(name="aime24", repeats=2).task_count
    60
    """

    kind: Literal["benchmark"] = Field(default="benchmark", description="[-] Selects this task set.")
    name: BenchmarkName = Field(description="[-] Which benchmark: aime24, aime25 or livecodebench.")
    repeats: int = Field(default=1, ge=1, le=100_000, description="[-] Times that every question is asked.")

    @cached_property
    def _benchmark(self) -> Benchmark:
        return load_benchmark(self.name)

    @property
    def task_count(self) -> int:
        """Questions times repeats."""
        return self._benchmark.questions * self.repeats

    @property
    def longest_prompt_tokens(self) -> int:
        """Longest question, tokens."""
        return self._benchmark.longest_prompt_tokens

    def prompt_lengths_tokens(self, streams: Streams) -> NDArray[np.int64]:
        """Return the prompt of every task, shape (task_count,), tokens."""
        del streams  # the questions are what they are
        return np.tile(self._benchmark.prompt_lengths_tokens(), self.repeats)
