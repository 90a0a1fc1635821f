"""Published benchmark results: the tools' own files, and servers calibrated on a part of their runs.

Data lie beside a checkout and are not part of the project; without them these tests skip.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "measured"))
sys.path.insert(0, str(Path(__file__).parent))

from bench_files import summary, vllm, write
from deployments import deployment, gpu
from page import PAGE, figures, numbers

from simulator.calibrate.bench import LADDER, NUMBERS, BenchFit, Rung, calibrate_bench, solved
from simulator.calibrate.points import check_points, points_of, terms_of
from simulator.calibrate.unknowns import bounds_of
from simulator.deployment import Deployment
from simulator.errors import TraceFormatError
from simulator.hardware import Calibration
from simulator.measured import BenchRun, read_runs, requests_in_flight, token_seconds

READ = {
    "vllm_bench/0.25.1_STUBSERVER_append-result.json": [(4, "max_concurrency"), (8, "max_concurrency")],
    "vllm_bench/0.25.1_STUBSERVER_save-detailed.json": [(2.582, "latency of each request")],
    "vllm_bench/2025-09_summary_gpt-oss-120b_2p2d_conc32.json": [(32, "max_concurrency")],
    "vllm_bench/2026-06_summary_gpt-oss-120b_dgx-spark_conc8.json": [(8, "max_concurrency")],
    "inferencex/raw_benchmark_serving_qwen3.5-397b_tp4_conc64_mi355x.json": [(64, "max_concurrency")],
    "sglang_bench_serving/0.5.23_STUBSERVER_output-details.jsonl": [(2.663, "latency of each request")],
}
"""Requests in flight of the sample files. The file with ``output-details`` says 2.6634 itself."""


def sample(shared_data: Path, name: str) -> Path:
    path = shared_data / "formats" / name
    if not path.is_file():
        pytest.skip(f"needs formats/{name} beside the checkout")
    return path


@pytest.mark.parametrize("name", READ)
def test_files_of_the_tools_are_read(shared_data: Path, name: str) -> None:
    found = [requests_in_flight(run) for run in read_runs(sample(shared_data, name))]
    assert [(known.value, known.basis) for known in found] == [
        (pytest.approx(value, rel=1e-3), basis) for value, basis in READ[name]
    ]


def test_lines_of_sglang_of_2024_have_a_time_per_token_where_few_waited(shared_data: Path) -> None:
    runs = read_runs(
        sample(shared_data, "sglang_bench_serving/2024-12_8xh200_llama_405b_online_output.jsonl")
    )
    assert runs[0].tpot_s is None
    assert token_seconds(runs[0]).value == pytest.approx((24.3708 - 0.2188) / (160347 / 300 - 1), rel=1e-4)
    with pytest.raises(TraceFormatError, match="jsonl:4: mean_tpot_ms is missing"):  # the median waited 25 s
        token_seconds(runs[3])


def test_lists_cut_to_80_of_1000_requests_are_refused(shared_data: Path) -> None:
    name = "vllm_bench/2024-11_detailed_llama405b-fp8_8xh100_16qps.first80.json"
    with pytest.raises(TraceFormatError, match="ttfts: 80 requests, but 1000 completed"):
        read_runs(sample(shared_data, name))


def fitted_to(runs: list[BenchRun], plan: Deployment) -> BenchFit:
    points = points_of(runs)
    check_points(points, plan)
    return calibrate_bench(plan.gpu.calibrations["vllm"], plan, points, "published")


def errors(fit: BenchFit, runs: list[BenchRun], plan: Deployment) -> np.ndarray:
    """Return the errors of a fit's numbers on `runs`."""
    points = points_of(runs)
    estimates = calibrate_bench(fit.calibration, plan, points, "published").before_s
    return np.array(estimates) / [point.token.value for point in points] - 1.0


@pytest.fixture
def gpustack(shared_data: Path, tmp_path: Path) -> list[BenchRun]:
    """Return the published rows (Qwen3-8B, one H100, vLLM 0.11, ShareGPT) as the tool would write them."""
    table = shared_data / "measured" / "gpustack_qwen3_8b_h100.csv"
    if not table.is_file():
        pytest.skip("needs measured/gpustack_qwen3_8b_h100.csv beside the checkout")
    objects = []
    for row in pd.read_csv(table).itertuples():
        run = summary(
            concurrency=row.max_concurrency,
            tpot_s=row.tpot_mean_ms / 1e3,
            ttft_s=row.ttft_mean_ms / 1e3,
            prompt=row.total_input_tokens / row.num_requests,
            output=row.total_output_tokens / row.num_requests,
            requests=row.num_requests,
        )
        rates = {"request_throughput": row.num_requests / row.duration_s}
        rates["output_throughput"] = row.total_output_tokens / row.duration_s
        objects.append(vllm(run) | rates | {"duration": row.duration_s})
    return read_runs(write(tmp_path / "gpustack.json", *objects))


