"""Block sizes: the balance against contexts, the pairing and the crossing on made tables."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.api import simulate
from simulator.scenario.loader import load_scenario
from simulator.studies import blocks
from simulator.studies.study import Budget


def table(selection_of_block: float, *, speeds: dict[int, float]) -> pd.DataFrame:
    """Return two seeds of one model, where selection takes `selection_of_block` / block of reading."""
    rows = [
        {
            "latency": "roofline",
            "model": "m",
            "kv_budget": 1024,
            "block": block,
            "seed": seed,
            "solved_per_s": speed * (1 + seed),
            "selection_share": 0.1 * selection_of_block / block,
            "attention_share": 0.1,
        }
        for seed in (0, 1)
        for block, speed in speeds.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("crossing", [3.0, 20.0, 64.0, 500.0])
def test_the_balance_of_a_power_law_is_found_between_and_beyond_the_sizes(crossing: float) -> None:
    frame = table(crossing, speeds=dict.fromkeys(blocks.BLOCKS, 1.0))
    found = blocks.balanced_block(frame).iloc[0]
    assert found["estimate"] == pytest.approx(crossing)
    assert found["low"] == pytest.approx(crossing)


def test_speeds_are_over_the_papers_pairing_and_the_smallest_good_block_is_named() -> None:
    frame = table(4.0, speeds={8: 0.9, 16: 1.0, 32: 1.05, 64: 1.085, 128: 1.1, 256: 1.09})
    ratios = blocks.over_pairing(frame).set_index("block")["estimate"]
    assert ratios.to_dict() == pytest.approx({8: 0.9, 16: 1.0, 32: 1.05, 64: 1.085, 128: 1.1, 256: 1.09})
    assert blocks.smallest_near_best(frame)["block"].tolist() == [64]


def test_scoring_balances_reading_at_half_the_context_over_the_budget() -> None:
    # A block has one mean key; a token has a key and a value: c / block / 2 against the budget.
    budget, block = 256, 64
    attention = {"kind": "block_topk", "kv_budget_tokens": budget, "block_tokens": block}
    changes = {
        "variants": None,
        "engine.latency": "roofline",
        "model.attention": attention,
        "workload.tasks.repeats": 1,
        "workload.arrivals.concurrency": 4,
    }
    summary = simulate(load_scenario(blocks.SCENARIO, overrides=changes)).summary
    context = summary["load"]["kv_tokens_mean"] / summary["load"]["batch_sequences"]["mean"]
    parts = summary["hardware"]["parts"]
    ratio = parts["selection"]["share_ratio"] / parts["attention"]["share_ratio"]
    assert ratio * block == pytest.approx(context / (2 * budget), rel=0.06)


def test_the_table_answers_and_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BUDGETS", (256,))
    frame = blocks.run(Budget(seeds=1, quick=True))
    assert list(frame["block"]) == [16, 64, 256] * 2
    shares = frame.pivot_table(index="block", columns="latency", values="selection_share")
    # Larger blocks take less, down to the launch of a measured kernel.
    assert shares["roofline"].is_monotonic_decreasing
    assert shares.loc[256, "roofline"] < 0.01
    assert shares.loc[256, "calibrated"] > 0.03
    told = blocks.answer(frame)
    assert "the paper's block of 64" in told
    assert "fastest block 256" in told
    share, speed = blocks.charts(frame)
    assert [series.dashed for series in share.panels[0].series] == [False, True]
    assert speed.panels[0].series[0].y[1] == pytest.approx(1.0)
