"""Benchmark files: what is read, and that a wrong one is answered with its line and field."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from bench_files import detailed, even_requests, sglang, summary, vllm, write

from simulator.errors import TraceFormatError
from simulator.measured import Requests, read_runs
from simulator.measured.model_names import contradiction, is_named

LISTS = detailed(summary(), even_requests(20, prompt=500, output=50, ttft_s=0.04, itl_s=0.01))


def refused(tmp_path: Path, *objects: object, indent: int | None = None) -> str:
    with pytest.raises(TraceFormatError) as found:
        read_runs(write(tmp_path / "result.json", *objects, indent=indent))
    return str(found.value).replace(str(tmp_path), ".")


def without(found: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in found.items() if name not in names}


def test_an_appended_file_holds_a_run_for_every_object(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", vllm(summary(concurrency=4)), vllm(summary(concurrency=8)))
    assert [(run.max_concurrency, run.line, run.number) for run in read_runs(path)] == [(4, 1, 1), (8, 2, 2)]


def test_a_file_is_known_by_what_it_holds_not_by_its_name(tmp_path: Path) -> None:
    one = write(tmp_path / "sglang.jsonl", vllm(summary()))
    other = write(tmp_path / "vllm.json", sglang(summary()))
    assert [read_runs(path)[0].tool for path in (one, other)] == ["vLLM bench serve", "sglang bench_serving"]


def test_a_mark_before_the_text_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(vllm(summary()), indent=1).replace("\n", "\r\n").encode())
    assert read_runs(path)[0].completed == 100


def test_fields_of_2024_are_enough(tmp_path: Path) -> None:
    now = vllm(summary(concurrency=None, rate=16.0))
    then = without(
        now, "endpoint_type", "label", "failed", "burstiness", "max_concurrency", "request_goodput"
    )
    run = read_runs(write(tmp_path / "a.json", {**then, "best_of": 1}))[0]
    assert (run.max_concurrency, run.request_rate_per_s, run.failed) == (None, 16.0, 0)


def test_an_infinite_rate_is_a_word_or_a_number(tmp_path: Path) -> None:
    for rate in ("inf", math.inf):
        path = write(tmp_path / "a.json", {**vllm(summary()), "request_rate": rate})
        assert read_runs(path)[0].request_rate_per_s == math.inf


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("duration", None, "duration: is null, but a number is needed: did the run end?"),
        ("duration", 0, "duration: 0 is no positive number"),
        ("duration", True, "duration: True is no positive number"),
        ("completed", None, "completed: is null, but a number is needed: did the run end?"),
        ("completed", 0, "completed: 0 requests; a run needs 1"),
        ("completed", 2.5, "completed: 2.5 is no whole number of 0 or more"),
        ("mean_tpot_ms", math.nan, "mean_tpot_ms: nan is no positive number"),
        ("mean_tpot_ms", math.inf, "mean_tpot_ms: inf is no positive number"),
        ("mean_tpot_ms", -1.0, "mean_tpot_ms: -1.0 is no positive number"),
        ("mean_ttft_ms", "fast", "mean_ttft_ms: 'fast' is no positive number"),
        ("max_concurrency", 10**400, "max_concurrency: 1000"),
        ("request_rate", [1], "request_rate: a list is no positive number"),
        ("failed", -1, "failed: -1 is no whole number of 0 or more"),
        ("ttfts", 5, "ttfts: 5 is no list"),
        ("ttfts", [0.1, "x\x1b[0m"], "ttfts: entry 2, 'x\\x1b[0m', is not a number of 0 or more"),
        ("itls", [0.1], "itls: entry 1, 0.1, is not a list of numbers of 0 or more"),
        ("itls", [None] * 9, "itls: 6 more entries are not a list of numbers of 0 or more"),
        ("output_lens", [1.5], "output_lens: entry 1, 1.5, is not a whole number of 0 or more"),
    ],
)
def test_a_wrong_field_is_answered_with_its_line(
    field: str, value: object, told: str, tmp_path: Path
) -> None:
    wrong = {**vllm(summary()), field: value}
    found = refused(tmp_path, vllm(summary()), wrong)
    assert f"./result.json:2: {told}" in found


def test_a_field_of_a_file_of_many_lines_is_answered_with_its_own(tmp_path: Path) -> None:
    wrong = {**vllm(summary()), "duration": "long"}
    line = 2 + list(wrong).index("duration")
    assert refused(tmp_path, wrong, indent=1) == (
        f"./result.json:{line}: duration: 'long' is no positive number"
    )


def test_all_faults_of_a_file_are_told_at_once_with_near_names(tmp_path: Path) -> None:
    one = {**without(vllm(summary()), "duration"), "durations": 1.0, "completed": "many"}
    found = refused(tmp_path, one, {**vllm(summary()), "mean_ttft_ms": 0}).splitlines()
    assert found == [
        "./result.json:1: completed: 'many' is no whole number of 0 or more",
        "./result.json:1: duration: is missing; did you mean 'durations'?",
        "./result.json:2: mean_ttft_ms: 0 is no positive number",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe{\x00", "is UTF-16 text; save it as UTF-8"),
        (
            b"\xff\xd8",
            ":1: is no UTF-8 text (byte 0 is 0xff, invalid start byte); save it as UTF-8",
        ),
        (b"\x1f\x8b\x08", "ends inside its compressed data: was the file cut?"),
        (b'{"a": "\x00"}', "is no text (byte 7 is 0x00)"),
        (
            b'[\n{"a": 1}, {"a": 2}]',
            (
                ":1: is a JSON array of 2; runs stand one after the other, each an object in braces: "
                "jq -c '.[]' result.json > runs.jsonl makes it so"
            ),
        ),
        (b'[{"a": 1}, {"a"', ":1: is a JSON array; runs stand one after the other"),
        (b"a;b\n1;2\n", ":1: is no JSON; it looks like a table of columns separated by semicolons; read are"),
        (b'{"a": 1', ":1: the text ends inside object 1: was the file cut?"),
        (b'{"benchmarks": []}\n{"a": "x', ":2: the text ends inside object 2: was the file cut?"),
        (b'{"a": 1,\n "b": }', ":2: no JSON at column 7: Expecting value"),
        (b'{"benchmarks": []}\n[1, 2]', ":2: '[1, 2]' is no JSON object"),
        (b'{"a": ' + b"[" * 100_000, ":1: object 1 cannot be read"),
        (b'{"a": ' + b"9" * 5000 + b"}", ":1: object 1 cannot be read"),
        (b'{"a": 1}', ":1: object 1 is of no benchmark that is known; read are: vLLM bench serve, sglang"),
        (b'{"resourceSpans": []}', "looks like OpenTelemetry spans, which is not read yet"),
        (b"# HELP x y", ":1: is no JSON; it looks like a server's /metrics, not a benchmark"),
        (b"sequences,context_tokens,step_s\n", "it looks like a table of decode steps, which --from reads"),
        (b"a,b\n1,2\n", ":1: is no JSON; read are: vLLM bench serve, sglang bench_serving"),
    ],
)
def test_what_is_no_benchmark_is_said(text: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(text)
    with pytest.raises(TraceFormatError) as found:
        read_runs(path)
    assert str(found.value).startswith(str(path))
    assert told in str(found.value)


def test_a_folder_and_a_missing_file_are_said(tmp_path: Path) -> None:
    for path, told in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(TraceFormatError, match=told):
            read_runs(path)


def test_lists_in_milliseconds_are_noticed_beside_their_mean(tmp_path: Path) -> None:
    found = vllm(LISTS)
    wrong = {**found, "ttfts": [1e3 * ttft for ttft in LISTS.requests.ttft_s]}  # type: ignore[union-attr] - has lists
    assert (
        "mean_ttft_ms: 40, but the mean of ttfts in ms is 4e+04, 1e+03 times off: one of them is not in"
        in (refused(tmp_path, wrong))
    )


def test_a_mean_in_seconds_is_noticed_beside_its_list(tmp_path: Path) -> None:
    wrong = {**vllm(LISTS), "mean_itl_ms": 0.01}
    assert "mean_itl_ms: 0.01, but the mean of itls in ms is 10, 1e+03 times off" in refused(tmp_path, wrong)


def test_means_that_are_not_those_of_the_lists_are_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, {**vllm(LISTS), "mean_ttft_ms": 44.0})
    assert told == "./result.json:1: mean_ttft_ms: 44, but the mean of ttfts in ms is 40"


def test_lists_that_hold_no_times_contradict_nothing(tmp_path: Path) -> None:
    found = {**without(vllm(LISTS), "mean_e2el_ms"), "ttfts": [0.0] * 20}
    assert read_runs(write(tmp_path / "a.json", found))[0].requests is not None


def test_a_duration_in_milliseconds_is_noticed_beside_the_rates(tmp_path: Path) -> None:
    run = summary()
    told = refused(tmp_path, {**vllm(run), "duration": 1e3 * run.duration_s})
    assert "output_throughput: " in told
    assert "request_throughput: " in told
    assert "not in its unit" in told


def test_means_in_seconds_are_noticed_by_the_requests_in_flight(tmp_path: Path) -> None:
    run = summary()
    wrong = {**vllm(run), "mean_ttft_ms": 0.05, "mean_tpot_ms": 0.01}
    told = refused(tmp_path, wrong)
    assert "max_concurrency: 8, but requests in flight by" in told
    assert "not in its unit" in told


def test_more_in_flight_than_the_limit_is_refused(tmp_path: Path) -> None:
    run = summary()
    assert "max_concurrency: 1, but" in refused(tmp_path, {**vllm(run), "max_concurrency": 1})


def test_a_third_more_in_flight_than_the_limit_is_refused_and_a_seventh_is_not(tmp_path: Path) -> None:
    # The file's means give 8 in flight; more than the limit can only come from its means standing in.
    run = summary(concurrency=8)
    assert "max_concurrency: 6, but" in refused(tmp_path, {**vllm(run), "max_concurrency": 6})
    (kept,) = read_runs(write(tmp_path / "kept.json", {**vllm(run), "max_concurrency": 7}))
    assert kept.max_concurrency == 7


def test_an_end_to_end_latency_that_its_parts_cannot_make_is_refused(tmp_path: Path) -> None:
    assert "mean_e2el_ms: 2e+04, but" in refused(tmp_path, {**vllm(summary()), "mean_e2el_ms": 2e4})


def test_lists_that_were_cut_are_refused(tmp_path: Path) -> None:
    wrong = vllm(LISTS)
    for name in ("input_lens", "output_lens", "ttfts", "itls", "errors"):
        wrong[name] = wrong[name][:5]  # type: ignore[index] - these are lists
    assert "ttfts: 5 requests, but 20 completed" in refused(tmp_path, wrong)


def test_lists_of_different_lengths_are_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, {**vllm(LISTS), "ttfts": [0.04]})
    assert "lists of requests of different lengths: input_lens 20, output_lens 20, ttfts 1" in told


def test_failed_requests_count_in_no_mean(tmp_path: Path) -> None:
    good = even_requests(20, prompt=500, output=50, ttft_s=0.04, itl_s=0.01)
    mixed = Requests(
        (*good.prompt_tokens, 9),
        (*good.output_tokens, 0),
        (*good.ttft_s, 0.0),
        (*good.itl_s, ()),
        (*good.failed, True),
    )
    run = read_runs(write(tmp_path / "a.json", vllm(detailed(summary(), mixed))))[0]
    assert (run.completed, run.failed) == (20, 1)
    assert run.requests is not None
    assert len(run.requests.end_to_end_s()) == 20


def test_empty_answers_of_2024_count_as_failed(tmp_path: Path) -> None:
    found = vllm(LISTS)
    found |= {"ttfts": [0.0, *LISTS.requests.ttft_s[1:]], "mean_ttft_ms": 38.0}  # type: ignore[union-attr] - has lists
    found |= {"itls": [[], *map(list, LISTS.requests.itl_s[1:])]}  # type: ignore[union-attr] - has lists
    run = read_runs(write(tmp_path / "a.json", without(found, "failed", "mean_e2el_ms")))[0]
    assert (run.completed, run.failed) == (20, 1)


def test_control_characters_of_a_name_do_not_reach_a_terminal(tmp_path: Path) -> None:
    run = read_runs(write(tmp_path / "a.json", vllm(summary(model="a\x1b[31mb"))))[0]
    assert run.model == "a?[31mb"


def test_summaries_of_sglang_have_tokens_per_step(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", sglang(replace(summary(), tokens_per_step=2.5)), sglang(summary()))
    assert [run.tokens_per_step for run in read_runs(path)] == [2.5, None]


@pytest.mark.parametrize(
    ("served", "preset", "told"),
    [
        ("Qwen/Qwen3-8B", "qwen3-8b", None),
        ("RedHatAI/Qwen3-8B-FP8-dynamic", "qwen3-8b", None),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "r1-distill-qwen-7b", None),
        ("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b", None),
        ("production", "qwen3-8b", None),
        ("meta-llama/Llama-3.1-8B", "qwen3-8b", "llama, not qwen"),
        ("Qwen/Qwen3-14B", "qwen3-8b", "14b, not 8b"),
        ("Qwen/Qwen3-0.6B", "qwen3-0.6b", None),
        ("meta-llama/Llama-3.1-405B-FP8", "llama-3.1-70b", "405b, not 70b"),
    ],
)
def test_a_served_name_contradicts_a_preset_by_family_or_size(
    served: str, preset: str, told: str | None
) -> None:
    assert contradiction(served, preset) == told


def test_a_served_name_holds_the_preset_or_not() -> None:
    assert is_named("Qwen/Qwen3-8B-FP8", "qwen3-8b")
    assert not is_named("production", "qwen3-8b")
