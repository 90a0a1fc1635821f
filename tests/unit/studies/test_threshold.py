"""The threshold against the paper's bands, costs against closed forms, one replica against eight."""

from __future__ import annotations

from math import log
from typing import Literal

import pandas as pd
import pytest

from simulator import load_scenario, simulate
from simulator.attention import DenseAttention
from simulator.kinetics import BF16_RIDGE, cost, kinetics_model
from simulator.kinetics.accuracy import accuracy_at_length, long_cot_curves, published
from simulator.kinetics.derived import longest_on_the_frontier
from simulator.studies import Budget
from simulator.studies import threshold as study


@pytest.fixture(scope="module")
def closed() -> pd.DataFrame:
    return study.closed_forms({model: study.lengths_of(model, 12) for model in study.MODELS})


@pytest.mark.parametrize("source", ["fit", "points"])
def test_on_the_papers_terms_the_threshold_is_14b(
    closed: pd.DataFrame, source: Literal["fit", "points"]
) -> None:
    assert study.thresholds(study.useful(closed, source))["paper", 0] == "14B"


@pytest.mark.parametrize("model", ["qwen3-4b", "qwen3-14b"])
def test_the_published_points_end_where_the_papers_bands_do(closed: pd.DataFrame, model: str) -> None:
    ours = study.useful(closed, "points").loc[("paper", 0), model]
    assert ours == pytest.approx(
        longest_on_the_frontier(long_cot_curves()["dense"], frozenset({model})), rel=0.02
    )


