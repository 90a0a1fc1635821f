"""The study of adaptive allocation compares families of settings at equal solving rates."""

from __future__ import annotations

from collections import Counter
from math import isnan

import pandas as pd
import pytest

from simulator.attention.budgets import own_budget
from simulator.studies import adaptive
from simulator.studies.adaptive import BOTH, CAPPED, FAMILIES, FIXED, LUCKY, ORACLE, QUOTED, STOPPED, TRIALS
from workloads import Workload


def made(**cost_of: float) -> pd.DataFrame:
    """Return rows of two seeds in which a task of each family costs as said, at 0.4 and 0.8 solved."""
    rows = []
    for loss in adaptive.LOSSES:
        for family, cost in cost_of.items():
            for seed in (0, 1):
                for rate, times in ((0.4, 1.0), (0.8, 3.0)):
                    spent = cost * times * (1.0 + 0.1 * seed)
                    row = {"loss": loss, "family": family, "setting": str(rate), "seed": seed, "rate": rate}
                    costs = {"gpu_s_per_task": spent, "joules_per_task": 500.0 * spent}
                    rows.append({**row, **costs, "fresh": False})
    return pd.DataFrame(rows)


FRAME = made(**{FIXED: 2.0, TRIALS: 1.0, ORACLE: 0.5})


def settles(workload: Workload) -> bool:
    """Say whether three task times, those in progress over tasks per second, pass in half of the arrivals."""
    return workload.count >= 7 * (workload.arrivals.concurrency or 0)


def test_costs_are_interpolated_seed_by_seed() -> None:
    # 0.6 lies in the middle of 0.4 and 0.8: (2 + 6) / 2.
    assert adaptive.costs(FRAME, "none", FIXED, 0.6, "gpu_s_per_task") == pytest.approx([4.0, 4.4])
    assert all(map(isnan, adaptive.costs(FRAME, "none", FIXED, 0.9, "gpu_s_per_task")))


