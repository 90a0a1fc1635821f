"""Requests that a client gave up hold their place in a replay with the tokens they got, and count nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.errors import TraceFormatError
from simulator.measured import BenchRun, read_runs

HEAD = "arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s,cancelled\n"


def read(folder: Path, name: str, text: str) -> BenchRun:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    (run,) = read_runs(path)
    return run


def test_our_own_form_tells_them_in_a_column(tmp_path: Path) -> None:
    run = read(tmp_path, "requests.csv", HEAD + "0,9,3,0.1,0.3,0\n1,8,2,0.1,0.2,1\n2,7,0,,0.2,1\n")
    assert run.requests is not None
    assert run.requests.failed == (False, True, True)
    assert run.requests.output_tokens == (3, 2, 0)
    assert (run.completed, run.failed, run.output_tokens) == (1, 2, 3.0)
    assert run.ttft_s == 0.1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1,8,2,0.1,0.2,yes", "requests.csv:3: cancelled: 'yes' is neither 0 nor 1"),
        (
            "1,8,2,,0.2,0\n2,8,2,0.1,0.2,1",
            "requests.csv:3: ttft_s: is blank, and the request was not cancelled",
        ),
        ("1,8,2,,0.2,0", "requests.csv:3: ttft_s: is blank, and the request was not cancelled"),
    ],
)
def test_what_is_wrong_in_the_column_is_told(tmp_path: Path, row: str, told: str) -> None:
    with pytest.raises(TraceFormatError) as refused:
        read(tmp_path, "requests.csv", HEAD + f"0,9,3,0.1,0.3,0\n{row}\n")
    assert told in str(refused.value)


def test_aiperf_tells_them_by_a_flag_and_an_error(tmp_path: Path) -> None:
    def line(start_ns: int, *, tokens: int, cancelled: bool) -> str:
        metrics = {"input_sequence_length": {"value": 9, "unit": "tokens"}}
        metrics["output_sequence_length"] = {"value": tokens, "unit": "tokens"}
        if not cancelled:
            metrics["time_to_first_token"] = {"value": 100, "unit": "ms"}
            metrics["request_latency"] = {"value": 300, "unit": "ms"}
        about = {"benchmark_phase": "profiling", "request_start_ns": start_ns, "was_cancelled": cancelled}
        return json.dumps(
            {"metadata": about, "metrics": metrics, "error": {"code": 499} if cancelled else None}
        )

    lines = [line(10**18, tokens=3, cancelled=False), line(10**18 + 5, tokens=2, cancelled=True)]
    run = read(tmp_path, "profile_export.jsonl", "\n".join(lines))
    assert run.requests is not None
    assert run.requests.output_tokens == (3, 2)
    assert run.requests.failed == (False, True)
    assert run.output_tokens == 3.0