def test_one_or_two_runs_of_a_server_predict_its_others(gpustack: list[BenchRun]) -> None:
    plan = deployment("qwen3-8b", on=gpu("h100-sxm"))
    before = np.array(fitted_to(gpustack, plan).before_s) / [run.tpot_s or math.nan for run in gpustack] - 1
    assert before == pytest.approx([0.059, 0.057, 0.079, 0.077], abs=0.003)
    worst = 0.0
    for size in (1, 2):
        for seen in combinations(gpustack, size):
            unseen = [run for run in gpustack if run not in seen]
            worst = max(worst, np.abs(errors(fitted_to(list(seen), plan), unseen, plan)).max())
    assert worst < 0.025


def test_both_pages_tell_the_same_of_that_server() -> None:
    # The example of the other page is run with the tests of the docs.
    example = (PAGE.parent / "calibration.md").read_text(encoding="utf-8")
    rows = [line.split() for line in example.splitlines() if line.startswith("bench.json:")]
    before, after = ([abs(numbers(row[place])[0]) for row in rows] for place in (8, 9))
    told = figures(r"predicted ([\d.]+ to [\d.]+) % too slow by the shipped numbers and within ([\d.]+) %")
    assert told == [min(before), max(before), max(after)]


SWEEP_GPUS = {"H100 SXM": "h100-sxm", "B200": "b200-sxm"}
SWEEP_MODELS = {"Qwen/Qwen3-32B": "qwen3-32b", "meta-llama/Llama-3.1-70B": "llama-3.1-70b"}
DRAWS = 6


def sweeps(shared_data: Path) -> Iterator[tuple[Deployment, Calibration, list[BenchRun]]]:
    """Yield published sweeps of one server each, at least 18 runs of dense models under TensorRT-LLM."""
    table = shared_data / "measured" / "aic_silicon.csv"
    if not table.is_file():
        pytest.skip("needs measured/aic_silicon.csv beside the checkout")
    rows = pd.read_csv(table)
    rows = rows[
        rows["model"].isin(SWEEP_MODELS) & rows["gpu"].isin(SWEEP_GPUS) & (rows["engine"] == "trtllm")
    ]
    rows = rows[rows["concurrency"].notna() & (rows["pp"] == 1)]
    for (name, model, tp, weights), group in rows.groupby(["gpu", "model", "tp", "precision"]):
        on = gpu(SWEEP_GPUS[name])
        formats = {"weight_dtype": weights, "kv_dtype": "fp8"} if weights in {"fp8", "fp4"} else {}
        plan = deployment(SWEEP_MODELS[model], tp=int(tp), on=on, **formats)
        runs = [
            summary(
                concurrency=int(row.concurrency),
                tpot_s=row.tpot_ms / 1e3,
                ttft_s=row.ttft_ms / 1e3,
                prompt=row.isl,
                output=row.osl,
                model=None,
            )
            for row in group.itertuples()
        ]
        if len(runs) >= 18:
            yield plan, on.calibrations["trtllm"], runs


def unseen_error(
    calibration: Calibration, rung: Rung, terms: np.ndarray, measured: np.ndarray, seen: np.ndarray
) -> float:
    """Return the mean of median and 90th percentile of the error of a rung's fit on what it has not seen."""
    before = np.array([getattr(calibration.serving, name) for name in NUMBERS])
    bounds = bounds_of(calibration)
    numbers = solved(rung, terms[seen], measured[seen], before=before, bounds=bounds, source="published")
    size = np.abs(terms[~seen] @ numbers / measured[~seen] - 1.0)
    return float(np.median(size) + np.percentile(size, 90)) / 2


@pytest.mark.slow
def test_few_runs_carry_one_factor_and_more_carry_more_numbers(shared_data: Path) -> None:
    """The counts of `LADDER`: below them the next rung gains next to nothing on unseen runs."""
    draw = np.random.default_rng(1)
    found: dict[int, list[list[float]]] = {3: [], 6: [], 12: []}
    for plan, calibration, runs in sweeps(shared_data):
        kept = calibrate_bench(calibration, plan, points_of(runs), "published").points
        terms = np.array([terms_of(calibration, plan, point) for point in kept])
        measured = np.array([point.token.value for point in kept])
        assert calibration.serving is not None
        for count, errors_of_rungs in found.items():
            for _ in range(DRAWS):
                seen = np.isin(np.arange(len(kept)), draw.permutation(len(kept))[:count])
                row = [unseen_error(calibration, rung, terms, measured, seen) for rung in LADDER]
                errors_of_rungs.append(row)
    few, some, many = (np.mean(errors_of_rungs, axis=0) for errors_of_rungs in found.values())
    assert few[0] < 1.05 * few[1]
    assert some[1] < some[0]
    assert many[2] < many[1] < many[0]
