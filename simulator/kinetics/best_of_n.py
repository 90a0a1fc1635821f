"""Coverage of Best-of-N by cost of single models, modelled: for 32B alone it is published as numbers.

What is put together: coverage by trials, published points of LiveCodeBench and the fits of AIME24 (in the
benchmark's file, with their sources); and the closed form's cost of so many trials of the benchmark's
lengths.  One number of trials for all questions, where the paper's oracle chooses it for each; sparse
attention is taken to keep accuracy; lengths have the same mean for every model, 15,000 tokens, for none by
model are published.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simulator.attention import Attention
from simulator.kinetics.accuracy import MODELS, PROMPT_TOKENS, coverage_curve
from simulator.kinetics.cost import cost
from simulator.kinetics.curves import Curve
from simulator.kinetics.derived import paper_model
from simulator.kinetics.model import PAPER_PEAK_FLOPS_PER_S, PAPER_RIDGE
from simulator.rng import Streams
from workloads.benchmarks import load_benchmark
from workloads.lengths.benchmark import BenchmarkLengths
from workloads.outcomes.benchmark import BenchmarkOutcomes
from workloads.task import Task

Modelled = Literal["aime24", "livecodebench"]
TRIALS: Final[dict[Modelled, tuple[int, ...]]] = {
    "aime24": (1, 2, 4, 8, 16, 32),
    "livecodebench": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
}
"""Trials at which coverage is known: the paper's sweep, the points of its figure."""

QUANTILES: Final = 50
"""Lengths of a question that stand for its distribution."""

STEP: Final = 1e-6
"""Relative width of the step up to the first trial: less than that buys none."""


def curves(benchmark: Modelled, attention: Attention) -> dict[str, Curve]:
    """Return coverage by cost in B200 s of each model of a benchmark, largest first.

    All begin at the cost of the cheapest trial; below the cost of its own first trial a model solves nothing.
    Between two numbers of trials some questions get the larger one.
    """
    known = load_benchmark(benchmark).models
    models = [model for model in MODELS if model in known]
    spent = {model: [_b200_s(benchmark, model, attention, n) for n in TRIALS[benchmark]] for model in models}
    first = min(costs[0] for costs in spent.values()) * (1 - 2 * STEP)
    return {
        model: Curve(
            f"Best-of-N {model} on {benchmark}",
            "b200_s",
            (first, costs[0] * (1 - STEP), *costs),
            (0.0, 0.0, *(coverage(benchmark, model, n) for n in TRIALS[benchmark])),
            "derived",
            f"{known[model].source}; costs by the closed form",
        )
        for model, costs in spent.items()
    }


def coverage(benchmark: Modelled, model: str, trials: int) -> float:
    """Return the share of questions that at least one of `trials` trials solves; a trial cut off is wrong."""
    if benchmark == "livecodebench":
        return coverage_curve(benchmark, model).at(float(trials))
    whole = (lengths(benchmark, model) < load_benchmark(benchmark).max_tokens).mean(axis=1)
    return float(1.0 - ((1.0 - whole * _solve_probabilities(benchmark, model)) ** trials).mean())


@cache
def lengths(benchmark: Modelled, model: str) -> NDArray[np.int64]:
    """Return output lengths under the benchmark's cap, shape (questions, `QUANTILES`), tokens.

    Each question has the mid-quantiles of its distribution.
    """
    drawn, cap = BenchmarkLengths(name=benchmark, model=model), load_benchmark(benchmark).max_tokens
    ranks = [(place + 0.5) / QUANTILES for place in range(QUANTILES)]
    return np.array(
        [
            [min(cap, drawn.quantile(u, Task(question, PROMPT_TOKENS, float(p)))) for u in ranks]
            for question, p in enumerate(_solve_probabilities(benchmark, model))
        ],
        dtype=np.int64,
    )


def _solve_probabilities(benchmark: Modelled, model: str) -> NDArray[np.float64]:
    """Return the chance of a trial that is not cut off, shape (questions,)."""
    count = load_benchmark(benchmark).questions
    return BenchmarkOutcomes(name=benchmark, model=model).solve_probabilities(count, Streams(0))


def _b200_s(benchmark: Modelled, model: str, attention: Attention, trials: int) -> float:
    """Return what so many trials cost, mean over questions and lengths."""
    eflops = cost(
        paper_model(model),
        attention,
        trials=trials,
        prompt_tokens=PROMPT_TOKENS,
        output_tokens=lengths(benchmark, model).ravel(),
        ridge_flops_per_byte=PAPER_RIDGE,
    ).eflops
    return eflops / PAPER_PEAK_FLOPS_PER_S
