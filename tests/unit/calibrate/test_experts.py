"""Mixtures of experts: how tables route tokens, which rows count, and what running engines add."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))
sys.path.insert(0, str(Path(__file__).parent))

from deployments import architecture, gpu
from plain_run import PLAIN

from simulator.calibrate.operations import fit_experts
from simulator.calibrate.routing import power_law_load
from simulator.calibrate.runs import measured_runs
from simulator.calibrate.serving import calibrate_experts, deployment_of, estimate
from simulator.calibrate.step_checks import loads
from simulator.calibrate.step_files import read_steps
from simulator.calibrate.steps import calibrate_steps
from simulator.calibrate.tables import KernelTables, Timings
from simulator.hardware import Calibration
from simulator.hardware.calibration import ExpertsServing, Fitted
from simulator.hardware.forms import experts_seconds
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

B200 = gpu()
BY = Fitted(table="made up for tests", rows=1, held_out_rows=0)


@pytest.mark.parametrize("ranks", [1, 2, 8])
@pytest.mark.parametrize("tokens", [1, 2, 16, 100, 3000])
def test_a_routing_keeps_its_rows_and_its_bounds(tokens: int, ranks: int) -> None:
    distinct, rows = power_law_load(64, 4, tokens, ranks)
    assert distinct <= min(64 / ranks, rows)
    # The busiest rank has at least its share, at most all, and no expert more rows than there are tokens.
    assert max(tokens * 4 / ranks, 1) <= rows <= min(tokens * 4, tokens * 64 / ranks)
    if ranks == 1:
        assert rows == tokens * 4


def test_a_power_law_reaches_fewer_experts_than_even_routing() -> None:
    even = 64 * (1 - (1 - 4 / 64) ** 60)
    assert 0.5 * even < power_law_load(64, 4, 60, 1)[0] < 0.95 * even


def expert_rows(make: Callable[[pd.DataFrame], np.ndarray]) -> pd.DataFrame:
    """Return rows of ten shapes whose seconds `make` gives."""
    shapes = [
        (h, i, e, k) for h in (2048, 4096, 7168, 3072, 5120) for i, e, k in ((768, 64, 8), (2048, 32, 4))
    ]
    split = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 4))
    rows = pd.DataFrame(
        [
            (tokens, *shape, *ranks)
            for shape, ranks, tokens in itertools.product(shapes, split, (1, 4, 16, 64, 256, 1024, 8192))
        ],
        columns=["tokens", "hidden", "inter", "count", "active", "tp", "ep"],
    )
    return rows.assign(seconds=make(rows))


def test_a_fit_of_experts_finds_the_numbers_behind_the_timings() -> None:
    truth = (2e-5, 0.6, 0.9, 3.0, 20.0, 64.0, 2e-12, 2e-8)

    def seconds(rows: pd.DataFrame) -> np.ndarray:
        loads = rows[["count", "active", "tokens", "ep"]].astype(int).itertuples(index=False)
        touched, routed = np.array([power_law_load(*load) for load in loads]).T
        return np.asarray(
            experts_seconds(
                rows["tokens"].to_numpy(float),
                (touched, routed),
                (rows["hidden"].to_numpy(float), (rows["inter"] / rows["tp"]).to_numpy(float)),
                numbers=truth,
                element_bytes=2.0,
                peak_flops_per_s=B200.peak("bf16"),
                peak_bytes_per_s=B200.hbm_bandwidth_bytes_per_s.value,
            )
        )

    found = fit_experts(Timings(expert_rows(seconds), "made up"), "bf16", B200)
    assert found is not None
    assert found.launch_s == pytest.approx(2e-5, rel=0.02)
    assert found.compute_ratio == pytest.approx(0.6, rel=0.02)
    assert found.memory_ratio == pytest.approx(0.9, rel=0.02)
    assert found.padding_columns == pytest.approx(64, rel=0.05)
    assert found.fitted.held_out_rows > 0
    assert found.fitted.p90_error_ratio is not None
    assert found.fitted.p90_error_ratio < 0.01
    assert fit_experts(Timings(expert_rows(seconds).head(20), "made up"), "bf16", B200) is None


def table_row(**changes: object) -> dict[str, object]:
    return {
        "kernel_source": "fused",
        "moe_dtype": "bfloat16",
        "num_tokens": 4,
        "hidden_size": 2048,
        "inter_size": 768,
        "topk": 8,
        "num_experts": 128,
        "moe_tp_size": 1,
        "moe_ep_size": 1,
        "distribution": "power_law_1.01",
        "latency": 0.1,
    } | changes


def test_tables_of_experts_are_read_by_their_rules(tmp_path: Path) -> None:
    old = [table_row(moe_dtype="fp8", latency=9.0), table_row(moe_ep_size=2), table_row(latency=8.0)]
    new = [
        table_row(),
        table_row(kernel_source="slower", latency=0.2),
        table_row(distribution="balanced", latency=0.01),
        table_row(kernel_source="fused_nongated", num_tokens=8),
        table_row(hidden_size=2688, inter_size=1856),
        table_row(moe_dtype="w4a16_mxfp4"),
        table_row(moe_dtype="w4a16_mxfp4", hidden_size=2880, inter_size=2880, latency=0.3),
    ]
    for version, rows in (("0.9.0", old), ("0.24.0", new)):
        folder = tmp_path / "b200_sxm" / "moe" / "vllm" / version
        folder.mkdir(parents=True)
        pd.DataFrame(rows).to_parquet(folder / "moe_perf.parquet")
    found = KernelTables(B200, "vllm", root=tmp_path).experts()
    # FP8 is in the older version alone, whose rows of expert parallelism do not count.
    times = {dtype: [round(s, 6) for s in timings.rows["seconds"]] for dtype, timings in found.items()}
    assert times == {"bf16": [1e-4], "fp8": [9e-3], "mxfp4": [3e-4]}
    assert "0.9.0" in found["fp8"].source


SILICON = {
    "id": "x",
    "silicon_data_source": "silicon_concurrency=32",
    "backend": "trtllm",
    "backend_version": "1.2",
    "model_path": "openai/gpt-oss-120b",
    "system": "b200_sxm",
    "precision": "fp4",
    "mode": "agg",
    "isl": 1024,
    "osl": 128,
    "gemm_quant_mode": "nvfp4",
    "batch_size": 32,
    "tp_size": 4,
    "pp_size": 1,
    "attention_dp_size": 1.0,
    "moe_tp_size": 4.0,
    "moe_ep_size": 1.0,
    "silicon_ttft_ms": 50.0,
    "silicon_tpot_ms": 12.0,
}


def test_runs_of_mixtures_are_read_by_their_rules(tmp_path: Path) -> None:
    qwen = {"model_path": "Qwen/Qwen3-235B-A22B-FP8", "gemm_quant_mode": "fp8_block", "precision": "fp8"}
    rows = [
        SILICON,
        SILICON | {"id": "again", "backend_version": None},
        SILICON | {"id": "hopper", "system": "h200_sxm"},
        SILICON | qwen | {"id": "ranks", "moe_tp_size": 1.0, "moe_ep_size": 4.0},
        SILICON | {"id": "both", "moe_tp_size": 2.0, "moe_ep_size": 2.0},
        SILICON | {"id": "apart", "tp_size": 1, "moe_tp_size": 4.0},
        SILICON | {"id": "nodes", "tp_size": 16, "moe_tp_size": 16.0},
    ]
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    found = {run.row: run for run in measured_runs(path)}
    assert list(found) == ["x", "hopper", "ranks"]
    formats = {name: (r.weight_dtype, r.expert_dtype, r.kv_dtype) for name, r in found.items()}
    assert formats["x"] == ("bf16", "mxfp4", "fp8")
    assert formats["hopper"] == ("bf16", "mxfp4", "bf16")
    assert formats["ranks"] == ("fp8", None, "fp8")
    assert [r.expert_parallel for r in found.values()] == [False, False, True]


GPT_OSS = replace(PLAIN, model="gpt-oss-120b", expert_dtype="mxfp4")


def test_serving_numbers_of_experts_are_found_and_those_of_dense_models_stay() -> None:
    calibration = load_part(find("calibration", "b200-sxm.vllm"), Calibration)
    truth = ExpertsServing(experts_ratio=0.6, kernel_ratio=0.8, step_s=2e-3, sequence_s=3e-5, fitted=BY)
    experts = {"mxfp4": calibration.experts["mxfp4"].model_copy(update={"serving": truth})}
    made = calibration.model_copy(update={"experts": experts})
    preset = {"gpt-oss-120b": architecture("gpt-oss-120b")}
    runs = [
        replace(GPT_OSS, tp=tp, concurrency=n, prompt_tokens=prompt)
        for tp, n, prompt in itertools.product((1, 2, 4), (1, 8, 64), (256, 1024, 4096))
    ]
    runs = [
        replace(r, tpot_s=estimate(BoundCalibrated(made, deployment_of(r, B200, preset[r.model])), r))
        for r in runs
    ]
    found = calibrate_experts(calibration, B200, runs, preset)
    serving = found.experts["mxfp4"].serving
    assert serving is not None
    assert serving.experts_ratio == pytest.approx(0.6, rel=0.02)
    assert serving.kernel_ratio == pytest.approx(0.8, rel=0.02)
    assert serving.step_s == pytest.approx(2e-3, rel=0.02)
    assert serving.sequence_s == pytest.approx(3e-5, rel=0.02)
    assert serving.fitted.held_out_rows == sum(r.held_out for r in runs)
    assert serving.largest_batch == 64
    assert found.serving == calibration.serving
    assert calibrate_experts(calibration, B200, runs[:10], preset).experts["mxfp4"].serving is None


def test_steps_of_a_users_engine_replace_what_was_known_of_running_experts(tmp_path: Path) -> None:
    calibration = load_part(find("calibration", "b200-sxm.vllm"), Calibration)
    assert calibration.experts["mxfp4"].serving is not None
    plan = deployment_of(GPT_OSS, B200, architecture("gpt-oss-120b"))
    pairs = list(itertools.product((1, 2, 4, 8, 16, 32, 64), (100, 200, 500, 1000, 2000, 4000, 8000, 9000)))
    text = "".join(f"{n},{n * c},0.005\n" for n, c in pairs)
    path = tmp_path / "steps.csv"
    path.write_text("sequences,context_tokens,step_s\n" + text, encoding="utf-8")
    found = calibrate_steps(calibration, {1: plan}, read_steps(path), "made up")
    assert all(fit.serving is None for fit in found.experts.values())


def test_a_fit_to_steps_of_a_mixture_starts_from_what_its_runs_told() -> None:
    # One GPU and no prompts: neither all-reduces nor prompts show, and experts move as the products do.
    calibration = load_part(find("calibration", "b200-sxm.vllm"), Calibration)
    plan = deployment_of(GPT_OSS, B200, architecture("gpt-oss-120b"))
    shipped = BoundCalibrated(calibration, plan)
    pairs = itertools.product((1, 2, 4, 8, 16, 32, 64), (100, 200, 500, 1000, 2000, 4000, 8000, 9000))
    steps = pd.DataFrame([(n, n * c) for n, c in pairs], columns=["sequences", "context_tokens"])
    steps = steps.assign(
        tp=1, longest_tokens=0, prefill_tokens=0, prefill_sequences=0, prefill_past_tokens=0, step_s=1.0
    )
    asked = loads(steps, plan.attention)
    steps["step_s"] = [float(shipped.step_seconds(load)) for load in asked]
    found = BoundCalibrated(calibrate_steps(calibration, {1: plan}, steps, "made up"), plan)
    assert found.serving.prompt_ratio == shipped.serving.prompt_ratio
    assert found.serving.kernel_ratio == pytest.approx(shipped.serving.kernel_ratio, rel=0.02)
    # The shipped numbers have one ratio for all kernels but the experts, and attention with it reads faster
    # than the memory, which no fit to steps may.
    assert shipped.serving.attention_ratio < found.serving.attention_ratio
    for load in asked:
        assert found.step_seconds(load) == pytest.approx(float(shipped.step_seconds(load)), rel=0.02)
