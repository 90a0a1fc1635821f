"""Answers of tens of thousands of tokens in one cell, and texts that Python alone takes for numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.errors import TraceFormatError
from simulator.measured import read_runs
from workloads.traces import read

TOKENS = 40_000


def test_the_gaps_of_a_long_answer_are_read(tmp_path: Path) -> None:
    gap = 0.0123456789
    path = tmp_path / "requests.csv"
    end = 0.1 + gap * (TOKENS - 1)
    gaps = ";".join([str(gap)] * (TOKENS - 1))
    path.write_text(
        f"arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s,itl_s\n0,9,{TOKENS},0.1,{end},{gaps}\n",
        encoding="utf-8",
    )
    (run,) = read_runs(path)
    assert run.requests is not None
    assert len(run.requests.itl_s[0]) == TOKENS - 1


@pytest.mark.parametrize("prompt", ["1_0", "1_000.0"])
def test_underscores_are_no_digits(tmp_path: Path, prompt: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(f"arrived_at,num_prefill_tokens,num_decode_tokens\n1,{prompt},5\n", encoding="utf-8")
    with pytest.raises(TraceFormatError, match=rf"trace.csv:2: num_prefill_tokens: .*{prompt}"):
        read(path)
    path = tmp_path / "requests.csv"
    path.write_text(
        f"arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s\n0,{prompt},5,0.1,0.2\n", encoding="utf-8"
    )
    with pytest.raises(TraceFormatError, match=rf"requests.csv:2: prompt_tokens: .*{prompt}"):
        read_runs(path)


def test_the_model_of_llmservingsim_stands_beside_its_requests(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    row = {"queued_ts": 1.0, "first_token_ts": 1.1, "last_token_ts": 1.5, "input_toks": 9, "output_toks": 5}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert [run.model for run in read_runs(path)] == [None]
    (tmp_path / "meta.json").write_text('{"model": "meta-llama/Llama-3.1-8B"}', encoding="utf-8")
    assert [run.model for run in read_runs(path)] == ["meta-llama/Llama-3.1-8B"]


def test_a_file_of_a_servegen_folder_names_the_folder(tmp_path: Path) -> None:
    for name, text in (("chunk-4-dataset.json", '{"0": \n{}}'), ("chunk-4-trace.csv", "0, 2.5, 1\n")):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TraceFormatError, match="part of a ServeGen folder: give"):
            read(path)
