"""Files of other tools than vLLM's and sglang's benchmarks, and of our own: read, or refused by line."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tool_files import (
    CONFIGURATIONS,
    OWN_COLUMNS,
    TABLE,
    aiperf_line,
    guidellm,
    guidellm_request,
    inferencex,
    metric,
    own_table,
    perf_summary,
    save,
    scrape,
    stated,
)

from simulator.calibrate.points import points_of
from simulator.errors import SimulatorError, TraceFormatError
from simulator.measured import BenchRun, Requests, Statistics, read_measured, read_runs, statistics_of

ROWS = [
    ("a", 0.0, 100, 11, 0.15, 0.01, 0.25),
    ("b", 0.5, 200, 1, 0.1, "", 0.1),
    ("c", 0.25, 50, 3, 0.1, 0.05, 0.2),
]


def one(path: Path) -> BenchRun:
    (run,) = read_runs(path)
    return run


def refused(path: Path, *more: Path) -> str:
    with pytest.raises(TraceFormatError) as found:
        read_measured([path, *more])
    return str(found.value).replace(f"{path.parent}/", "")


def requests_of(run: BenchRun) -> Requests:
    assert run.requests is not None
    return run.requests


def test_statistics_take_percentiles_between_ranks() -> None:
    assert statistics_of([]) is None
    found = statistics_of([4.0, math.nan, 1.0, 2.0])
    assert found is not None
    assert found.percentiles == pytest.approx({50.0: 2.0, 90.0: 3.6, 99.0: 3.96})


def test_lines_of_aiperf_are_one_run_in_the_order_of_their_start(tmp_path: Path) -> None:
    warm = aiperf_line(phase="warmup")
    second = aiperf_line(start_s=0.25, input_sequence_length=metric("tokens", 7))
    run = one(save(tmp_path / "a.jsonl", warm, second, aiperf_line()))
    requests = requests_of(run)
    assert (run.tool, run.completed, run.notes) == ("AIPerf", 2, ("1 warm-up requests are left out",))
    assert requests.start_s == (0.0, 0.25)
    assert requests.prompt_tokens == (100, 7)
    assert requests.ttft_s == (0.05, 0.05)
    assert requests.itl_s[0] == pytest.approx((0.01, 0.015))
    assert requests.token_seconds() == pytest.approx([0.0125, 0.0125])
    assert requests.end_to_end_s() == pytest.approx([0.075, 0.075])
    assert run.duration_s == pytest.approx(0.325)


def test_units_of_aiperf_are_read_and_not_assumed(tmp_path: Path) -> None:
    line = aiperf_line(time_to_first_token=metric("s", 0.05), request_latency=metric("us", 75_000.0))
    requests = requests_of(one(save(tmp_path / "a.jsonl", line)))
    assert (requests.ttft_s, requests.e2e_s) == ((0.05,), (pytest.approx(0.075),))


def test_one_token_has_no_time_per_token_and_no_gaps(tmp_path: Path) -> None:
    changes = {"output_sequence_length": metric("tokens", 1), "time_to_first_token": metric("ms", 75.0)}
    line = aiperf_line(**changes, inter_token_latency=None, inter_chunk_latency=None)
    requests = requests_of(one(save(tmp_path / "a.jsonl", line)))
    assert math.isnan(requests.token_seconds()[0])
    assert requests.itl_s == ((),)


def test_failed_requests_of_aiperf_have_no_times(tmp_path: Path) -> None:
    failed = aiperf_line(time_to_first_token=None, request_latency=None) | {"error": {"code": 500}}
    run = one(save(tmp_path / "a.jsonl", failed, aiperf_line()))
    assert (run.completed, run.failed, run.ttft_s) == (1, 1, 0.05)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            [aiperf_line(), aiperf_line(phase="cooldown")],
            "a.jsonl:2: metadata.benchmark_phase: 'cooldown' is",
        ),
        (
            [aiperf_line(request_latency=metric("fortnights", 1.0))],
            "a.jsonl:1: metrics.request_latency.unit: 'fort",
        ),
        ([aiperf_line(time_to_first_token=None)], "a.jsonl:1: metrics.time_to_first_token: is missing"),
        (
            [aiperf_line(request_latency=metric("s", 75.0))],
            "inter_token_latency: 0.0125 s, but the rest of the",
        ),
        (
            [aiperf_line(time_to_first_token=metric("s", 50.0))],
            "50 s is after the whole request, 0.075 s: is its",
        ),
        (
            [aiperf_line(input_sequence_length=metric("tokens", -1))],
            "a.jsonl:1: metrics.input_sequence_length.value",
        ),
        ([aiperf_line(phase="warmup")], "a.jsonl:1: no request of the profiling phase was answered"),
        ([aiperf_line(request_latency=None)] * 9, "a.jsonl: 4 more faults like these"),
    ],
)
def test_wrong_lines_of_aiperf_are_answered_with_their_line(
    tmp_path: Path, lines: list[dict[str, object]], told: str
) -> None:
    assert told in refused(save(tmp_path / "a.jsonl", *lines))


@pytest.mark.parametrize(
    ("changes", "tool", "duration_s"),
    [
        ({}, "GenAI-Perf", 10.0),
        ({"aiperf_version": "0.8.0", "benchmark_duration": {"unit": "sec", "avg": 10.5}}, "AIPerf", 10.5),
    ],
)
def test_summaries_in_json_are_read(
    tmp_path: Path, changes: dict[str, object], tool: str, duration_s: float
) -> None:
    run = one(save(tmp_path / "a.json", perf_summary(**changes)))
    assert (run.tool, run.completed, run.max_concurrency, run.model) == (tool, 20, 4, "Qwen/Qwen3-8B")
    assert run.duration_s == duration_s
    assert run.stats["ttft"] == Statistics(0.05, 0.025, {50.0: 0.05, 90.0: 0.1, 99.0: pytest.approx(0.15)})
    assert (run.prompt_tokens, run.output_tokens, run.output_rate()) == (500.0, 100.0, 200.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"time_to_first_token": stated("min", 50.0)},
            "a.json:1: time_to_first_token.unit: 'min' is not known here",
        ),
        ({"time_to_first_token": 50.0}, "a.json:1: time_to_first_token: 50.0 is no table of unit, avg"),
        (
            {"inter_token_latency": stated("s", 12.5)},
            "request_latency: 1.288, but time_to_first_token + (output",
        ),
        (
            {"output_token_throughput": {"unit": "tokens/sec", "avg": 0.2}},
            "times off: one of them is not in its unit",
        ),
        (
            {"request_count": {"unit": "requests", "avg": -1}},
            "request_count.avg: -1 is no number of 0 or more",
        ),
        ({"request_latency": stated("ms", math.nan)}, "request_latency.avg: nan is no number of 0 or more"),
    ],
)
def test_wrong_summaries_are_answered_with_their_field(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    assert told in refused(save(tmp_path / "a.json", perf_summary(**changes)))


def test_a_table_of_genai_perf_has_sections_and_thousands(tmp_path: Path) -> None:
    run = one(save(tmp_path / "a.csv", TABLE))
    assert (run.tool, run.completed, run.requests_per_s, run.output_tokens_per_s) == (
        "GenAI-Perf",
        40,
        1.5,
        261.25,
    )
    assert run.stats["ttft"].percentiles == pytest.approx({99.0: 3.45797, 90.0: 3.21506, 50.0: 0.64007})
    assert (run.prompt_tokens, run.output_tokens) == (3000.05, 174.45)


def test_a_table_of_configurations_takes_output_from_its_rates(tmp_path: Path) -> None:
    runs = read_runs(save(tmp_path / "a.csv", CONFIGURATIONS))
    assert [(run.line, run.number, run.max_concurrency) for run in runs] == [(2, 1, 32), (3, 2, 16)]
    assert runs[1].output_tokens == pytest.approx(1135.38 / 10.09)
    assert "tokens per second over the requests" in runs[0].notes[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            TABLE.replace("Token (ms)", "Token", 1),
            "a.csv:2: Time To First Token: its unit is None; allowed, in brack",
        ),
        (TABLE.replace("(ms)", "(h)"), "a.csv:2: Time To First Token (h): its unit is 'h'; allowed"),
        (
            TABLE.replace("30.35", "fast"),
            "a.csv:3: Inter Token Latency (ms): 'fast' is not a number of 0 or more",
        ),
        (TABLE.replace("30.35,", ""), "a.csv:3: row: 6 cells, but 7 columns: was the file cut?"),
        (TABLE.replace("Latency (ms)", "Latency (sec)"), "a.csv:4: request latency: 6406, but the whole run"),
        (TABLE[: TABLE.index("3,485")], "a.csv:2: is no CSV: unexpected end of data: was the file cut?"),
        ("Metric,avg\nHTTP Sent (ms),1\n", "a.csv:1: Metric: no latency is known among the rows"),
    ],
)
def test_wrong_tables_are_answered_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    assert told in refused(save(tmp_path / "a.csv", text))


@pytest.mark.parametrize("version", [None, 1, 2])
def test_all_layouts_of_guidellm_are_read(tmp_path: Path, version: int | None) -> None:
    listed = [guidellm_request(0.5 * number, version=version) for number in (2, 0, 1, 3)]
    path = save(tmp_path / "a.json", guidellm(version, listed=listed, type_="constant", rate=2.0))
    run = one(path)
    assert (run.completed, run.request_rate_per_s, run.gap_cv) == (4, 2.0, 0.0)
    requests = requests_of(run)
    assert requests.start_s == pytest.approx((0.0, 0.5, 1.0, 1.5))
    assert (requests.ttft_s[0], requests.end_to_end_s()[0]) == (0.05, 0.24)
    assert requests.token_seconds()[0] == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("strategy", "concurrency", "rate"),
    [
        ({"type_": "synchronous"}, 1, math.inf),
        ({"type_": "concurrent", "streams": 7}, 7, math.inf),
        ({"type_": "throughput", "max_concurrency": 512}, 512, math.inf),
        ({"type_": "poisson", "rate": 3.0}, None, 3.0),
        ({}, None, None),
    ],
)
def test_strategies_of_guidellm_are_loads(
    tmp_path: Path, strategy: dict[str, object], concurrency: int | None, rate: float | None
) -> None:
    run = one(save(tmp_path / "a.json", guidellm(1, **strategy)))
    assert (run.max_concurrency, run.request_rate_per_s, run.gap_cv) == (concurrency, rate, 1.0)


def test_a_sample_of_the_requests_of_guidellm_is_not_taken_for_all(tmp_path: Path) -> None:
    run = one(save(tmp_path / "a.json", guidellm(1, listed=[guidellm_request(0.0, version=1)])))
    assert run.requests is None
    assert run.notes == ("the report lists 1 of 4 requests: its summary alone is taken",)
    # A time per token is not a mean over requests in this layout.
    assert (run.tpot_s, run.itl_s) == (None, 0.01)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (
            {"metadata": {"version": 3}, "benchmarks": [{}]},
            "a.json:1: metadata: version 3 is not known; read are",
        ),
        ({"benchmarks": []}, "a.json:1: benchmarks: a list is no list of benchmarks"),
        ({"benchmarks": [1]}, "a.json:1: benchmarks: entry 1, 1, is no object"),
        ({"benchmarks": [{}]}, "a.json:1: benchmarks[1].metrics: is missing or no object"),
        (
            {"benchmarks": [{"metrics": {}}]},
            "benchmarks[1].metrics.time_to_first_token_ms: is missing, or has no",
        ),
        (
            guidellm(1, count=1, listed=[{**guidellm_request(0.0, version=1), "request_latency": None}]),
            "benchmarks[1].requests.successful[1].request_latency: is null, but a number is needed",
        ),
        (
            guidellm(
                1, count=1, listed=[{**guidellm_request(0.0, version=1), "time_to_first_token_ms": 5e4}]
            ),
            "time_to_first_token_ms: 50 s is after the whole request, 0.24 s: is its unit right?",
        ),
    ],
)
def test_wrong_reports_of_guidellm_are_answered_with_their_place(
    tmp_path: Path, report: dict[str, object], told: str
) -> None:
    assert told in refused(save(tmp_path / "a.json", report))


def test_an_aggregate_of_fixed_lengths_states_its_server(tmp_path: Path) -> None:
    run = one(save(tmp_path / "a.json", inferencex()))
    assert run.stated == {"gpu": "b200", "tp": "2", "precision": "fp8", "engine": "vllm"}
    assert (run.output_tokens, run.prompt_tokens) == (pytest.approx(90.0), pytest.approx(900.0))
    assert (run.completed, run.max_concurrency, run.output_tokens_per_s) == (None, 8, 800.0)
    assert run.stats["ttft"].percentiles == {50.0: 0.1, 99.9: 0.2}


def test_an_agentic_aggregate_is_flat_or_nested(tmp_path: Path) -> None:
    common = {
        name: inferencex()[name] for name in ("hw", "framework", "precision", "infmax_model_prefix", "tp")
    }
    common |= {"scenario_type": "agentic", "num_requests_successful": 9}
    flat = common | {"users": 4, "num_requests_total": 10, "duration_seconds": 30.0, "output_tput_tps": 27.0}
    flat |= {"mean_ttft": 0.1, "mean_ttlt": 1.0, "mean_itl": 0.01}
    flat |= {"mean_input_tokens": 500.0, "mean_output_tokens_actual": 90.0}
    tables = {"ttft": {"mean": 0.1, "p95": 0.2}, "e2el": {"mean": 1.0}, "tpot": {"mean": 0.01}}
    metrics = {
        "latency": tables,
        "tokens": {"input": {"mean": 500.0}, "output_actual": {"mean": 90.0}},
        "throughput": {"output": {"tokens_per_second": 27.0}, "duration_seconds": 30.0},
    }
    nested = common | {"conc": 4, "request_metrics": metrics}
    for run in read_runs(save(tmp_path / "a.json", flat, nested)):
        assert (run.completed, run.max_concurrency, run.duration_s) == (9, 4, 30.0)
        assert (run.ttft_s, run.e2e_s, run.prompt_tokens, run.output_tokens) == (0.1, 1.0, 500.0, 90.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"mean_tpot": 10.0},
            "a.json:1: mean_tpot: 10 s gives 1.089 output tokens a request, but osl is 100",
        ),
        ({"mean_ttft": "fast"}, "a.json:1: mean_ttft: 'fast' is no number of 0 or more"),
        ({"isl": None}, "a.json:1: isl: is null"),
    ],
)
def test_wrong_aggregates_are_answered_with_their_field(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    assert told in refused(save(tmp_path / "a.json", inferencex(**changes)))


@pytest.mark.parametrize(("version", "engines"), [(0, 1), (1, 1), (1, 2)])
def test_two_scrapes_are_differenced(tmp_path: Path, version: int, engines: int) -> None:
    before = save(tmp_path / "before.txt", scrape(requests=10, version=version, engines=engines))
    after = save(tmp_path / "after.txt", scrape(requests=40, version=version, engines=engines, running=3))
    (run,) = read_measured([before, after])
    assert (run.completed, run.model, run.duration_s) == (30, "Qwen/Qwen3-8B", None)
    assert [run.ttft_s, run.itl_s, run.e2e_s] == pytest.approx([0.15, 0.01, 0.25])
    assert [run.prompt_tokens, run.output_tokens] == pytest.approx([100.0, 11.0])
    assert run.stats["ttft"].bounds[50.0] == (0.1, 0.2)
    assert run.stats["ttft"].percentiles[50.0] == pytest.approx(0.15)
    assert "ttft percentiles are interpolated within buckets: p50 in 0.1 to 0.2 s" in "; ".join(run.notes)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (scrape(requests=9), scrape(requests=9), "after.txt: no request was finished since before.txt"),
        (
            scrape(requests=9),
            scrape(requests=4),
            "4 is less than the 9 of before.txt: are they in the right order?",
        ),
        (
            scrape(requests=1),
            scrape(requests=4, start_s=2e9),
            "after.txt:2: process_start_time_seconds: 2000000000, b",
        ),
        (
            scrape(requests=1),
            scrape(requests=4).replace("process_start", "x"),
            "is missing in one of the two: nothing says that they are of one server process",
        ),
        (
            scrape(requests=1),
            scrape(requests=4).replace("Qwen3-8B", "x"),
            "after.txt: serves Qwen/x, but before.txt Qw",
        ),
        (
            scrape(requests=1),
            scrape(requests=4).replace("vllm:inter_token_latency_seconds_count", "x"),
            "after.txt: vllm:inter_token_latency_seconds_count: is missing, but before.txt has it",
        ),
        (
            scrape(requests=1),
            scrape(requests=4).replace("latency_seconds_sum", "x"),
            "after.txt: vllm:inter_token_latency_seconds_sum: is missing, but before.txt has it",
        ),
        (
            scrape(requests=1),
            re.sub(r"(e2e_request_latency_seconds_count.*) .*", r"\1 NaN", scrape(requests=4)),
            "after.txt:19: vllm:e2e_request_latency_seconds_count: is no number, but before.txt has one",
        ),
        (scrape(requests=1), scrape(requests=4)[:-9], "is no line of /metrics: was the file cut?"),
        (scrape(requests=1), "a,b\n1,2\n", "after.txt: is no scrape of vLLM's /metrics"),
    ],
)
def test_scrapes_that_cannot_be_differenced_are_refused(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    paths = save(tmp_path / "before.txt", before), save(tmp_path / "after.txt", after)
    with pytest.raises(TraceFormatError) as found:
        read_measured(paths)
    assert told in str(found.value).replace(f"{tmp_path}/", "")


def test_a_single_scrape_is_refused_with_what_to_do(tmp_path: Path) -> None:
    told = refused(save(tmp_path / "after.txt", scrape(requests=9)))
    assert "counters began with the server: give the one before the run and the one after it" in told


def test_our_form_is_read_in_the_order_of_arrival_with_its_series(tmp_path: Path) -> None:
    save(tmp_path / "timeseries.csv", "t_s,running,waiting,kv_cache_pct\n1,2,0,\n2,1,0,12.5\n")
    run = one(save(tmp_path / "requests.csv", own_table(ROWS)))
    requests = requests_of(run)
    assert requests.start_s == (0.0, 0.25, 0.5)
    assert requests.prompt_tokens == (100, 50, 200)
    assert requests.token_seconds()[:2] == [0.01, 0.05]
    assert math.isnan(requests.token_seconds()[2])
    assert (run.completed, run.duration_s, run.tpot_s) == (3, pytest.approx(0.6), pytest.approx(0.03))
    assert run.series is not None
    assert run.series.running == (2.0, 1.0)
    assert math.isnan(run.series.kv_ratio[0])
    assert run.series.kv_ratio[1] == 0.125


def test_the_clock_of_our_form_begins_with_the_first_request(tmp_path: Path) -> None:
    save(tmp_path / "timeseries.csv", "t_s,running\n7,2\n")
    late = [(name, start + 5.0, *rest) for name, start, *rest in ROWS]
    run = one(save(tmp_path / "requests.csv", own_table(late)))
    assert requests_of(run).start_s == (0.0, 0.25, 0.5)
    assert run.series is not None
    assert run.series.t_s == (2.0,)


def test_gaps_of_our_form_are_read(tmp_path: Path) -> None:
    rows = [(*ROWS[2], "0.04;0.06"), (*ROWS[1], "")]
    run = one(save(tmp_path / "requests.csv", own_table(rows, (*OWN_COLUMNS, "itl_s"))))
    assert requests_of(run).itl_s == ((0.04, 0.06), ())
    assert run.itl_s == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            own_table(ROWS, tuple(name.replace("ttft_s", "ttft_ms") for name in OWN_COLUMNS)),
            "requests.csv:1: ttft_s: no such column; ttft_ms is in another unit: write seconds to ttft_s",
        ),
        (
            own_table(ROWS, tuple(name.replace("e2e_s", "e2_s") for name in OWN_COLUMNS)),
            "requests.csv:1: e2e_s: no such column; did you mean 'e2_s'?",
        ),
        (own_table([]), "requests.csv:1: row: no requests follow the names of the columns"),
        (
            own_table([("a", -1.0, 100, 11, 0.15, 0.01, 0.25)]),
            "requests.csv:2: arrival_s: '-1.0' is not a number",
        ),
        (
            own_table([("a", 0.0, 100, 11, "nan", 0.01, 0.25)]),
            "requests.csv:2: ttft_s: 'nan' is not a number of 0 or",
        ),
        (
            own_table([("a", 0.0, 1.5, 11, 0.15, 0.01, 0.25)]),
            "requests.csv:2: prompt_tokens: '1.5' is no whole number",
        ),
        (
            own_table([("a", 0.0, 100, 11, 0.15, 10.0, 0.25)]),
            "tpot_s: 10, but (e2e_s - ttft_s) / (output_tokens",
        ),
        (
            own_table([("a", 0.0, 100, 11, 150, 0.01, 0.25)]),
            "ttft_s: 150 is after the whole request, e2e_s 0.25",
        ),
        (own_table(ROWS)[:-8], "requests.csv:4: row: 6 cells, but 7 columns: was the file cut?"),
        (own_table(ROWS) + "\n" + own_table(ROWS), "requests.csv:6: row: a blank line parts the table"),
        (
            own_table([(*ROWS[2], "0.1;x")], (*OWN_COLUMNS, "itl_s")),
            "requests.csv:2: itl_s: entry 2 is not a number",
        ),
        (own_table([("a", -1.0, 1, 2, 1, 1, 1)] * 9), "requests.csv: 13 more faults like these"),
    ],
)
def test_wrong_rows_of_our_form_are_answered_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    assert told in refused(save(tmp_path / "requests.csv", text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("t,running\n1,2\n", "timeseries.csv:1: t_s: no such column"),
        (
            "t_s,batch\n1,2\n",
            "timeseries.csv:1: running: no such column, and neither waiting nor kv_cache_pct",
        ),
        (
            "t_s,kv_cache_pct\n1,250\n",
            "timeseries.csv:2: kv_cache_pct: '250' is not a number of 0 or more up to 100.5",
        ),
        ("t_s,running\n2,1\n1,1\n", "timeseries.csv:3: t_s: 1 is before 2 of the row above; sort the rows"),
        ("", "timeseries.csv: is empty"),
    ],
)
def test_wrong_series_are_answered_with_their_line(tmp_path: Path, text: str, told: str) -> None:
    save(tmp_path / "timeseries.csv", text)
    assert told in refused(save(tmp_path / "requests.csv", own_table(ROWS)))


def test_a_cut_file_of_json_is_answered_with_its_line(tmp_path: Path) -> None:
    text = json.dumps(guidellm(1), indent=1)
    assert "the text ends inside object 1: was the file cut?" in refused(
        save(tmp_path / "a.json", text[:-40])
    )


def test_a_fit_takes_summaries_that_hold_what_it_needs(tmp_path: Path) -> None:
    (point,) = points_of(read_runs(save(tmp_path / "a.json", inferencex())))
    assert (point.in_flight.value, point.token.value) == (8.0, 0.01)
    assert (point.prompt_tokens, point.output_tokens) == (900, 90)


def test_a_fit_asks_for_lengths_that_a_summary_does_not_have(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", perf_summary(input_sequence_length=None))
    with pytest.raises(SimulatorError, match="says nothing of the mean prompt tokens"):
        points_of(read_runs(path))
