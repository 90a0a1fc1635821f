"""Fits find the numbers behind made-up timings, and leave out what their rules say."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))
sys.path.insert(0, str(Path(__file__).parent))

from deployments import architecture, gpu
from plain_run import PLAIN

from simulator.calibrate.bounds import table_bounds
from simulator.calibrate.files import fits, table, to_json
from simulator.calibrate.fitting import Errors, rounded
from simulator.calibrate.operations import (
    fit_allreduce,
    fit_decode_attention,
    fit_gemm,
    fit_prefill_attention,
    fit_selection,
)
from simulator.calibrate.runs import ServingRun, believable, measured_runs
from simulator.calibrate.serving import calibrate_serving, estimate_terms
from simulator.calibrate.splits import held_out
from simulator.calibrate.tables import Timings
from simulator.calibrate.unknowns import NUMBERS
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import ServingFit
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

B200 = gpu()
SIDES = (256, 512, 1024, 2048, 4096, 8192)


def gemm_rows(noise: float = 0.0) -> pd.DataFrame:
    shapes = list(itertools.product((1, 8, 64, 256, 1024, 4096), SIDES, SIDES))
    m, n, k = (np.array(column, dtype=float) for column in zip(*shapes, strict=True))
    compute = 2 * np.ceil(m / 64) * 64 * n * k / (0.7 * 2.25e15)
    traffic = 2 * (m * k + k * n + m * n) / (0.8 * B200.hbm_bandwidth_bytes_per_s.value)
    seconds = 3e-6 + ((compute) ** 2 + (traffic) ** 2 + (4e-10 * k) ** 2) ** 0.5
    seconds *= 1.0 + noise * np.sin(np.arange(len(m)) * 12.9898)
    return pd.DataFrame({"dtype": "bf16", "m": m, "n": n, "k": k, "seconds": seconds})


def test_a_product_fit_finds_the_numbers_behind_the_timings() -> None:
    found = fit_gemm(Timings(gemm_rows(), "made up"), "bf16", B200)
    assert found is not None
    assert found.launch_s == pytest.approx(3e-6, rel=0.01)
    assert found.compute_ratio == pytest.approx(0.7, rel=0.01)
    assert found.memory_ratio == pytest.approx(0.8, rel=0.01)
    assert found.sharpness == pytest.approx(2.0, rel=0.02)
    assert found.inner_s == pytest.approx(4e-10, rel=0.02)
    assert found.fitted.median_error_ratio is not None
    assert found.fitted.median_error_ratio < 1e-3


def test_noise_shows_in_the_error_and_hardly_in_the_numbers() -> None:
    found = fit_gemm(Timings(gemm_rows(noise=0.1), "made up"), "bf16", B200)
    assert found is not None
    assert found.compute_ratio == pytest.approx(0.7, rel=0.05)
    assert found.fitted.median_error_ratio is not None
    assert 0.03 < found.fitted.median_error_ratio < 0.1


def test_a_fit_is_repeatable_to_the_last_digit() -> None:
    one, two = (fit_gemm(Timings(gemm_rows(noise=0.2), "made up"), "bf16", B200) for _ in range(2))
    assert one == two


def test_decode_and_prefill_attention_are_found() -> None:
    shapes = list(
        itertools.product((1, 4, 16, 64, 256), ((32, 8), (16, 4), (8, 1), (64, 8)), (64, 512, 4096, 32768))
    )
    batch = np.array([float(b) for b, _, _ in shapes])
    heads, kv = (np.array([float(pair[i]) for _, pair, _ in shapes]) for i in (0, 1))
    context = np.array([float(c) for _, _, c in shapes])
    rows = pd.DataFrame({"dtype": "bf16", "batch": batch, "heads": heads, "kv_heads": kv, "context": context})
    traffic = 4 * 128 * batch * context * kv
    small, bandwidth = B200.l2_bytes.value, B200.hbm_bandwidth_bytes_per_s.value
    moving = np.minimum(traffic, small) / (0.6 * bandwidth) + np.maximum(traffic - small, 0) / (
        0.9 * bandwidth
    )
    seconds = 9e-6 + (moving**4 + (1e-8 * batch * kv) ** 4) ** 0.25
    found = fit_decode_attention(Timings(rows.assign(seconds=seconds), "made up"), "bf16", B200)
    assert found is not None
    assert found.squarings == 2
    assert found.memory_ratio == pytest.approx(0.9, rel=0.01)
    assert found.small_ratio == pytest.approx(0.6, rel=0.02)
    flops = 2 * batch * context * (context + 1) * heads * 128
    seconds = 2e-5 + flops / (0.5 * 2.25e15) + 3e-10 * batch * context * heads
    rows = rows.assign(seconds=seconds)
    prefill = fit_prefill_attention(
        Timings(pd.concat([rows] * 2, ignore_index=True), "made up"), "bf16", B200
    )
    assert prefill is not None
    assert prefill.compute_ratio == pytest.approx(0.5, rel=0.01)


def test_all_reduces_keep_every_point_and_judge_every_second() -> None:
    sizes = 2.0 ** np.arange(10, 26)
    rows = pd.DataFrame({"gpus": 8, "message_bytes": sizes, "seconds": 1e-5 + sizes / 1e11})
    found = fit_allreduce(Timings(rows, "made up"), 8)
    assert found is not None
    assert len(found.knots) == len(sizes)
    assert (found.fitted.rows, found.fitted.held_out_rows) == (len(sizes), 0)
    assert found.fitted.median_error_ratio is not None
    assert 0.0 < found.fitted.median_error_ratio < 0.1
    assert fit_allreduce(Timings(rows, "made up"), 4) is None


@pytest.mark.parametrize(("factor", "kept"), [(10.0, False), (2.2, False), (1.9, True), (0.1, True)])
def test_a_point_that_no_algorithm_takes_beside_its_neighbours_is_left_out(
    factor: float, *, kept: bool
) -> None:
    sizes = 2.0 ** np.arange(10, 26)
    seconds = np.where(np.arange(16) == 2, factor, 1.0) * (1e-5 + sizes / 1e11)
    rows = pd.DataFrame({"gpus": 8, "message_bytes": sizes, "seconds": seconds})
    found = fit_allreduce(Timings(rows, "made up"), 8)
    assert found is not None
    assert (sizes[2] in dict(found.knots)) == kept
    assert found.fitted.rows == len(found.knots) == len(sizes) - (not kept)


def test_a_slower_algorithm_from_some_size_on_is_no_peak() -> None:
    sizes = 2.0 ** np.arange(10, 26)
    seconds = np.where(sizes >= 2**15, 5e-5, 5e-6) + sizes / 1e11
    found = fit_allreduce(
        Timings(pd.DataFrame({"gpus": 8, "message_bytes": sizes, "seconds": seconds}), "a"), 8
    )
    assert found is not None
    assert len(found.knots) == len(sizes)


def test_the_table_says_that_all_reduces_are_judged_between_points_that_ship() -> None:
    rows = [row for row in table(B200.calibrations["vllm"]) if row[0] == "all-reduce"]
    assert rows
    for row in rows:
        points = row[-1].split()[0]
        assert row[2:4] == (points, "0")
        assert "all in use: the error is of every second, between its neighbours" in row[-1]


def test_numbers_at_a_bound_are_kept_told_and_left_out_where_there_are_none() -> None:
    calibration = load_part(find("calibration", "h100-sxm.sglang"), Calibration)
    assert calibration.serving is not None
    ended = dict(calibration.serving.fitted.at_bound)
    assert ended == {"prompt_ratio": "least", "sequence_s": "least"}
    text = to_json(calibration)
    assert '"at_bound": {}' not in text
    assert Calibration.model_validate_json(text) == calibration
    (row,) = [row for row in table(calibration) if row[0] == "serving"]
    assert row[-1].endswith("; at a bound: prompt_ratio (least), sequence_s (least)")
    assert (
        "serving: at a bound of the fit, so not measured: prompt_ratio (least), sequence_s (least); timings "
        "of other shapes or loads would tell"
    ) in table_bounds(fits(calibration))


def test_too_few_rows_are_not_fitted() -> None:
    assert fit_gemm(Timings(gemm_rows().head(20), "made up"), "bf16", B200) is None
    assert fit_gemm(Timings(gemm_rows(), "made up"), "fp8", B200) is None


def test_shapes_are_held_out_whole_and_the_same_everywhere() -> None:
    rows = gemm_rows()
    out = held_out(rows, ["n", "k"])
    assert 0.05 < out.mean() < 0.4
    by_shape = pd.Series(out).groupby([rows["n"], rows["k"]]).nunique()
    assert (by_shape == 1).all()
    assert (held_out(rows.iloc[::-1], ["n", "k"])[::-1] == out).all()


def test_errors_are_told_by_size_and_by_sign() -> None:
    found = Errors.of(np.array([1.1, 0.8, 1.0]), np.ones(3))
    assert found is not None
    assert (found.rows, rounded(found.median_ratio), rounded(found.bias_ratio)) == (3, 0.1, 0.0)
    assert Errors.of(np.array([]), np.array([])) is None


def test_serving_numbers_are_found_from_made_up_runs() -> None:
    calibration = load_part(find("calibration", "b200-sxm.vllm"), Calibration)
    assert calibration.serving is not None
    truth = calibration.serving.model_copy(
        update={
            "kernel_ratio": 0.95,
            "attention_ratio": 1.02,
            "allreduce_ratio": 0.98,
            "prompt_ratio": 1.03,
            "layer_s": 1e-5,
            "step_s": 2e-3,
            "sequence_s": 3e-5,
        }
    )
    # Two models: with one alone, time per layer and time per step are the same thing.
    preset = {name: architecture(name) for name in ("qwen3-8b", "qwen3-32b")}
    plain = [
        replace(PLAIN, model=model, tp=tp, concurrency=n, prompt_tokens=prompt)
        for model in preset
        for tp in (1, 2, 4, 8)
        for n in (1, 4, 16, 64, 256)
        for prompt in (256, 1024, 4096)
    ]
    runs = [replaced(r, truth, calibration, preset) for r in plain]
    found = calibrate_serving(calibration, B200, runs, preset).serving
    assert found is not None
    assert found.kernel_ratio == pytest.approx(0.95, rel=0.02)
    assert found.step_s == pytest.approx(2e-3, rel=0.05)
    assert found.sequence_s == pytest.approx(3e-5, rel=0.1)
    assert found.fitted.held_out_rows == sum(r.held_out for r in runs)
    assert found.fitted.p90_error_ratio is not None
    assert found.fitted.p90_error_ratio < 0.02
    assert calibrate_serving(calibration, B200, runs[:10], preset) == calibration


def replaced(
    plain: ServingRun, truth: ServingFit, calibration: Calibration, presets: dict[str, Architecture]
) -> ServingRun:
    """Return `plain` with the time that the estimate gives for known numbers."""
    numbers = np.array([getattr(truth, name) for name in NUMBERS])
    (terms,) = estimate_terms(calibration, B200, plain, presets[plain.model])
    return replace(plain, tpot_s=float(terms @ numbers))


def test_runs_that_cannot_be_true_are_left_out() -> None:
    model = architecture(PLAIN.model)
    assert believable(PLAIN, model, B200)
    assert not believable(replace(PLAIN, ttft_s=11.0), model, B200)
    h100 = load_part(find("gpu", "h100-sxm"), Gpu)
    assert not believable(replace(PLAIN, weight_dtype="fp4"), model, h100)
    # 256 prompts of 8192 tokens for 64 outputs of 5 ms: 7.6 of the peak.
    crowded = replace(PLAIN, concurrency=256, prompt_tokens=8192, output_tokens=64, tpot_s=0.005)
    assert not believable(crowded, model, B200)
    # 8 GB of weights cannot be read in 0.2 ms from 8 TB/s.
    assert not believable(replace(PLAIN, tpot_s=2e-4, concurrency=1), model, B200)


def test_measured_runs_are_read_by_their_rules(tmp_path: Path) -> None:
    row = {
        "id": "x",
        "silicon_data_source": "silicon_concurrency=32; measured=2026",
        "backend": "vllm",
        "backend_version": "0.12.0",
        "model_path": "Qwen/Qwen3-32B",
        "system": "h100_sxm",
        "precision": None,
        "mode": "agg",
        "isl": 1024,
        "osl": 128,
        "gemm_quant_mode": None,
        "batch_size": 16,
        "tp_size": 2,
        "pp_size": 1,
        "attention_dp_size": None,
        "silicon_ttft_ms": 50.0,
        "silicon_tpot_ms": 12.0,
    }
    rows = [
        row,
        row | {"id": "again"},
        row | {"id": "apart", "mode": "disagg"},
        row | {"id": "pipeline", "pp_size": 2},
        row | {"id": "other", "model_path": "someone/else"},
        row | {"id": "narrow", "gemm_quant_mode": "fp8", "silicon_tpot_ms": 9.0},
    ]
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    found = measured_runs(path)
    assert [r.row for r in found] == ["x", "narrow"]
    assert (found[0].concurrency, found[0].tpot_s, found[0].kv_dtype) == (32, 0.012, "bf16")
    assert (found[1].weight_dtype, found[1].kv_dtype) == ("fp8", "fp8")


@pytest.mark.parametrize(("one_sequence_s", "shipped"), [(0.0, True), (2e-7, False)])
def test_block_selection_unlike_the_form_is_not_shipped(one_sequence_s: float, *, shipped: bool) -> None:
    shapes = list(itertools.product((1.0, 8.0, 64.0, 256.0), (8.0, 16.0, 64.0), 2.0 ** np.arange(4, 18)))
    batch, heads, context = (np.array(column) for column in zip(*shapes, strict=True))
    bandwidth = B200.hbm_bandwidth_bytes_per_s.value
    gathered = batch * np.minimum(context, 2048) * np.maximum(1.0, heads / 16) * 512 / (0.5 * bandwidth)
    scanned = batch * context * 256 / (0.6 * bandwidth)
    # A lone thread block that scans a sequence takes as long for one as for many.
    seconds = 2e-5 + np.where(context >= 1024, gathered + np.maximum(scanned, one_sequence_s * context), 0.0)
    columns = {"batch": batch, "heads": heads, "context": context, "seconds": seconds}
    dense = B200.calibrations["vllm"].decode_attention["bf16"]
    found = fit_selection(Timings(pd.DataFrame({"dtype": "bf16"} | columns), "made up"), dense, B200)
    assert (found is not None) == shipped
    if found is not None:
        assert found.gather_ratio == pytest.approx(0.5, rel=0.1)
        assert found.scan_ratio == pytest.approx(0.6, rel=0.1)
