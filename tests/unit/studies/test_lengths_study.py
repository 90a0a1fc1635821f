"""Unequal lengths: the pieces against moments in closed form, one stream against Eq. 10 and Little's law."""

from __future__ import annotations

from math import log, sqrt
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from simulator.api import simulate
from simulator.rng import Streams
from simulator.scenario.loader import load_scenario
from simulator.studies import lengths
from simulator.studies.study import Budget
from workloads.benchmarks import load_benchmark

CAP = 32_768


def test_the_first_tasks_of_one_length_end_one_after_the_other() -> None:
    found = lengths.staggered(3, 5)
    assert found == [5_000, 10_000, 15_000, 15_000, 15_000]


def test_the_lognormal_has_the_constant_mean_under_the_cap() -> None:
    made = lengths.LENGTHS["wide"]
    mu, sigma = log(made["median_tokens"]), made["log_sigma"]
    normal = NormalDist()
    below = np.exp(mu + sigma**2 / 2) * normal.cdf((log(CAP) - mu - sigma**2) / sigma)
    mean = below + CAP * (1 - normal.cdf((log(CAP) - mu) / sigma))
    assert mean == pytest.approx(lengths.MEAN_TOKENS, rel=2e-3)


def test_sampled_lengths_have_the_moments_of_the_benchmark() -> None:
    workload = load_scenario(lengths.SCENARIO).workload
    figures = load_benchmark("aime24").figures("qwen3-8b")
    rng = np.random.default_rng(1)
    chances = workload.outcomes.solve_probabilities(30, Streams(0))
    medians = figures.median_tokens * np.exp(figures.slope * (0.5 - np.asarray(chances)))
    drawn = np.minimum(CAP, medians * np.exp(figures.log_sigma * rng.standard_normal((40_000, 30))))
    found = np.array(lengths.sampled_lengths(workload), dtype=float)
    assert found.mean() == pytest.approx(drawn.mean(), rel=2e-3)
    assert (found**2).mean() == pytest.approx((drawn**2).mean(), rel=4e-3)


def test_the_prediction_of_one_length_is_the_literal_sum() -> None:
    scenario = load_scenario(lengths.SCENARIO)
    a = scenario.model.architecture
    prompt = round(float(np.mean(scenario.workload.tasks.prompt_lengths_tokens(Streams(0)))))
    contexts = sum(prompt + step for step in range(1, lengths.MEAN_TOKENS + 1))
    flops = (
        2 * a.active_parameters * lengths.MEAN_TOKENS + 4 * a.layers * a.query_heads * a.head_dim * contexts
    )
    kv_bytes = 4 * a.layers * a.kv_heads * a.head_dim * contexts
    assert lengths.predicted_eflops("dense", "constant") == pytest.approx(
        lengths.TRIALS * (flops + 281.25 * kv_bytes), rel=1e-9
    )


def steady(case: str) -> dict[str, object]:
    points = lengths._points(Budget(quick=True))
    chosen = next(p for p in points if p.labels["setting"] == "steady" and p.labels["case"] == case)
    return simulate(chosen.scenario).summary


def test_a_stream_of_one_length_costs_what_the_closed_form_says() -> None:
    found = steady("one length")["kinetics"]["decode_eflops_per_task"]
    assert found == pytest.approx(lengths.predicted_eflops("dense", "constant"), rel=0.02)


def test_places_are_empty_as_trials_end_before_their_task() -> None:
    summary = steady("AIME24")
    load, times = summary["load"], summary["latency"]
    idle = 1 - (load["running_mean"] + load["waiting_mean"]) / (7 * lengths.TRIALS)
    # Little's law: trials in progress over tasks in progress is trials x trial time over task time.
    assert idle == pytest.approx(1 - times["trial_s"]["mean"] / times["task_s"]["mean"], abs=0.05)
    assert 0.2 < idle < 0.45


def test_the_table_answers_and_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths, "ROUNDS", 2)
    frame = lengths.run(Budget(seeds=1, quick=True))
    assert list(frame["case"][:6]) == [case for case, *_ in lengths.STEADY]
    one = frame[frame["case"] == "one length"]
    # All trials of a task begin and end together.
    assert np.allclose(one["idle_share"], 0.0, atol=2e-3)
    assert frame.loc[frame["case"].isin(lengths.STOPPED), "idle_share"].isna().all()
    stopped = frame[(frame["case"] == "first success") & (frame["setting"] == "batch")]
    whole = frame[(frame["case"] == "AIME24") & (frame["setting"] == "batch")]
    assert (stopped["tokens_per_task"].to_numpy() < 0.9 * whole["tokens_per_task"].to_numpy()).all()
    assert (stopped["solving_rate"].to_numpy() == whole["solving_rate"].to_numpy()).all()
    equal = frame[frame["case"] == lengths.EQUAL_STOPPED]
    alike = frame[(frame["case"] == "one length") & (frame["setting"] == "batch")]
    assert equal["idle_share"].isna().all()
    assert equal["tokens_per_task"].to_numpy() == pytest.approx(alike["tokens_per_task"].to_numpy(), rel=1e-3)
    told = lengths.answer(frame)
    assert "In a batch of one length a stop at the first success gives 1.000 times the tokens" in told
    ratio = lengths.predicted_eflops("dense", "aime24") / lengths.predicted_eflops("dense", "constant")
    assert f"Eq. 10 says {ratio:.2f}" in told
    batch = frame[(frame["setting"] == "batch") & (frame["case"] == "AIME24")].set_index("attention")
    gain = batch.loc["block_topk", "solved_per_s"] / batch.loc["dense", "solved_per_s"]
    assert f"{gain:.2f} AIME24, batch" in told
    solved, idle = lengths.charts(frame)
    assert [panel.title for panel in solved.panels] == ["steady stream of tasks", "one batch of 60 tasks"]
    assert idle.panels[0].x.categories == ("one length", "AIME24", "lognormal", "refilled")


def test_ratios_are_to_the_case_of_the_same_setting_and_attention() -> None:
    keys = [("steady", "dense"), ("batch", "dense"), ("steady", "block_topk")]
    rows = [
        {"setting": s, "attention": a, "case": case, "seed": seed, "x": base * factor * sqrt(seed + 1)}
        for (s, a), base in zip(keys, (1.0, 10.0, 100.0), strict=True)
        for case, factor in (("one length", 1.0), ("AIME24", 0.5))
        for seed in (0, 1)
    ]
    found = lengths.over(pd.DataFrame(rows), "one length", "x")
    assert found.loc[found["case"] == "AIME24", "estimate"].tolist() == pytest.approx([0.5] * 3)
