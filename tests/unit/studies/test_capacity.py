"""The ladder from the paper's estimate to a node: against hand sums, and each step against the one before."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.studies import Budget
from simulator.studies import capacity as study

CELL = "4,096 x 16,384"


@pytest.fixture(scope="module")
def quick() -> pd.DataFrame:
    return study.run(Budget(seeds=2, quick=True))


def rate(frame: pd.DataFrame, step: str, attention: str = "dense", model: str = "qwen3-0.6b") -> float:
    rows = frame[(frame["step"] == step) & (frame["attention"] == attention) & (frame["model"] == model)]
    return float(rows["per_s"].mean())


def test_the_estimate_is_a_step_at_full_context() -> None:
    # 0.6B: 114,688 B of KV per token over eight GPUs of 8 TB/s; all else is small beside 120 ms.
    step_s = 4096 * 16_384 * 114_688 / 8 / 8e12
    assert study.estimate_per_s(CELL, "qwen3-0.6b", "dense") == pytest.approx(
        4096 / step_s / 16_166, rel=0.01
    )


def test_the_estimate_of_block_topk_adds_budget_mean_keys_and_weights() -> None:
    kv_s = 4096 * 128 * 114_688 / 8 / 8e12
    keys_s = 4096 * (16_384 / 128) * 114_688 / 2 / 8 / 8e12
    # Products of 4,096 tokens are bound by compute: 2 P FLOPs per token at 2.25 PFLOP/s.
    products_s = 4096 * 2 * 0.596e9 / 8 / 2.25e15
    # Two norms of 28 layers read and write hidden state and residual, 1,024 elements of 2 B, on every GPU.
    norms_s = 28 * 2 * 4 * 4096 * 1024 * 2 / 8e12
    found = 4096 / study.estimate_per_s(CELL, "qwen3-0.6b", "topk128") / 16_166
    assert found == pytest.approx(kv_s + keys_s + products_s + norms_s, rel=0.02)


def test_every_step_is_run_for_every_model_and_attention(quick: pd.DataFrame) -> None:
    assert set(quick["step"]) == {study.ESTIMATE, *study.STEPS.values()}
    assert not quick["infeasible"].any()
    # Two models; three estimates; three steps once, of the larger budget one; two steps with two seeds.
    assert len(quick) == 2 * (3 + (2 * 3 + 1) + 2 * 3 * 2)


def test_all_reduces_cost_time_and_room_to_spare_costs_none(quick: pd.DataFrame) -> None:
    bare, reduced, enforced, measured, _ = study.STEPS.values()
    assert rate(quick, reduced) < 0.9 * rate(quick, bare)
    # 120 questions of 1,218 tokens fit: the capacity changes nothing.
    assert rate(quick, enforced) == rate(quick, reduced)
    assert rate(quick, measured) < rate(quick, enforced)


def test_attention_changes_neither_what_is_solved_nor_what_fits(quick: pd.DataFrame) -> None:
    runs = quick[quick["step"] != study.ESTIMATE]
    solved = (runs["solved_per_s"] / runs["per_s"]).groupby([runs["model"], runs["seed"]])
    assert (solved.max() - solved.min()).max() == pytest.approx(0.0, abs=1e-12)


def test_rent_is_that_of_the_node(quick: pd.DataFrame) -> None:
    runs = quick[quick["step"] != study.ESTIMATE]
    # Eight GPUs at 6 USD an hour.
    assert list(runs["usd_per_solved"]) == pytest.approx(list(48 / 3600 / runs["solved_per_s"]))


def row(attention: str, step: str, seed: int, per_s: float) -> dict[str, object]:
    return {
        "cell": CELL,
        "model": "qwen3-8b",
        "attention": study.ATTENTION[attention],
        "step": step,
        "seed": seed,
        "per_s": per_s,
        "solved_per_s": per_s / 2,
        "usd_per_solved": 48 / 3600 / (per_s / 2),
        "joules_per_solved": 8000 / per_s,
    }


def test_the_answer_says_what_the_table_holds() -> None:
    gains = dict(zip(study.STEPS.values(), (40.0, 20.0, 10.0, 2.0, 4.0), strict=True))
    rows = [row("dense", study.ESTIMATE, 0, 1.0), row("topk128", study.ESTIMATE, 0, 50.0)]
    for step, gain in gains.items():
        for seed in (0, 1, 2):
            rows += [row("dense", step, seed, 1.0 + 0.1 * seed)]
            rows += [row("topk128", step, seed, gain * (1.0 + 0.1 * seed))]
    said = study.answer(pd.DataFrame(rows))
    assert f"{study.ESTIMATE} 50 and 50" in said
    for step, gain in gains.items():
        assert f"{step} {gain:.3g} and {gain:.3g}" in said
    # Means of 1.0, 1.1, 1.2: 1.1 +- 4.303 x 0.1 / sqrt(3).
    assert "1.1 (0.852 to 1.35) to 4.4 (3.41 to 5.39) questions/s" in said
