"""What a sweep gives: a row for every run and every point, whether it could run or not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small import BUDGET, SMALL, TRIALS, small

from simulator import load_scenario, simulate, sweep
from simulator.errors import ScenarioError
from simulator.metrics.measures import MEASURES, number
from simulator.output import manifest
from simulator.scenario.loader import Resolved, vary
from simulator.scenario.located import Located
from simulator.sweeps import Swept
from simulator.sweeps.figures import FIGURES

SOLVED = "quality.solving_rate.estimate"


def swept(axes: dict[str, object], **options: Any) -> Swept:  # noqa: ANN401 - any argument
    source = options.pop("source", None) or small()
    return sweep(source, axes, **options)


def test_every_axis_metric_interval_seed_and_hash_has_a_column() -> None:
    table = swept({TRIALS: [1, 2], "parallelism.dp": [1, 2]}, seeds=2).runs
    assert list(table.columns) == [
        TRIALS,
        "parallelism.dp",
        "seed",
        "status",
        "reason",
        "scenario_sha256",
        *FIGURES,
    ]
    assert {measure.path for measure in MEASURES} <= set(table.columns)
    assert {f"{SOLVED}_low", f"{SOLVED}_high"} <= set(table.columns)
    assert table[[TRIALS, "parallelism.dp", "seed"]].to_numpy().tolist() == [
        [trials, dp, seed] for trials in (1, 2) for dp in (1, 2) for seed in (0, 1)
    ]


def test_a_row_is_what_a_run_of_that_scenario_gives() -> None:
    table = swept({TRIALS: [1, 3]}, overrides={"seed": 7}, seeds=2).runs
    for _, row in table.iterrows():
        scenario = load_scenario(small(), overrides={TRIALS: row[TRIALS], "seed": 7})
        result = simulate(scenario, seed=row["seed"])
        for measure in MEASURES:
            expected = number(result.summary, measure.path)
            if expected is None:
                assert math.isnan(row[measure.path]), measure.path
            else:
                assert row[measure.path] == expected, measure.path
        assert row["scenario_sha256"] == manifest(scenario, seed=row["seed"])["scenario_sha256"]


def test_points_have_the_same_seeds_and_draw_the_same_tasks() -> None:
    changes = {"engine.max_sequences": [1, 64]}
    table = swept(changes, seeds=3).runs
    assert table["seed"].tolist() == [0, 1, 2, 0, 1, 2]
    drawn = table[[SOLVED, "quality.output_tokens_per_task"]].to_numpy()
    assert np.array_equal(drawn[:3], drawn[3:])  # lengths and outcomes do not depend on the batch
    assert table["latency.task_s.mean"][0] != table["latency.task_s.mean"][3]


def test_a_plan_that_does_not_fit_is_a_row_that_says_why() -> None:
    table = swept({"model.preset": ["qwen3-8b", "llama-3.1-70b"], "model.weight_dtype": ["bf16", "fp8"]}).runs
    assert table["status"].tolist() == ["ok", "ok", "ok", "ok"]
    changes = {"hardware.gpu.hbm_usable_bytes.value": [10_000_000_000, 170_000_000_000]}
    found = swept(changes)
    assert found.runs["status"].tolist() == ["infeasible", "ok"]
    assert "GB" in found.runs["reason"][0]
    assert found.runs["reason"][1] == ""
    assert found.runs["scenario_sha256"].str.len().tolist() == [64, 64]
    assert np.isnan(found.runs[list(FIGURES)].to_numpy(dtype=float)[0]).all()
    assert found.table["status"].tolist() == ["infeasible", "ok"]


def test_values_that_do_not_go_together_are_a_row_that_says_why() -> None:
    table = swept({"parallelism.tp": [1, 2], "parallelism.dp": [4, 8]}).table
    assert table["status"].tolist() == ["ok", "ok", "ok", "invalid"]
    assert table["reason"][3] == "parallelism: tp 2 x dp 8 = 16 GPUs, but b200-sxm-8 has 8"
    assert math.isnan(table["throughput.solved_tasks_per_s"][3])


def test_means_are_those_of_the_seeds_with_students_interval() -> None:
    found = swept({TRIALS: [1, 2]}, seeds=4)
    runs = found.runs["latency.task_s.mean"].to_numpy().reshape(2, 4)
    table = found.table
    assert table["seeds"].tolist() == [4, 4]
    assert table["latency.task_s.mean"].to_numpy() == pytest.approx(runs.mean(axis=1))
    half = 3.182446 * runs.std(axis=1, ddof=1) / 2  # t of 3 degrees of freedom at 0.975
    assert table["latency.task_s.mean_low"].to_numpy() == pytest.approx(runs.mean(axis=1) - half)
    assert table["latency.task_s.mean_high"].to_numpy() == pytest.approx(runs.mean(axis=1) + half)


def test_with_one_seed_the_interval_is_that_of_the_run() -> None:
    found = swept({TRIALS: [1, 2]})
    interval = simulate(load_scenario(small(), overrides={TRIALS: 1})).summary["quality"]["solving_rate"]
    assert found.table[f"{SOLVED}_low"][0] == found.runs[f"{SOLVED}_low"][0] == interval["low"]
    assert math.isnan(found.table["latency.task_s.mean_low"][0])


VARIANTS = {"dense": {}, "sparse": {"model.attention": {"kind": "topk", "kv_budget_tokens": 16}}}


def test_variants_are_rows_of_every_point() -> None:
    found = swept({TRIALS: [1, 2]}, source=small(variants=VARIANTS), seeds=2)
    assert found.table[[TRIALS, "variant"]].to_numpy().tolist() == [
        [1, "dense"],
        [1, "sparse"],
        [2, "dense"],
        [2, "sparse"],
    ]
    assert len(found.runs) == 8


def test_an_axis_of_one_variant_leaves_the_others_alone() -> None:
    axis = "variants.sparse.model.attention.kv_budget_tokens"
    found = swept({axis: [16, 32]}, source=small(variants=VARIANTS))
    assert found.computed == 3  # one run of the dense one serves both points
    dense = found.table[found.table["variant"] == "dense"]
    assert dense["latency.task_s.mean"].nunique() == 1  # noqa: PD101 - small
    assert len(dense) == 2


def test_what_is_wrong_with_one_variant_does_not_stop_the_others() -> None:
    variants = {"one": {}, "eight": {"parallelism.dp": 8}}
    table = swept({"parallelism.tp": [1, 2]}, source=small(variants=variants)).table
    assert table["status"].tolist() == ["ok", "ok", "ok", "invalid"]


def test_labels_stand_in_the_table_and_tables_and_nulls_are_values() -> None:
    axes: dict[str, object] = {
        "layout": {"one": {"parallelism.dp": 1}, "four": {"parallelism.dp": 4, "parallelism.tp": 2}},
        "model.attention": [{"kind": "dense"}, {"kind": "topk", "kv_budget_tokens": 16}],
        "report.horizon_s": [None, 1.0],
    }
    table = swept(axes).table
    assert table["layout"].tolist() == ["one"] * 4 + ["four"] * 4
    assert table["model.attention"].tolist() == ["dense", "dense", "topk kv_budget_tokens=16"] + [  # noqa: RUF005 - as text
        "topk kv_budget_tokens=16",
        "dense",
        "dense",
        "topk kv_budget_tokens=16",
        "topk kv_budget_tokens=16",
    ]
    assert table["report.horizon_s"].tolist() == ["null", 1.0] * 4
    assert (table["status"] == "ok").all()


def test_a_path_of_nested_changes_and_booleans_works() -> None:
    table = swept(
        {"engine.kv.prefix_sharing": [True, False], "hardware.gpu.price_usd_per_hour.value": [1.0, 2.0]}
    )
    costs = table.table["cost.usd_per_solved_task"].to_numpy()
    assert costs[1] == pytest.approx(2 * costs[0])


def test_the_section_of_a_scenario_is_where_a_sweep_starts() -> None:
    source = small(sweep={"axes": {TRIALS: "1:4:*2"}, "seeds": 2})
    assert sweep(source).runs[[TRIALS, "seed"]].to_numpy().tolist() == [
        [1, 0],
        [1, 1],
        [2, 0],
        [2, 1],
        [4, 0],
        [4, 1],
    ]
    changed = sweep(source, {TRIALS: [3], "parallelism.dp": [2]}, seeds=1)
    assert changed.runs[[TRIALS, "parallelism.dp", "seed"]].to_numpy().tolist() == [[3, 2, 0]]


def test_the_section_of_a_scenario_is_no_part_of_its_runs(tmp_path: Path) -> None:
    section = {"axes": {TRIALS: [1, 2]}}
    plain, with_section = load_scenario(small()), load_scenario(small(sweep=section))
    assert with_section.sweep is not None
    assert manifest(with_section, seed=0) == manifest(plain, seed=0)
    folder = simulate(with_section).to_dir(tmp_path / "out")
    assert "sweep" not in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["scenario"]
    assert swept({}, source=small(sweep=section)).runs.equals(swept(section["axes"]).runs)


def test_a_sweep_of_a_manifest_is_that_of_its_scenario(tmp_path: Path) -> None:
    folder = simulate(load_scenario(small())).to_dir(tmp_path / "a folder with spaces")
    table = swept({TRIALS: [1, 2]}, source=folder / "manifest.json").runs
    pd.testing.assert_frame_equal(table, swept({TRIALS: [1, 2]}).runs)


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    """Return a scenario that names a trace beside it, with another trace there."""
    folder = tmp_path / "with spaces"
    folder.mkdir()
    (folder / "t.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,8,8\n1,16,16\n", encoding="utf-8")
    (folder / "u.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,8,8\n9,16,16\n", encoding="utf-8")
    workload = {**SMALL["workload"], "arrivals": {"kind": "trace", "path": "./t.csv"}, "strategy": "long_cot"}
    workload["tasks"] = {**SMALL["workload"]["tasks"], "count": 2}
    path = folder / "s.json"
    path.write_text(json.dumps(small(workload=workload, report={"window": "whole"})), encoding="utf-8")
    return path


def test_a_trace_is_a_value_of_an_axis(traced: Path) -> None:
    files: list[object] = [str(traced.parent / name) for name in ("t.csv", "u.csv")]
    early, late = swept({"workload.arrivals.path": files}, source=traced).runs["throughput.tasks_per_s"]
    assert early > late
    assert early == swept({"parallelism.dp": [1]}, source=traced).runs["throughput.tasks_per_s"][0]


@pytest.mark.slow
def test_a_trace_beside_the_scenario_is_found_by_workers_elsewhere(traced: Path) -> None:
    axes: dict[str, object] = {"parallelism.dp": [1, 2]}
    found = swept(axes, source=traced, workers=2).runs
    assert found["status"].tolist() == ["ok", "ok"]
    pd.testing.assert_frame_equal(found, swept(axes, source=traced).runs)


def test_sampled_points_keep_numbers_as_numbers() -> None:
    found = swept(
        {"engine.max_sequences": "1..64", "hardware.gpu.price_usd_per_hour.value": "0.5..8"},
        combine="random",
        samples=5,
    )
    assert found.runs["engine.max_sequences"].dtype.kind == "i"
    assert found.runs["hardware.gpu.price_usd_per_hour.value"].dtype.kind == "f"
    assert (found.runs["status"] == "ok").all()


def test_an_axis_may_need_another(tmp_path: Path) -> None:
    axes: dict[str, object] = {"model.attention.kind": ["dense", "topk"], BUDGET: [16, 32]}
    table = swept(axes, source=small(), store=tmp_path / "s").table
    assert table["status"].tolist() == ["invalid", "invalid", "ok", "ok"]
    assert "kv_budget_tokens" in table["reason"][0]


BLOCKS = "model.attention.block_tokens"


def test_a_kind_is_set_before_what_it_may_replace_whatever_the_order_of_axes() -> None:
    sparse = small(model={"preset": "qwen3-8b", "attention": {"kind": "block_topk", "kv_budget_tokens": 64}})
    axes: dict[str, object] = {BLOCKS: [16, 64], "model.attention.kind": ["dense", "block_topk"]}
    table = swept(axes, source=sparse).table
    assert table["status"].tolist() == ["invalid", "ok", "invalid", "ok"]  # dense ones have no blocks
    assert "unknown key of dense" in table["reason"][0]
    wider = {BLOCKS: [16, 32], BUDGET: [32], "model.attention.kind": ["block_topk"]}
    assert (swept(wider).table["status"] == "ok").all()  # though the scenario itself is dense


def test_a_file_that_an_axis_names_lies_beside_the_scenario_and_its_change_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "with spaces"
    folder.mkdir()
    node = load_scenario(small()).hardware.model_dump(mode="json")
    (folder / "gpu.json").write_text(json.dumps(node["gpu"]), encoding="utf-8")
    (folder / "mine.json").write_text(json.dumps({**node, "gpu": "./gpu.json"}), encoding="utf-8")
    path = folder / "s.json"
    axes = {"hardware": ["b200-sxm-8", "./mine.json"]}
    path.write_text(json.dumps(small(sweep={"axes": axes})), encoding="utf-8")
    first = sweep(path, store=tmp_path / "store")
    assert first.table["hardware"].tolist() == ["b200-sxm-8", "./mine.json"]
    costs = first.table["cost.usd_per_solved_task"]
    assert costs[0] == costs[1]
    assert sweep(path, store=tmp_path / "store").computed == 0
    node["gpu"]["price_usd_per_hour"]["value"] *= 2
    (folder / "gpu.json").write_text(json.dumps(node["gpu"]), encoding="utf-8")
    again = sweep(path, store=tmp_path / "store")
    assert (again.computed, again.kept) == (1, 1)
    assert again.table["cost.usd_per_solved_task"][1] == pytest.approx(2 * costs[1])


def test_a_value_that_is_right_beside_one_of_many_others_is_not_refused() -> None:
    many: dict[str, object] = {f"n{number}": {"name": f"n{number}"} for number in range(60)}
    many["sparse"] = {"model.attention.kind": "topk"}
    status = swept({"which": many, BUDGET: [16]}).table["status"].tolist()
    assert status == ["invalid"] * 60 + ["ok"]


def test_ranges_and_arrays_are_values_of_axes() -> None:
    axes: dict[str, object] = {
        "parallelism.dp": range(1, 3),
        "hardware.gpu.price_usd_per_hour.value": np.linspace(1.0, 2.0, 2),
        TRIALS: [np.int64(2)],
    }
    assert swept(axes).table[list(axes)].to_numpy().tolist() == [[1, 1, 2], [1, 2, 2], [2, 1, 2], [2, 2, 2]]


def test_of_many_wrong_values_the_first_are_told_and_others_are_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def counted(document: Located, changes: dict[str, object], *, must_fit: bool) -> Resolved:
        tried.append(changes)
        return vary(document, changes, must_fit=must_fit)

    monkeypatch.setattr("simulator.sweeps.checking.vary", counted)
    names: list[object] = [f"nothing-{number}" for number in range(300)]
    with pytest.raises(ScenarioError) as caught:
        swept({"model.preset": names, "parallelism.dp": [1, 2, 4]})
    assert len(caught.value.faults) == 21
    assert caught.value.faults[-1].endswith("and perhaps more: after 20 wrong values no others are tried")
    assert len(tried) < 100  # those beside the three values of the other axis, and these themselves


def test_axes_that_are_no_mapping_are_told() -> None:
    with pytest.raises(ScenarioError, match="axes: expected a mapping such as"):
        sweep(small(), ["workload.strategy.trials=1,2"])  # type: ignore[arg-type] # the mistake


def test_a_section_of_a_scenario_with_variants_is_swept() -> None:
    source = small(sweep={"axes": {TRIALS: [1, 2]}}, variants={"a": {}, "b": {"parallelism.dp": 2}})
    table = sweep(source).runs
    assert table["status"].tolist() == ["ok"] * 4
    assert table["variant"].tolist() == ["a", "b", "a", "b"]