def test_a_gain_is_paired_by_seed() -> None:
    for cost in ("gpu_s_per_task", "joules_per_task"):
        found = adaptive.gain(FRAME, "0.02", TRIALS, 0.6, cost)
        assert found is not None
        assert (found.estimate, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert adaptive.gain(FRAME, "0.02", TRIALS, 0.9, "gpu_s_per_task") is None
    assert adaptive.gain(FRAME, "0.02", BOTH, 0.6, "gpu_s_per_task") is None


def test_the_answer_quotes_every_family_that_was_run_under_every_loss() -> None:
    text = adaptive.answer(FRAME)
    assert text.count(f"{TRIALS}: 2 (2 to 2) times as many, 2 (2 to 2) times as many per joule") == 3
    assert text.count(f"{ORACLE}: 4 (4 to 4) times") == 3
    assert BOTH not in text
    assert "budgets chosen per trial" not in text
    assert "half_ratio 0.02" in text
    assert f"{QUOTED:.0%}" in text


def test_the_answer_says_what_budgets_per_trial_are_worth() -> None:
    frame = made(**{FIXED: 2.0, TRIALS: 1.0, BOTH: 0.8})
    assert (
        adaptive.answer(frame).count("budgets chosen per trial against the best one for all: 1.25 (1.25") == 3
    )


def test_the_answer_says_what_was_not_reached() -> None:
    low = FRAME[FRAME["rate"] < QUOTED]
    assert adaptive.answer(low).count("no fixed setting solves 64% of the tasks") == 3
    only = FRAME[(FRAME["family"] == FIXED) | (FRAME["rate"] < QUOTED)]
    assert f"{TRIALS}: not reached" in adaptive.answer(only)


def test_the_chart_has_a_panel_for_each_loss_and_a_colour_for_each_family() -> None:
    (chart,) = adaptive.charts(FRAME)
    assert len(chart.panels) == len(adaptive.LOSSES)
    for panel in chart.panels:
        shown = {series.name: series for series in panel.series}
        assert list(shown) == [FIXED, TRIALS, ORACLE]
        assert [series.place for series in panel.series] == [FAMILIES.index(name) for name in shown]
        assert [series.dashed for series in panel.series] == [False, False, True]
        assert shown[FIXED].x == [level for level in adaptive.LEVELS if level <= 0.8]
        expected = [0.6 / 4.0, 0.6 / 4.4]
        assert shown[FIXED].y[shown[FIXED].x.index(0.6)] == pytest.approx(sum(expected) / 2.0)


def judged_by(frame: pd.DataFrame, more: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """Return rows with two fresh seeds, in which each family solves and costs more by what is given."""
    fresh = frame.assign(seed=frame["seed"] + 2, fresh=True)
    for family, (rate, times) in more.items():
        of = fresh["family"] == family
        fresh.loc[of, "rate"] += rate * fresh.loc[of, "seed"]
        fresh.loc[of, "gpu_s_per_task"] *= times
    return pd.concat([frame, fresh], ignore_index=True)


def test_a_mixture_is_chosen_by_the_means_of_the_seeds_that_do_not_judge() -> None:
    frame = judged_by(FRAME, {FIXED: (0.0, 0.01)})
    assert adaptive.chosen(frame, "none", FIXED, 0.7) == pytest.approx({"0.4": 0.25, "0.8": 0.75})
    assert adaptive.chosen(frame, "none", FIXED, 0.2) == pytest.approx({"0.4": 0.5})
    assert adaptive.chosen(frame, "none", FIXED, 0.9) == {}
    assert adaptive.costs(frame, "none", FIXED, 0.6, "gpu_s_per_task") == pytest.approx([4.0, 4.4])


def test_fresh_seeds_show_where_rates_are_not_equal_and_the_gain_was_luck() -> None:
    # Adaptive trials solve 0.2 and 0.3 percentage points more there and cost half as much again.
    frame = judged_by(FRAME, {TRIALS: (0.001, 1.5)})
    found = adaptive.judged(frame, "none", TRIALS, 0.6)
    assert [one.rate for one in found] == pytest.approx([0.602, 0.603])
    assert [one.cost for one in found] == pytest.approx([3.0, 3.3])
    # 0.25 +- 12.706 x 0.0707 / sqrt(2).
    told = (
        f"judged by 2 seeds that did not choose the mixtures, {TRIALS} solve 0.25 (-0.39 to 0.89) percentage"
    )
    assert adaptive.answer(frame).count(told) == 3
    # 4 / 0.6 over 3 / 0.602 and 4.4 / 0.6 over 3.3 / 0.603.
    assert "more of the tasks than fixed, 1.34 (" in adaptive.answer(frame)


def test_points_that_judge_are_those_that_were_chosen_with_seeds_after_the_others() -> None:
    points = list(adaptive._points("0.005", quick=False))
    rates = {"1 trials, budget 512": (0.5, 1.0), "8 trials, budget 512": (0.8, 3.0)}
    rows = [
        {**point.labels, "fresh": False, "rate": rate, "gpu_s_per_task": cost}
        for point in points
        if point.labels["family"] == FIXED
        for rate, cost in [rates.get(str(point.labels["setting"]), (0.3, 9.0))]
    ]
    found = adaptive.fresh_points(points, pd.DataFrame(rows), 5)
    assert [point.labels["setting"] for point in found] == list(rates)
    seeds = {point.labels["setting"]: point.scenario.seed for point in points}
    assert all(point.scenario.seed == seeds[point.labels["setting"]] + 5 for point in found)


def test_without_fresh_seeds_nothing_is_judged() -> None:
    assert adaptive.judged(FRAME, "none", FIXED, 0.6) == []
    assert "judged by" not in adaptive.answer(FRAME)


def test_caps_and_stops_are_a_choice_beside_what_the_family_could_do_anyway() -> None:
    # Stopped trials reach 0.4 for half of the cost, but nothing beyond; the rest is that of adaptive trials.
    stopped = FRAME[(FRAME["family"] == TRIALS) & (FRAME["rate"] == 0.4)].assign(family=STOPPED)
    stopped["gpu_s_per_task"] /= 2.0
    frame = pd.concat([FRAME, stopped])
    assert adaptive.costs(frame, "none", STOPPED, 0.4, "gpu_s_per_task") == pytest.approx([0.5, 0.55])
    assert adaptive.costs(frame, "none", STOPPED, 0.8, "gpu_s_per_task") == pytest.approx([3.0, 3.3])
    assert adaptive.costs(FRAME, "none", STOPPED, 0.4, "gpu_s_per_task") == []
    # 0.6 lies in the middle: (0.5 + 3) / 2 instead of (1 + 3) / 2.
    assert f"{2.0 / 1.75:.3g} (1.14 to 1.14) at 60%" in adaptive.answer(frame)


def test_caps_and_stops_are_tried_where_budgets_lose_nothing() -> None:
    points = list(adaptive._points("none", quick=False))
    assert Counter(point.labels["family"] for point in points) == {
        FIXED: 6,
        CAPPED: 12,
        TRIALS: 4,
        STOPPED: 6,
        ORACLE: 6,
        LUCKY: 4,
    }
    for point in points:
        workload = point.scenario.workload
        assert settles(workload)
        assert (workload.max_tokens in adaptive.CAPS) is (point.labels["family"] == CAPPED)
        if point.labels["family"] == STOPPED:
            assert workload.strategy.start()[0].max_tokens in {
                15_000,
                20_000,
                30_000,
                45_000,
                70_000,
                120_000,
            }


def test_fixed_and_adaptive_settings_are_run_with_the_same_budgets_and_twice_the_places_in_flight() -> None:
    points = list(adaptive._points("0.005", quick=False))
    assert len({tuple(point.labels.values()) for point in points}) == len(points)
    counts = Counter(point.labels["family"] for point in points)
    assert counts == {FIXED: 24, TRIALS: 12, BOTH: 8, ORACLE: 6, LUCKY: 4}
    for point in points:
        workload = point.scenario.workload
        trials = len(workload.strategy.start())
        in_flight = trials * (workload.arrivals.concurrency or 0)
        assert 0 <= 2 * point.scenario.engine.max_sequences - in_flight < trials
        assert settles(workload)
        assert workload.budget_loss is not None
        assert workload.budget_loss.half_ratio == 0.005


def test_without_a_loss_only_the_smallest_budget_is_run() -> None:
    for point in adaptive._points("none", quick=True):
        strategy, attention = point.scenario.workload.strategy, point.scenario.model.attention
        assert point.scenario.workload.budget_loss is None
        budgets = strategy.kv_budgets_tokens or (own_budget(attention),)
        assert budgets == adaptive.LADDER[:1]
