from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from simulator.rng import Streams
from workloads.benchmarks import BenchmarkName, load_benchmark, question_ranks
from workloads.lengths import BenchmarkLengths
from workloads.outcomes import BenchmarkOutcomes
from workloads.tasks import BenchmarkTasks

NAMES: tuple[BenchmarkName, ...] = get_args(BenchmarkName)


def test_every_file_has_a_name_and_every_name_a_file(root: Path) -> None:
    assert {path.stem for path in (root / "workloads" / "benchmarks").glob("*.toml")} == set(NAMES)


@pytest.mark.parametrize(("name", "questions"), [("aime24", 30), ("aime25", 30), ("livecodebench", 167)])
def test_a_benchmark_has_its_published_size(name: BenchmarkName, questions: int) -> None:
    assert BenchmarkTasks(name=name).task_count == questions
    assert BenchmarkTasks(name=name, repeats=3).task_count == 3 * questions


@pytest.mark.parametrize("name", NAMES)
def test_every_model_of_a_benchmark_can_be_named_for_lengths_and_outcomes(name: BenchmarkName) -> None:
    for model in load_benchmark(name).models:
        BenchmarkLengths(name=name, model=model)
        BenchmarkOutcomes(name=name, model=model)


def test_prompts_span_the_published_range_and_repeat_with_the_questions() -> None:
    prompts = BenchmarkTasks(name="aime24", repeats=2).prompt_lengths_tokens(Streams(1))
    assert (prompts.min(), prompts.max()) == (130, 216)
    np.testing.assert_array_equal(prompts[:30], prompts[30:])


def test_question_ranks_are_the_midpoints_of_equal_shares_in_a_mixed_order() -> None:
    ranks = question_ranks(30)
    np.testing.assert_allclose(np.sort(ranks), (np.arange(30) + 0.5) / 30)
    for start in range(20):
        assert ranks[start : start + 10].mean() == pytest.approx(0.5, abs=0.1)


def test_prompt_length_says_nothing_about_difficulty() -> None:
    prompts = BenchmarkTasks(name="livecodebench").prompt_lengths_tokens(Streams(1))
    assert abs(np.corrcoef(prompts, question_ranks(167))[0, 1]) < 0.1
