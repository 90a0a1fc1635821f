"""Steps of a model with windows and experts: what is read of each context; known numbers come out again."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import deployment

from simulator.attention import ContextArray, DenseAttention, SlidingWindowAttention
from simulator.calibrate.step_checks import check_steps, loads
from simulator.calibrate.step_files import COLUMNS, LONGEST, PROMPTS
from simulator.calibrate.steps import calibrate_steps
from simulator.calibrate.told_contexts import ToldContexts
from simulator.hardware import Calibration
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

PLANS = {
    tp: replace(deployment("gpt-oss-120b", tp=tp), expert_dtype="mxfp4", expert_parallel=True)
    for tp in (1, 4)
}
WINDOWED = PLANS[1].attention
BASE = load_part(find("calibration", "b200-sxm.vllm"), Calibration)
TRUTH = {"kernel_ratio": 0.9, "attention_ratio": 1.4, "allreduce_ratio": 0.7, "prompt_ratio": 1.3}
HOST = {"layer_s": 0.0, "step_s": 3e-3, "sequence_s": 3e-5}

contexts = st.lists(st.integers(1, 5000), min_size=1, max_size=12)


@given(contexts)
def test_alike_contexts_and_sums_are_exact(lengths: list[int]) -> None:
    told = ToldContexts(len(lengths), sum(lengths), max(lengths))
    explicit = ContextArray(lengths)
    assert (told.count(), told.total(1), told.longest(1)) == (
        len(lengths),
        explicit.total(1),
        max(lengths),
    )
    alike = ContextArray([lengths[0]] * len(lengths))
    same = ToldContexts(len(lengths), len(lengths) * lengths[0])
    for kind in (DenseAttention(), SlidingWindowAttention(window_tokens=128, window_every=2)):
        assert kind.step_work(same, 1) == kind.step_work(alike, 1)


@given(contexts, st.integers(1, 3000))
def test_a_window_reads_at_most_what_is_told_and_exactly_that_beyond_it(lengths: list[int], cap: int) -> None:
    told = ToldContexts(len(lengths), sum(lengths), max(lengths)).total_capped(cap, 1)
    exact = ContextArray(lengths).total_capped(cap, 1)
    assert isinstance(told, int)
    assert isinstance(exact, int)
    assert told >= exact
    if min(lengths) >= cap or max(lengths) <= cap:
        assert told == exact


@pytest.mark.parametrize(("mean", "reach"), [(200, 0.08), (500, 0.015), (2000, 0.0012)])
def test_what_a_spread_of_contexts_hides_of_the_window_is_small(mean: int, reach: float) -> None:
    lengths = np.random.default_rng(1).integers(1, 2 * mean, 4096).tolist()
    told = WINDOWED.step_work(ToldContexts(4096, sum(lengths)), 1).read_tokens
    exact = WINDOWED.step_work(ContextArray(lengths), 1).read_tokens
    assert 0.0 < told / exact - 1.0 < reach


def test_prompts_with_windows_attend_as_the_model_says() -> None:
    head = [*COLUMNS[:2], LONGEST, *PROMPTS, COLUMNS[2]]
    rows = pd.DataFrame([(0, 0, 0, 600, 2, 100, 0.1), (0, 0, 0, 601, 2, 100, 0.1)], columns=head)
    one, other = loads(rows, WINDOWED)
    assert one.prefill_attended_tokens == 2 * WINDOWED.prefill_attended_tokens(50, 300)
    assert one.prefill_read_tokens == 2 * WINDOWED.prefill_read_tokens(50, 300)
    assert other.prefill_attended_tokens == sum(WINDOWED.prefill_attended_tokens(50, n) for n in (300, 301))


def engine() -> Calibration:
    """Return an engine with known serving numbers."""
    assert BASE.serving is not None
    alone = {dtype: fit.model_copy(update={"serving": None}) for dtype, fit in BASE.experts.items()}
    serving = BASE.serving.model_copy(update=TRUTH | HOST)
    return BASE.model_copy(update={"serving": serving, "experts": alone, "split": None})


def made_steps() -> pd.DataFrame:
    """Return steps of the engine whose contexts were explicit, some of them with prompts, told by sums."""
    draw, rows = np.random.default_rng(2), []
    for tp, plan in PLANS.items():
        bound = BoundCalibrated(engine(), plan)
        for n in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            for mean in (300, 1000, 4000, 16_000, 60_000):
                for new in (0, 0, 2000):
                    lengths = draw.integers(mean // 2, mean * 3 // 2, n).tolist()
                    work = WINDOWED.step_work(ContextArray(lengths), 1)
                    prompt = (
                        new,
                        WINDOWED.prefill_attended_tokens(0, new),
                        WINDOWED.prefill_read_tokens(0, new),
                        min(new, 1),
                    )
                    step_s = float(bound.step_seconds(StepLoad(1, n, work, *prompt)))
                    rows.append((tp, n, sum(lengths), 0, new, min(new, 1), 0, step_s))
    return pd.DataFrame(rows, columns=["tp", *COLUMNS[:2], LONGEST, *PROMPTS, COLUMNS[2]])


def test_known_numbers_of_a_windowed_mixture_come_out_of_its_steps() -> None:
    steps = made_steps()
    check_steps(steps, PLANS, Path("steps.csv"))
    shipped = engine().model_copy(update={"serving": BASE.serving})
    found = calibrate_steps(shipped, PLANS, steps, "made up").serving
    assert found is not None
    for name, number in TRUTH.items():
        # All-reduces are little of a step: what was expected of them, 0.25, pulls their ratio.
        reach = 0.06 if name == "allreduce_ratio" else 0.02
        assert getattr(found, name) == pytest.approx(number, rel=reach), name
    assert found.step_s == pytest.approx(HOST["step_s"], rel=0.02)
    assert found.sequence_s == pytest.approx(HOST["sequence_s"], rel=0.02)
    assert found.fitted.p90_error_ratio is not None
    assert found.fitted.p90_error_ratio < 0.01


def test_taken_as_dense_the_same_steps_give_other_numbers() -> None:
    steps = made_steps()
    dense = loads(steps.head(20), None)
    windowed = loads(steps.head(20), WINDOWED)
    assert all(
        one.decode.read_tokens != other.decode.read_tokens for one, other in zip(dense, windowed, strict=True)
    )
