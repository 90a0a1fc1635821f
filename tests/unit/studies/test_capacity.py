"""The ladder from the paper's estimate to a node: against hand sums, and each step against the one before."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.scenario.checks import capacity_of
from simulator.scenario.loader import load_scenario
from simulator.studies import Budget
from simulator.studies import capacity as study
from simulator.studies.points import Point, run_points

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
    # Two models; three estimates; five steps once, of the larger budget one; two steps with two seeds.
    assert len(quick) == 2 * (3 + (2 * 5 + 1) + 2 * 3 * 2)


def test_all_reduces_cost_time_and_room_to_spare_costs_none(quick: pd.DataFrame) -> None:
    bare, reduced, enforced, bounded, measured, *_ = study.STEPS.values()
    assert rate(quick, reduced) < 0.9 * rate(quick, bare)
    # 120 questions of 1,218 tokens fit: the capacity changes nothing.
    assert rate(quick, enforced) == rate(quick, bounded) == rate(quick, reduced)
    assert rate(quick, measured) < rate(quick, enforced)


def test_attention_changes_neither_what_is_solved_nor_what_fits(quick: pd.DataFrame) -> None:
    runs = quick[quick["step"] != study.ESTIMATE]
    solved = (runs["solved_per_s"] / runs["per_s"]).groupby([runs["model"], runs["seed"]])
    assert (solved.max() - solved.min()).max() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("cell", "context"), [(cell, sizes[2]) for cell, sizes in study.CELLS.items()])
def test_a_bounded_batch_is_what_the_cache_holds_in_full(cell: str, context: int) -> None:
    points = {point.labels["step"]: point for point in study._points(cell, "qwen3-0.6b", quick=False)[:7]}
    for bounded, greedy in study.BOUNDED.items():
        one, other = (points[study.STEPS[step]].scenario for step in (bounded, greedy))
        changed = {"max_sequences": one.engine.max_sequences}
        assert one == other.model_copy(
            update={"name": one.name, "engine": other.engine.model_copy(update=changed)}
        )
        tokens = capacity_of(one).tokens
        assert one.engine.max_sequences * context <= tokens < (one.engine.max_sequences + 1) * context
        assert points[study.STEPS[bounded]].labels["sequences"] == (
            one.engine.max_sequences * one.parallelism.dp
        )


@pytest.mark.parametrize("variant", ["dense", "topk128"])
def test_the_scenario_bounds_the_batch_by_the_same_count(variant: str) -> None:
    variants = load_scenario(study.SCENARIO).variants
    for step in study.BOUNDED:
        one = variants[f"{variant}_{step}"]
        assert one.engine.max_sequences == capacity_of(one).tokens // 16_384


def test_a_server_that_admits_what_fits_now_preempts_and_a_bounded_batch_does_not() -> None:
    # A cache of a twelfth of the batch: ten questions in full, more while they are short.
    cut = {"workload.tasks.repeats": 4, "workload.lengths.tokens": 1000, "workload.max_tokens": 1000}
    for step, batch in (("enforced", 120), ("bounded", 10)):
        engine = f"variants.dense_{step}.engine."
        tiny = {engine + "kv.blocks": -(-10 * 1248 // 16), engine + "max_sequences": batch}
        sizes = cut | tiny
        scenario = load_scenario(study.SCENARIO, overrides=sizes).variants[f"dense_{step}"]
        frame = run_points([Point({"step": step}, scenario)], study.MEASURES, Budget(seeds=1))
        assert (float(frame["preemptions_per_question"].iloc[0]) > 0.1) is (step == "enforced")


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
        "batch": 700.0,
        "preemptions_per_question": 0.0 if "bounds" in step else 1.25,
    }


def test_the_answer_says_what_the_table_holds() -> None:
    gains = dict(zip(study.STEPS.values(), (40.0, 20.0, 10.0, 7.0, 2.0, 4.0, 3.0), strict=True))
    rows = [row("dense", study.ESTIMATE, 0, 1.0), row("topk128", study.ESTIMATE, 0, 50.0)]
    for step, gain in gains.items():
        for seed in (0, 1, 2):
            rows += [row("dense", step, seed, 1.0 + 0.1 * seed)]
            rows += [row("topk128", step, seed, gain * (1.0 + 0.1 * seed))]
    said = study.answer(pd.DataFrame(rows))
    assert f"{study.ESTIMATE} 50 and 50" in said
    for step, gain in gains.items():
        assert f"{step} {gain:.3g} and {gain:.3g}" in said
    enforced, bounded = (study.STEPS[step] for step in ("enforced", "bounded"))
    assert f"{enforced} 700 and 1.25, {bounded} 700 and 0.00" in said
    # Means of 1.0, 1.1, 1.2: 1.1 +- 4.303 x 0.1 / sqrt(3).
    assert "1.1 (0.852 to 1.35) to 4.4 (3.41 to 5.39) questions/s" in said


def test_both_readings_of_a_bounded_cache_have_one_colour() -> None:
    rows = [row(kind, step, 0, 1.0) for kind in ("dense", "topk128") for step in study.STEPS.values()]
    gain, batch, _ = study.charts(pd.DataFrame(rows))
    (panel,) = gain.panels
    sequences = {(line.name, line.dashed): line.y for line in batch.panels[0].series}
    assert sequences[study.STEPS["enforced"], False] == sequences[study.STEPS["enforced"], True] == [700.0]
    assert sequences[study.STEPS["replicas"], True] == [8 * 700.0]
    for bounded, greedy in study.BOUNDED.items():
        full, broken = (line for line in panel.series if line.name == study.STEPS[greedy] and line.x)
        assert (full.dashed, broken.dashed) == (False, True)
        assert full.place == broken.place
        assert study.STEPS[bounded] not in {line.name for line in panel.series}