def test_the_interval_is_that_of_the_errors_of_the_curves(
    closed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = study.reach_of(closed, "qwen3-4b").loc["BF16 ridge"]
    assert wide["low"] < wide["fit"] < wide["high"]
    monkeypatch.setattr(study, "curve_error", lambda _: 1e-6)
    narrow = study.reach_of(closed, "qwen3-4b").loc["BF16 ridge"]
    assert narrow["low"] == pytest.approx(wide["fit"], rel=0.01)
    assert narrow["high"] == pytest.approx(wide["fit"], rel=0.01)


def test_the_smallest_model_with_a_long_output_is_the_threshold() -> None:
    longest = pd.DataFrame([[3000, 12_000, 0], [0, 9000, 20_000], [0, 0, 0]], columns=list(study.MODELS[:3]))
    assert list(study.thresholds(longest)) == ["1.7B", "4B", "-"]
    assert list(study.thresholds(longest, 2000)) == ["0.6B", "1.7B", "-"]


def test_the_threshold_by_cut_is_that_of_the_fits_with_its_share_of_the_draws(closed: pd.DataFrame) -> None:
    found, drawn = study.by_cut(closed), study.useful(closed, draws=study.DRAWS)
    for cut in study.CUTS:
        assert found.loc[("paper", cut), "model"] == study.thresholds(study.useful(closed), cut)["paper", 0]
    # 4B pays up to 6,476 tokens on the paper's terms, a little under a cut of 7,000.
    assert list(found.loc["paper", "model"]) == ["4B", *["14B"] * 5]
    agree = (study.thresholds(drawn, 12_000).loc["paper"] == "14B").mean()
    assert found.loc[("paper", 12_000), "share_ratio"] == agree
    assert 0.5 < agree < 1.0


def by_parameters() -> pd.DataFrame:
    """Return costs that are all reads of parameters: those of a server with one question at a time."""
    rows = [
        {"condition": "1 per GPU", "model": model, "tokens": tokens, "gpus": 1, "seed": 0}
        | {"gpu_s": 2.0 * kinetics_model(model).active_parameters * tokens / 8e12, "batch": 1.0}
        for model in study.MODELS
        for tokens in (2000, published().length_fits.models[model].longest_tokens)
    ]
    return pd.DataFrame(rows)


def test_where_parameters_are_all_that_costs_small_models_think_long() -> None:
    frame = by_parameters()
    longest = study.useful(frame).iloc[0]
    # By hand: the last length at which the next larger model, given the same reads, is no better.
    for small, large in (("0.6b", "1.7b"), ("1.7b", "4b")):
        one, other = kinetics_model(f"qwen3-{small}"), kinetics_model(f"qwen3-{large}")
        shorter = one.active_parameters / other.active_parameters
        last = max(
            tokens
            for tokens in range(6000, 24_000, 10)
            if accuracy_at_length(one.name, tokens) >= accuracy_at_length(other.name, tokens * shorter)
        )
        assert last > study.LONG_TOKENS
        assert longest[one.name] == pytest.approx(last, rel=0.005)
    assert list(study.thresholds(study.useful(frame))) == ["0.6B"]


def gpu_s(variant: str, **changed: object) -> float:
    small: dict[str, object] = {
        "workload.tasks.repeats": 1,
        "workload.arrivals.concurrency": 30,
        "workload.lengths.tokens": 3000,
        "workload.max_tokens": 3000,
    }
    paths = {path.replace("__", "."): value for path, value in changed.items()}
    scenario = load_scenario(study.SCENARIO, overrides=small | paths).variants[variant]
    per_s: float = simulate(scenario).summary["throughput"]["tasks_per_s"]
    return scenario.parallelism.tp * scenario.parallelism.dp / per_s


def test_a_simulated_question_costs_what_the_closed_form_says_with_weights_shared_by_its_batch() -> None:
    expected = cost(
        kinetics_model("qwen3-8b"),
        DenseAttention(),
        trials=1,
        prompt_tokens=173,  # the middle of 128 to 218
        output_tokens=3000,
        ridge_flops_per_byte=BF16_RIDGE,
        combine="max",
        summation="steps",
        concurrent_tasks=30,
    )
    bare = {"kind": "roofline", "layer_overhead_s": 0.0}
    found = gpu_s("roofline_unlimited", engine__latency=bare)
    # The embedding table, 4 % of the parameters, is looked up, not read; prompts and norms come on top.
    assert found == pytest.approx(expected.eflops / study.BF16_PEAK_FLOPS_PER_S, rel=0.05)


def test_one_replica_stands_for_eight() -> None:
    one = gpu_s("measured")
    eight = gpu_s(
        "measured", parallelism__dp=8, workload__tasks__repeats=8, workload__arrivals__concurrency=240
    )
    assert one == pytest.approx(eight, rel=0.01)


def test_the_answer_follows_from_a_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "MODELS", ("qwen3-4b", "qwen3-14b"))
    frame = study.run(Budget(quick=True))
    assert set(frame["condition"]) == set(study.CONDITIONS)
    assert not frame["infeasible"].any()
    costs = frame.groupby(["condition", "model", "tokens"])["gpu_s"].mean()
    # A question on its own reads all weights for itself.
    assert costs["1 per GPU", "qwen3-14b", 2000] > 5 * costs["measured", "qwen3-14b", 2000]
    said = study.answer(frame)
    assert f"4B up to {study.useful(frame)['qwen3-4b'].iloc[0]:,.0f}, " in said
    assert "paper: 14B (" in said
    assert [chart.name for chart in study.charts(frame)] == [
        "threshold",
        "threshold-length",
        "threshold-accuracy",
    ]
    assert costs.reset_index()["tokens"].min() == 2000
    for chart in study.charts(frame):
        assert "Offers begin at 2,000 tokens" in chart.caption


def test_the_errors_of_the_curves_are_those_that_were_published_with_the_fits() -> None:
    # simulator/kinetics/accuracy.toml: root mean square errors 0.005 to 0.026, over all points of the curves.
    errors = [study.curve_error(model) for model in study.MODELS]
    assert min(errors) == pytest.approx(0.005, abs=0.003)
    assert max(errors) == pytest.approx(0.026, abs=0.008)


def test_the_fit_and_the_points_are_of_the_same_curve() -> None:
    for model in study.MODELS:
        fit, points = (study.accuracy_of(model, source) for source in ("fit", "points"))
        for tokens in (4000, 8000, 15_000):
            assert points(tokens) == pytest.approx(fit(tokens), abs=0.09)
    assert log(study.accuracy_of("qwen3-14b", "points")(20_000)) == pytest.approx(log(0.775), abs=0.02)
