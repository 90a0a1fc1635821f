"""Reading the benchmark files, and the fixed order of their questions."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from simulator.errors import suggest
from simulator.frozen import Count, FrozenModel, Ratio, Tokens

BenchmarkName = Literal["aime24", "aime25", "livecodebench"]
"""Benchmarks that are shipped; each has a file beside this one."""

GOLDEN_RATIO: Final = 0.5 * (5.0**0.5 - 1.0)
"""Step of the difficulty order; its multiples spread most evenly over the unit interval."""

SQRT_2: Final = 2.0**0.5 - 1.0
"""Step of the prompt order; unrelated to the first, so that prompt and difficulty are too."""

PositiveFigure = Annotated[float, Field(gt=0.0, le=1e7)]


class ModelFigures(FrozenModel):
    """What one model makes of a benchmark: fitted parameters and the published figures behind them."""

    alpha: PositiveFigure = Field(description="[-] First shape of the Beta distribution of difficulty.")
    beta: PositiveFigure = Field(description="[-] Second shape of it.")
    zero_ratio: Ratio = Field(description="[-] Share of questions that no trial solves.")
    median_tokens: PositiveFigure = Field(description="[tokens] Median output at p = 0.5, no cap.")
    log_sigma: PositiveFigure = Field(description="[-] Spread of log length within a question.")
    slope: float = Field(ge=0.0, le=5.0, description="[-] Log-ratio of the medians at p = 0 and p = 1.")
    coverage: Annotated[dict[str, Ratio], Field(description="[-] Published pass@k that was fitted, by k.")]
    source: str = Field(min_length=1, description="[-] Where the published figures are from.")


class Benchmark(FrozenModel):
    """A benchmark as it is shipped."""

    title: str = Field(min_length=1, description="[-] Name for people.")
    questions: Count = Field(description="[questions] Size of the benchmark.")
    shortest_prompt_tokens: Tokens = Field(description="[tokens] Shortest question with its template.")
    longest_prompt_tokens: Tokens = Field(description="[tokens] Longest question with its template.")
    max_tokens: Tokens = Field(description="[tokens] Cap on outputs under which the figures were measured.")
    source: str = Field(min_length=1, description="[-] Where size, prompts and cap are from.")
    models: dict[str, ModelFigures] = Field(description="[-] Figures by model.")

    def prompt_lengths_tokens(self) -> NDArray[np.int64]:
        """Return the prompt of every question, shape (questions,), tokens: evenly spread."""
        span = self.longest_prompt_tokens - self.shortest_prompt_tokens
        ranks = question_ranks(self.questions, step=SQRT_2)
        return np.rint(self.shortest_prompt_tokens + span * ranks).astype(np.int64)

    def figures(self, model: str) -> ModelFigures:
        """Return the figures of `model`.

        Raises
        ------
        ValueError
            If the benchmark has none; names the models it has.
        """
        if model not in self.models:
            msg = f"no figures of model {model!r} on {self.title}; {suggest(model, self.models)}"
            raise ValueError(msg)
        return self.models[model]


@cache  # a scenario's parts ask a dozen times
def load_benchmark(name: BenchmarkName) -> Benchmark:
    """Return the shipped benchmark `name`.

    Examples
    --------
    >>> load_benchmark("livecodebench").questions
    167
    """
    text = files("workloads.benchmarks").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return Benchmark.model_validate(tomllib.loads(text))


def question_ranks(questions: int, *, step: float = GOLDEN_RATIO) -> NDArray[np.float64]:
    """Return the rank of each question in (0, 1), shape (questions,): mid-points in a fixed mixed order.

    A benchmark is a fixed set of questions, so its difficulties are the mid-points of equal shares of
    the fitted distribution rather than draws from it: thirty draws would miss the published accuracy
    by seven points.  The order is that of the multiples of `step` modulo 1, so that any run of
    consecutive questions is a fair sample.

    Examples
    --------
    >>> question_ranks(4).tolist()
    [0.625, 0.125, 0.875, 0.375]
    """
    order = np.argsort(np.argsort(np.arange(1, questions + 1) * step % 1.0))
    return (order + 0.5) / questions
