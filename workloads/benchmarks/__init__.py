"""Published benchmarks as data: questions, prompts, and what each model makes of them.

One TOML file per benchmark holds the figures, their sources and the derivation of what is fitted.
"""

from __future__ import annotations

from workloads.benchmarks.catalog import (
    Benchmark,
    BenchmarkName,
    ModelFigures,
    load_benchmark,
    question_ranks,
)

__all__ = ["Benchmark", "BenchmarkName", "ModelFigures", "load_benchmark", "question_ranks"]
