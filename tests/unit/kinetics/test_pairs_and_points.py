"""Printed pairs and the points behind the paper's fits: by hand, and what reasons and conditions tell."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.attention import TopKAttention
from simulator.errors import SimulatorError
from simulator.kinetics import best_of_n, claims_of_points
from simulator.kinetics.accuracy import (
    best_of_n_32b,
    best_of_n_frontier,
    long_cot_curves,
    read_curve,
    read_long_cot,
)
from simulator.kinetics.claims import Claim, Sources, check
from simulator.kinetics.claims_of_pairs import METHODS_OUT_OF_REACH, PAIRS, PAIRS_AND_METHODS, moves
from simulator.kinetics.curves import Curve
from simulator.kinetics.derived import largest_gain
from simulator.kinetics.ratios import power_law
from simulator.kinetics.reproduction import CLAIMS

SHIPPED = Sources(long_cot_curves())


def told(statement: str) -> Claim:
    (found,) = (one for one in CLAIMS if one.statement == statement)
    return found


def test_30b_a3b_is_interpolated_in_the_logarithm_of_the_cost() -> None:
    topk = 0.344 + (0.714 - 0.344) * log(215 / 100) / log(300 / 100)
    dense = 0.302 + (0.478 - 0.302) * log(1640 / 1000) / log(2)
    assert (topk, dense) == (pytest.approx(0.602, abs=5e-4), pytest.approx(0.428, abs=6e-4))
    assert told("top-k, 30B-A3B, Long-CoT, at 215 Tera-eFLOPs").ours(SHIPPED) == pytest.approx(topk)
    assert told("dense, 30B-A3B, Long-CoT, at 1,640 Tera-eFLOPs").ours(SHIPPED) == pytest.approx(dense)


def test_a_pair_beyond_what_was_read_is_out_of_reach() -> None:
    found = {one.statement: one for one in check(PAIRS_AND_METHODS, SHIPPED)}
    for statement in ("dense, 30B-A3B, Long-CoT, at 215", "top-k, 30B-A3B, Long-CoT, at 1,640"):
        assert found[f"{statement} Tera-eFLOPs"].verdict == "out of reach"


def test_figures_that_were_not_read_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(SimulatorError, match="no curve in best_of_n_8b of 'locall'; did you mean local"):
        read_curve("best_of_n_8b", "locall")
    wrong: dict[str, Any] = {"figure": "best_of_n_9b"}
    with pytest.raises(SimulatorError, match="unknown figure 'best_of_n_9b'; did you mean best_of_n_8b"):
        read_curve(wrong["figure"], "local")


def test_a_number_moves_by_what_the_curve_does_within_the_reading_of_the_cost() -> None:
    one = Curve("made up", "b200_s", (1.0, 10.0, 20.0), (0.0, 0.5, 0.5), "derived", "assumed for tests")
    assert moves(one, 5.0) == pytest.approx(0.5 * log(1 / 0.95) / log(10))
    assert moves(one, 1.0) == pytest.approx(0.5 * log(1.05) / log(10)), "nothing before the first point"
    assert moves(one, 15.0) == 0.0


def test_every_printed_pair_is_two_claims() -> None:
    numbers = [one.published for one in PAIRS_AND_METHODS[: 2 * len(PAIRS)]]
    assert numbers == [number for pair in PAIRS for number in (pair.topk, pair.dense)]


def test_reasons_say_where_the_curves_have_the_printed_numbers(shared_data: Path) -> None:
    for statement, curve, accuracy in (
        ("dense, 32B, Best-of-N, at 28,000 Tera-eFLOPs", best_of_n_32b("dense"), 0.72),
        ("dense, 32B, Long-CoT, at 3,500 Tera-eFLOPs", SHIPPED.curves["dense"]["qwen3-32b"], 0.46),
        ("top-k, 8B, Long-CoT, at 470 Tera-eFLOPs", SHIPPED.curves["topk"]["qwen3-8b"], 0.63),
        ("top-k, 30B-A3B, Long-CoT, at 215 Tera-eFLOPs", read_curve("long_cot_30b_a3b", "topk"), 0.65),
    ):
        assert f"{float(f'{4500 * curve.reaching(accuracy):.4g}'):,.0f}" in told(statement).because
    path = shared_data / "kinetics" / "fig8d_aime24_longcot_topk.csv"
    if not path.is_file():
        pytest.skip(
            f"the figure's vector data is not part of the project: no {path.name} beside the checkout"
        )
    whole = read_long_cot(path)
    at = f"{4500 * whole['dense']['qwen3-32b'].reaching(0.46):,.0f}"
    assert f"{at} over all" in told("dense, 32B, Long-CoT, at 3,500 Tera-eFLOPs").because
    price = told("eFLOPs of the model with the fewest FLOPs over the least").because
    one, other = (curves["dense"]["qwen3-14b"] for curves in (SHIPPED.curves, whole))
    assert f".718 for 1.63 B200 s; the curve of Fig. 8d reaches that at {one.reaching(0.718):.2f}" in price
    assert f"({other.reaching(0.718):.2f} over all" in price
    assert f"at {one.reaching(0.711):.2f} ({other.reaching(0.711):.2f})" in price
    most = told("top-k, single models: largest gain at equal cost, most of six models")
    gains = [largest_gain(whole["topk"][name], whole["dense"][name]).accuracy for name in whole["dense"]]
    assert f"Fig. 8d give {100 * max(gains):.1f}" in most.condition


def test_what_reading_leaves_open_of_the_ratio_of_best_of_n_is_told() -> None:
    reason = told("top-k, Best-of-N: fewer eFLOPs at dense's best coverage").because
    dense, topk = best_of_n_frontier("dense"), best_of_n_frontier("topk")
    assert (
        f"gives {7.0 / topk.reaching(0.821):.1f}, .823 at 8.5 s gives {8.5 / topk.reaching(0.823):.1f}"
        in (reason)
    )
    assert (dense.at(7.0), dense.last, dense.at(8.5)) == (0.821, 8.5, 0.823)
    ends = [8.5 / topk.reaching(0.823 + off) for off in (0.01, -0.01)]
    assert f"{ends[0]:.1f} to {ends[1]:.1f}" in reason


def test_the_points_of_tokens_are_fitted_as_numpy_does() -> None:
    tera, tokens = claims_of_points.points()
    slope, start = np.polyfit(np.log(tera), np.log(tokens), 1)
    scale, exponent = power_law(tera, tokens, fit="log")
    assert (exponent, log(scale)) == (pytest.approx(slope), pytest.approx(start))
    worst = np.abs(scale * tera**exponent / tokens - 1).max()
    assert (
        f"off by {100 * worst:.0f} %"
        in told("AIME24: largest difference of the published fit of tokens from its ten points").because
    )
    scale, exponent = power_law(tera, tokens, fit="linear")

    def error(a: float, b: float) -> float:
        return float(((a * tera**b - tokens) ** 2).sum())

    for a, b in ((1.001, 0), (0.999, 0), (1, 0.001), (1, -0.001)):
        assert error(scale * a, exponent + b) > error(scale, exponent)


@pytest.mark.parametrize("word", ["logarithms", "tokens"])
def test_the_exponents_of_the_points_are_told(word: str) -> None:
    one = told(f"doubled cost, AIME24: more tokens, from the ten points, fitted in {word}")
    ours = one.ours(SHIPPED)
    assert ours is not None
    assert one.condition.endswith(f"exponent {log(ours) / log(2):.3f}")


def test_the_fit_of_budgets_amid_the_costs_of_each_is_told() -> None:
    tera, budgets = claims_of_points.middles()
    for budget, fitted in zip(budgets, 81.77 * tera**0.25 - 212, strict=True):
        one = told(f"AIME24: budget by the published fit amid the costs at which {budget:.0f} was the best")
        assert f"is {fitted:.0f} there" in one.condition
        ours = one.ours(SHIPPED)
        assert ours == min(budgets, key=lambda other: abs(log(other / fitted)))
    assert (
        f"over {tera[-1] / tera[0]:.0f} times"
        in told("doubled cost, AIME24: larger KV budget, from the four observed budgets").because
    )
    assert float(claims_of_points.fit_of_budget(np.array(166.0))) > 80


def test_what_is_said_of_8b_by_method_is_worked_out() -> None:
    (topk,) = (one.missing for one in METHODS_OUT_OF_REACH if one.statement.startswith("top-k"))
    many, few = (
        best_of_n.curves("aime24", TopKAttention(kv_budget_tokens=budget))["qwen3-8b"].at(1000 / 4500)
        for budget in (128, 512)
    )
    assert f"128 to 512 give {many:.2f} to {few:.2f}".replace("0.", ".") in topk


def test_lengths_of_cot_are_judged_alike_whatever_they_are() -> None:
    found = [one for one in CLAIMS if one.statement.startswith("optimal CoT length")]
    assert {one.tolerance / one.published for one in found} == {0.05}
    assert all("nothing is optimised" in one.condition for one in found)
