"""Shared prompts: who is compared with whom, and what a server computes and holds."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.api import simulate
from simulator.studies import prefix
from simulator.studies.study import Budget

N, PROMPT = 8, 8_192


def table() -> pd.DataFrame:
    """Return two seeds of made throughput on one GPU, and of two routers on several."""
    alone = {"dense_own": 1.0, "dense_held_once": 2.0, "dense_read_once": 5.0, "block_topk_own": 3.0}
    speeds = alone | {"block_topk_held_once": 8.0}
    rows = []
    for seed in (0, 1):
        for gpus, router, factor in (
            (1, "prefix_affine", 1.0),
            (4, "prefix_affine", 4.0),
            (4, "least_loaded", 3.0),
        ):
            for name, speed in speeds.items():
                if gpus > 1 and name.endswith("own"):
                    continue
                labels = (gpus, router, PROMPT, N, *prefix.VARIANTS[name])
                figures = {"seed": seed, "solved_per_s": speed * factor * (1 + seed), "batch": 10.0 * speed}
                rows.append(dict(zip(prefix.KEYS, labels, strict=True)) | figures)
    return pd.DataFrame(rows)


def test_sharing_is_compared_within_an_attention() -> None:
    frame = table()
    shared = prefix.over_own(frame[frame["gpus"] == 1])
    assert dict(
        zip(zip(shared["attention"], shared["sharing"], strict=True), shared["estimate"], strict=True)
    ) == pytest.approx(
        {("dense", "held once"): 2.0, ("dense", "read once"): 5.0, ("block_topk", "held once"): 8 / 3}
    )


@pytest.mark.parametrize(("dense", "gain"), [("per trial", 3.0), ("held once", 4.0), ("read once", 1.6)])
def test_sparse_is_compared_with_dense_that_holds_prompts_as_often(dense: str, gain: float) -> None:
    frame = table()
    found = prefix.sparse_gain(frame[frame["gpus"] == 1], dense)
    assert found["estimate"].tolist() == pytest.approx([gain])


def test_the_made_table_answers_and_draws() -> None:
    frame = table()
    assert prefix.router_loss(frame)["estimate"].tolist() == pytest.approx([0.75] * 3)
    told = prefix.answer(frame)
    assert "3.00 (3.00 to 3.00) with a prompt per trial, 4.00 (4.00 to 4.00) held once" in told
    assert "Dense batch 10 (10 to 10) -> 20 (20 to 20)" in told
    brought, gains = prefix.charts(frame)
    assert [series.y for series in gains.panels[0].series] == [[pytest.approx(g)] for g in (3.0, 4.0, 1.6)]
    assert brought.panels[0].x.categories == ("8,192",)


def test_held_once_a_prompt_is_computed_once_and_read_once_it_is_not_read_by_each_trial() -> None:
    points = prefix._variants(Budget(quick=True), PROMPT, N)
    found = {
        (p.labels["attention"], p.labels["sharing"]): simulate(p.scenario).summary
        for p in points
        if p.labels["attention"] == "dense"
    }

    def computed(sharing: str) -> float:
        rates = found["dense", sharing]["throughput"]
        return rates["prompt_tokens_per_s"] / rates["tasks_per_s"]

    def read(sharing: str) -> float:
        return found["dense", sharing]["kinetics"]["decode_bytes_per_task"]

    # The window's edges cut tasks.
    assert computed(prefix.HELD) == pytest.approx(PROMPT, rel=0.1)
    assert computed(prefix.OWN) == pytest.approx(N * PROMPT, rel=0.1)
    # Lower bounds of what is spared: each of the other trials' steps beside the first's, a half at least.
    output = found["dense", prefix.OWN]["quality"]["output_tokens_per_task"]
    token_bytes = 147_456
    spared = read(prefix.OWN) - read(prefix.READ)
    assert 0.5 * PROMPT * output * token_bytes < spared < PROMPT * output * (1 - 1 / N) * token_bytes * 1.1
    speeds = {
        s: found["dense", s]["throughput"]["tasks_per_s"] for s in (prefix.OWN, prefix.HELD, prefix.READ)
    }
    assert speeds[prefix.OWN] < speeds[prefix.HELD] < speeds[prefix.READ]


def test_several_gpus_are_run_with_both_routers_and_shared_prompts_alone() -> None:
    points = [p for p in prefix._points(Budget(quick=True)) if p.labels["gpus"] != 1]
    assert {p.labels["router"] for p in points} == {"prefix_affine", "least_loaded"}
    assert {p.labels["sharing"] for p in points} == {prefix.HELD, prefix.READ}
    assert {(p.scenario.parallelism.dp, p.scenario.engine.router.kind) for p in points} == {
        (4, "prefix_affine"),
        (4, "least_loaded"),
    }
