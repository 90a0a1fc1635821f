"""Published results of every tool are read, and give the figures that their headers or their README state.

Data lie beside a checkout and are not part of the project; without them these tests skip.  Files called
STUBSERVER were written against a stub: their layout is genuine, their latencies measure nothing.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path

import pytest

from simulator.errors import TraceFormatError
from simulator.measured import BenchRun, read_measured, read_runs
from simulator.measured.scrapes import scrape_of

VLLM = "vllm_bench"
STUB = f"{VLLM}/0.25.1_STUBSERVER_save-detailed.json"
AIPERF = "aiperf/mi355x_kimi-k2.7_agentic_conc1"
ADA = "aiperf/rtx6000ada_qwen_conc1"
GUIDELLM = "guidellm/0.6.0.dev5_codellama34b_sweep.subset.json"
METRICS = ("vllm_metrics/v0_2024-06_opt-125m.txt", "vllm_metrics/v1_0.25.1_loaded.txt")
NO_REQUESTS = "looks like a trace, which holds no requests"
NO_RESULTS = {
    "README.md": "is no JSON",
    "SHA256SUMS": "is no JSON",
    f"{ADA}/gpu_telemetry_export.jsonl": "is of no benchmark that is known",
    f"{AIPERF}/server_metrics_export.csv": "is no JSON",
    "llmservingsim_bench/rtxpro6000_llama-3.1-8b/meta.json": "is of no benchmark that is known",
    "llmservingsim_bench/rtxpro6000_llama-3.1-8b/timeseries.csv": "is no JSON",
    "torch_profiler/sglang_b300_qwen3-30b-a3b_decode_bs16.json.gz": NO_REQUESTS,
    "torch_profiler/vllm_mi300x_gpt-oss_decode_bs32_full_graph.json.gz": NO_REQUESTS,
    "vllm_bench/2024-11_detailed_llama405b-fp8_8xh100_16qps.first80.json": "80 requests, but 1000 completed",
    "vllm_otel/codellama34b_llm_request_spans.jsonl": "OpenTelemetry spans, which is not read yet",
    **dict.fromkeys(METRICS, "is one scrape of a server's /metrics"),
}
"""Files that hold no results of a benchmark, or not whole ones, and what is said of each."""


def sample(shared_data: Path, name: str) -> Path:
    path = shared_data / "formats" / name
    if not path.is_file():
        pytest.skip(f"needs formats/{name} beside the checkout")
    return path


def one(path: Path) -> BenchRun:
    (run,) = read_runs(path)
    return run


def test_every_sample_is_read_or_refused_for_a_reason(shared_data: Path) -> None:
    folder = shared_data / "formats"
    if not folder.is_dir():
        pytest.skip("needs formats/ beside the checkout")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        told = NO_RESULTS.get(path.relative_to(folder).as_posix())
        if told is None:
            assert read_runs(path), path
            continue
        with pytest.raises(TraceFormatError, match=re.escape(told)) as found:
            read_runs(path)
        assert str(found.value).startswith(str(path))


@pytest.mark.parametrize(
    "name",
    [
        STUB,
        f"{VLLM}/2025-09_summary_gpt-oss-120b_2p2d_conc32.json",
        f"{VLLM}/2026-06_summary_gpt-oss-120b_dgx-spark_conc8.json",
        "inferencex/raw_benchmark_serving_qwen3.5-397b_tp4_conc64_mi355x.json",
    ],
)
def test_summaries_of_vllm_hold_every_mean_and_percentile_of_the_header(shared_data: Path, name: str) -> None:
    path = sample(shared_data, name)
    header, run = json.loads(path.read_text(encoding="utf-8")), one(path)
    told = 0
    for ours, theirs in (("ttft", "ttft"), ("tpot", "tpot"), ("itl", "itl"), ("e2e", "e2el")):
        if f"mean_{theirs}_ms" not in header:
            continue
        found = run.stats[ours]
        assert found.mean == pytest.approx(header[f"mean_{theirs}_ms"] / 1e3)
        assert found.std == pytest.approx(header[f"std_{theirs}_ms"] / 1e3)
        for key, value in header.items():
            match = re.fullmatch(rf"p([\d.]+)_{theirs}_ms", key)
            if match:
                told += 1
                assert found.percentiles[float(match[1])] == pytest.approx(value / 1e3)
    assert told >= 3


def test_the_lists_of_the_stub_give_the_header_of_the_stub(shared_data: Path) -> None:
    run = one(sample(shared_data, STUB))
    requests = run.requests
    assert requests is not None
    assert requests.start_s is not None
    ends = requests.end_to_end_s()
    assert sum(requests.ttft_s) / 48 == pytest.approx(37.2477e-3, rel=1e-5)
    assert sum(ends) / 48 == pytest.approx(461.078e-3, rel=1e-5)
    tokens = requests.token_seconds()
    assert sum(tokens) / 48 == pytest.approx(run.tpot_s, rel=1e-5)
    assert run.gap_cv == pytest.approx(0.5**-0.5)


def test_lists_without_times_give_lengths(shared_data: Path) -> None:
    run = one(sample(shared_data, "inferencex/raw_benchmark_serving_qwen3.5-397b_tp4_conc64_mi355x.json"))
    assert run.requests is None
    assert run.lengths is not None
    assert [sum(column) for column in run.lengths] == [4_729_077, 588_102]


def test_a_header_of_2024_is_read_where_its_cut_lists_are_left_out(shared_data: Path, tmp_path: Path) -> None:
    path = sample(shared_data, f"{VLLM}/2024-11_detailed_llama405b-fp8_8xh100_16qps.first80.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    kept = {key: value for key, value in values.items() if not isinstance(value, list)}
    (tmp_path / "whole.json").write_text(json.dumps(kept), encoding="utf-8")
    run = one(tmp_path / "whole.json")
    means = [run.ttft_s, run.itl_s, run.tpot_s]
    assert means == pytest.approx([1.48639, 0.09949, 0.10654], rel=1e-4)
    assert run.request_rate_per_s == 16.0


def test_lines_of_sglang_hold_what_they_state(shared_data: Path) -> None:
    path = sample(shared_data, "sglang_bench_serving/0.5.23_STUBSERVER_output-details.jsonl")
    header, run = json.loads(path.read_text(encoding="utf-8").splitlines()[0]), one(path)
    assert run.stats["e2e"].percentiles[95.0] == pytest.approx(header["p95_e2e_latency_ms"] / 1e3)
    assert run.requests is not None
    assert sum(run.requests.ttft_s) / 32 == pytest.approx(header["mean_ttft_ms"] / 1e3)


def test_the_summary_of_aiperf_holds_the_figures_of_its_readme(shared_data: Path) -> None:
    run = one(sample(shared_data, f"{AIPERF}/profile_export_aiperf.json"))
    assert (run.completed, run.max_concurrency, run.model) == (195, 1, "amd/Kimi-K2.7-Code-MXFP4")
    means = [run.ttft_s, run.tpot_s, run.e2e_s, run.prompt_tokens, run.output_tokens]
    assert means == pytest.approx([10.2591, 0.013206, 25.4634, 97031.7, 1092.4], rel=1e-4)
    assert run.output_rate() == pytest.approx(58.682, rel=1e-4)


def test_all_lines_of_aiperf_give_its_summary(shared_data: Path, tmp_path: Path) -> None:
    packed = shared_data / "traces" / "agentic" / "inferencex_kimi-k2.7_agentic_conc1.profile_export.jsonl.gz"
    if not packed.is_file():
        pytest.skip("needs traces/agentic/...profile_export.jsonl.gz beside the checkout")
    (tmp_path / "all.jsonl").write_bytes(gzip.decompress(packed.read_bytes()))
    run, summary = (
        one(tmp_path / "all.jsonl"),
        one(sample(shared_data, f"{AIPERF}/profile_export_aiperf.json")),
    )
    assert run.completed == summary.completed
    assert run.notes == ("1 warm-up requests are left out",)
    for name in ("ttft", "tpot", "itl", "e2e"):
        found, stated = run.stats[name], summary.stats[name]
        assert found.mean == pytest.approx(stated.mean, rel=1e-9)
        for percent in (50.0, 90.0, 99.0):
            assert found.percentiles[percent] == pytest.approx(stated.percentiles[percent], rel=1e-9)


def test_the_table_of_aiperf_agrees_with_its_summary(shared_data: Path) -> None:
    table, summary = (
        one(sample(shared_data, f"{AIPERF}/profile_export_aiperf.{kind}")) for kind in ("csv", "json")
    )
    assert table.tool == "AIPerf"
    for name in ("ttft", "tpot", "itl", "e2e"):
        assert table.stats[name].mean == pytest.approx(summary.stats[name].mean, rel=1e-3)
    assert (table.completed, table.duration_s) == (195, pytest.approx(summary.duration_s, rel=1e-5))


def test_lines_of_an_older_aiperf_are_read(shared_data: Path) -> None:
    run = one(sample(shared_data, f"{ADA}/profile_export.jsonl"))
    assert (run.completed, run.prompt_tokens, run.model) == (10, 100.0, "Qwen/Qwen3-0.6B")
    assert run.notes == ("profile_export_aiperf.json beside it counts 64 requests, but 10 are here",)
    assert run.requests is not None
    assert run.requests.ttft_s[0] == pytest.approx(31.742934e-3)
    assert len(run.requests.itl_s[0]) == 199


def test_quoted_thousands_of_genai_perf_are_numbers(shared_data: Path) -> None:
    run = one(sample(shared_data, "genai_perf/profile_genai_perf.docs_sample.csv"))
    assert run.tool == "GenAI-Perf"
    means = [run.ttft_s, run.tpot_s, run.e2e_s, run.prompt_tokens, run.output_tokens]
    assert means == pytest.approx([1.14631, 0.03035, 6.4062, 3000.05, 174.45])
    assert run.stats["ttft"].percentiles[99.0] == pytest.approx(3.45797)
    assert (run.completed, run.requests_per_s, run.output_tokens_per_s) == (40, 1.5, 261.25)


def test_a_table_of_configurations_holds_a_run_a_row(shared_data: Path) -> None:
    runs = read_runs(sample(shared_data, "genai_perf/analyze_export_genai_perf.csv"))
    assert [run.line for run in runs] == [2, 3, 4, 5, 6]
    assert {(run.max_concurrency, run.prompt_tokens) for run in runs} == {(32, 200.0)}
    assert runs[0].stats["ttft"].percentiles == {99.0: pytest.approx(0.18443)}
    assert runs[0].output_tokens == pytest.approx(1134.92 / 10.12)


def test_reports_of_guidellm_hold_a_run_a_benchmark(shared_data: Path) -> None:
    runs = read_runs(sample(shared_data, GUIDELLM))
    assert [(run.completed, run.max_concurrency, run.request_rate_per_s) for run in runs] == [
        (40, 1, math.inf),
        (40, 512, math.inf),
    ]
    assert [run.ttft_s for run in runs] == pytest.approx([0.905625, 18.70356], rel=1e-5)
    assert [run.e2e_s for run in runs] == pytest.approx([1.678904, 19.54278], rel=1e-5)
    assert [run.itl_s for run in runs] == pytest.approx([0.0260462, 0.0280757], rel=1e-5)
    assert runs[0].notes == ("the report lists 3 of 40 requests: its summary alone is taken",)


def test_layouts_of_guidellm_before_and_after_are_read(shared_data: Path) -> None:
    old = one(sample(shared_data, "guidellm/2025-09_legacy_layout_constant10rps.subset.json"))
    assert (old.completed, old.request_rate_per_s, old.gap_cv) == (586, 10.0, 0.0)
    assert [old.ttft_s, old.tpot_s, old.e2e_s] == pytest.approx([1.0062144, 0.0104239, 2.3300956], rel=1e-5)
    new = read_runs(sample(shared_data, "guidellm/0.8.0.dev18_v2_layout_mockserver.json"))
    assert [run.request_rate_per_s for run in new] == [2.0, 4.0]
    assert [run.prompt_tokens for run in new] == [71.5, 65.5]


def test_the_nested_aggregate_is_the_run_of_its_aiperf_files(shared_data: Path) -> None:
    run = one(sample(shared_data, "inferencex/bmk_agentic_kimik2.7_tp4_conc1_mi355x.json"))
    means = [run.ttft_s, run.tpot_s, run.e2e_s, run.prompt_tokens, run.output_tokens]
    assert means == pytest.approx([10.25911, 0.01321, 25.4634, 97031.67179, 1092.39487])
    assert run.stats["e2e"].percentiles[95.0] == 101.01043
    assert run.stated == {"gpu": "cluster:mi355x-amds", "tp": "4", "precision": "fp4", "engine": "vllm"}


def test_the_flat_aggregate_counts_users(shared_data: Path) -> None:
    run = one(sample(shared_data, "inferencex/agg_agentic_dsr1_fp4_b200_tp4_users128.json"))
    assert (run.max_concurrency, run.completed, run.failed) == (128, 152, 119)
    assert [run.ttft_s, run.itl_s, run.e2e_s] == pytest.approx([397.53747, 0.0899585, 645.81615], rel=1e-6)


def test_an_aggregate_of_fixed_lengths_gives_the_lengths_that_were_drawn(shared_data: Path) -> None:
    run = one(sample(shared_data, "inferencex/agg_kimik2.5_8k1k_int4_vllm_tp8_mtp_conc32_mi355x.json"))
    # The tool draws from 80 to 100 % of 8192 and 1024.
    assert run.output_tokens == pytest.approx(0.9 * 1024, rel=0.01)
    assert run.prompt_tokens == pytest.approx(0.9 * 8192, rel=0.01)
    assert run.output_tokens_per_s == pytest.approx(8 * 17.5705727)
    assert run.tokens_per_step == pytest.approx(0.63016 / 0.22411, rel=1e-4)


def test_requests_of_the_other_simulator_give_its_published_means(shared_data: Path) -> None:
    run = one(sample(shared_data, "llmservingsim_bench/rtxpro6000_llama-3.1-8b/requests.jsonl"))
    assert [run.ttft_s, run.tpot_s] == pytest.approx([7.10, 32.46e-3], rel=1e-3)


@pytest.mark.parametrize(
    ("folder", "ttft_s", "tpot_s", "e2e_s", "makespan_s"),
    [
        ("llmservingsim/RTX4090__Llama-3.1-8B", 65.4566, 32.447e-3, 86.5783, 183.5675),
        ("llmservingsim/RTXPRO6000__Llama-3.1-8B", 7.0972, 32.458e-3, 28.2007, 65.9264),
        ("llmservingsim/RTXPRO6000__Qwen3-30B-A3B-Instruct-2507", 1.086, 47.286e-3, 32.3446, 64.0171),
        ("blis_ground_truth/H100__codellama-34b_mixed_lengths", 1.969, 28.805e-3, 22.8472, 2227.4587),
        ("blis_ground_truth/H100__codellama-34b_prefill_budget4096", 1.32, 71.307e-3, 3.4448, 104.5034),
        ("blis_ground_truth/H100__codellama-34b_prefill_budget64", 4.6, 27.314e-3, 5.4297, 248.5252),
    ],
)
def test_runs_in_our_form_give_the_aggregates_of_their_readme(
    shared_data: Path, *, folder: str, ttft_s: float, tpot_s: float, e2e_s: float, makespan_s: float
) -> None:
    path = shared_data / "measured" / folder / "requests.csv"
    if not path.is_file():
        pytest.skip(f"needs measured/{folder} beside the checkout")
    run = one(path)
    found = [run.ttft_s, run.tpot_s, run.e2e_s, run.duration_s]
    assert found == pytest.approx([ttft_s, tpot_s, e2e_s, makespan_s], rel=1e-4)
    assert run.series is not None
    assert max(run.series.running) > 1


@pytest.mark.parametrize(
    ("name", "ttft_s", "itl_s", "e2e_s", "blocks"),
    [
        (METRICS[0], 0.31326723, 0.19016314 / 6, 0.50343037, "7281 of 16 tokens"),
        (METRICS[1], 88.244991 / 664, 998.12251 / 164629, 999.23062 / 600, "25028 of 16 tokens"),
    ],
)
def test_scrapes_differenced_with_a_fresh_server_give_its_sums(
    shared_data: Path, tmp_path: Path, *, name: str, ttft_s: float, itl_s: float, e2e_s: float, blocks: str
) -> None:
    path = sample(shared_data, name)
    text = path.read_text(encoding="utf-8")
    before = tmp_path / "before.txt"
    # What this server said when it had served nothing: the same names, all at 0 but its start.
    before.write_text(re.sub(r"^(vllm:.*) \S+$", r"\1 0.0", text, flags=re.MULTILINE), encoding="utf-8")
    (run,) = read_measured([before, path])
    scrape = scrape_of(path)
    assert run.completed == scrape.value("vllm:e2e_request_latency_seconds_count")
    count = scrape.value("vllm:time_to_first_token_seconds_count")
    assert run.ttft_s == pytest.approx(scrape.value("vllm:time_to_first_token_seconds_sum") / count)
    assert [run.ttft_s, run.itl_s, run.e2e_s] == pytest.approx([ttft_s, itl_s, e2e_s], rel=1e-5)
    assert run.stated == {"kv_blocks": blocks}
    low, high = run.stats["ttft"].bounds[50.0]
    assert low <= run.stats["ttft"].percentiles[50.0] <= high
    assert any(note.startswith("ttft percentiles are interpolated within buckets") for note in run.notes)
