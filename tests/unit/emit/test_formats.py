"""What is written in each format, beside the format itself and beside what the records say."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))

from own_runs import CLOSED, OPEN, document

from simulator import load_scenario, simulate
from simulator.api import Result
from simulator.emit import FORMATS, served_by
from simulator.emit.figures import Lists, peaks, statistics, totals
from simulator.errors import SimulatorError
from simulator.measured import read_runs

TOOL_KEYS = [
    "date",
    "endpoint_type",
    "backend",
    "label",
    "model_id",
    "tokenizer_id",
    "num_prompts",
    "request_rate",
    "burstiness",
    "max_concurrency",
    "duration",
    "completed",
    "failed",
    "total_input_tokens",
    "total_output_tokens",
    "request_throughput",
    "request_goodput",
    "output_throughput",
    "total_token_throughput",
    "input_lens",
    "output_lens",
    "ttfts",
    "itls",
    "start_times",
    "generated_texts",
    "errors",
    "max_output_tokens_per_s",
    "max_concurrent_requests",
    "rtfx",
    *(
        f"{figure}_{name}_ms"
        for name in ("ttft", "tpot", "itl", "e2el")
        for figure in ("mean", "median", "std", "p50", "p90", "p99")
    ),
]
"""Keys of a file of vLLM 0.25.1 (--save-detailed, --percentile-metrics with e2el), in its order."""


def trees(**engine: object) -> dict[str, Any]:
    """Return a scenario of 40 tasks of four trials, which stop when one of them is right."""
    found = document(OPEN, **{"kv": {"prefix_sharing": False}, **engine})
    found["workload"]["strategy"] = {"kind": "best_of_n", "trials": 4, "stop_at_first_success": True}
    found["workload"]["outcomes"] = {"kind": "fixed", "solve_probability": 0.5}
    return found


def run(raw: dict[str, Any]) -> Result:
    return simulate(load_scenario(raw), token_times=True)


def text(name: str, result: Result) -> str:
    return "".join(FORMATS[name].text(result, served_by(result)))


def test_a_vllm_file_has_the_keys_of_the_tool_in_its_order() -> None:
    written = json.loads(text("vllm-bench", run(document(OPEN))))
    assert [key for key in written if not key.startswith("kinesim_")] == TOOL_KEYS
    assert written["kinesim_scenario"] == "own"
    assert (written["request_rate"], written["max_concurrency"]) == (6.0, None)


def test_a_closed_loop_is_told_as_the_tool_is_asked_for_it() -> None:
    written = json.loads(text("vllm-bench", run(document(CLOSED))))
    assert (written["request_rate"], written["max_concurrency"]) == ("inf", 5)


@pytest.mark.parametrize(
    ("arrivals", "rate", "burstiness"),
    [
        ({"kind": "gamma", "rate_per_s": 6.0, "cv": 2.0}, 6.0, 0.25),
        ({"kind": "all_at_once"}, "inf", 1.0),
    ],
)
def test_other_arrivals_are_told_in_the_words_of_the_tool(
    arrivals: dict[str, Any], rate: object, burstiness: float
) -> None:
    written = json.loads(text("vllm-bench", run(document(arrivals))))
    assert (written["request_rate"], written["burstiness"]) == (rate, burstiness)


def test_requests_of_a_vllm_file_are_those_of_the_records() -> None:
    result = run(document(OPEN))
    written, trials = json.loads(text("vllm-bench", result)), result.trials
    assert written["input_lens"] == trials["prompt_tokens"].tolist()
    assert written["output_lens"] == trials["output_tokens"].tolist()
    assert written["start_times"] == [time / 1e9 for time in trials["submitted_ns"]]
    ttfts = [round(1e9 * first) for first in written["ttfts"]]
    assert ttfts == (trials["first_token_ns"] - trials["submitted_ns"]).tolist()
    assert [len(row) for row in written["itls"]] == (trials["output_tokens"] - 1).tolist()
    sums = [
        first + sum(round(1e9 * gap) for gap in row)
        for first, row in zip(ttfts, written["itls"], strict=True)
    ]
    assert sums == (trials["ended_ns"] - trials["submitted_ns"]).tolist()


def test_times_between_tokens_are_single_ones_and_no_means() -> None:
    written = json.loads(text("vllm-bench", run(document(OPEN))))
    longest = max(written["itls"], key=len)
    # Contexts grow, so steps of one batch get longer, and prompts of others come between.
    assert len(set(longest)) > len(longest) / 2
    assert max(longest) > 2.0 * min(longest)


def test_aiperf_names_the_tree_of_a_request_and_what_became_of_it() -> None:
    result = run(trees())
    lines = [json.loads(line) for line in text("aiperf", result).splitlines()]
    trials = result.trials
    cancelled = [line for line in lines if line["metadata"]["was_cancelled"]]
    assert cancelled
    for line in cancelled:
        assert line["error"]["code"] == 499
        assert set(line["metrics"]) == {
            "input_sequence_length",
            "output_sequence_length",
            "output_token_count",
        }
    assert {line["metadata"]["conversation_id"] for line in lines} == {f"task-{n}" for n in range(40)}
    first = lines[0]["metadata"]
    assert first["request_start_ns"] == 1_700_000_000_000_000_000 + int(trials["submitted_ns"][0])
    answered = next(line for line in lines if line["error"] is None)["metrics"]
    gaps = answered["inter_chunk_latency"]["value"]
    mean = (answered["request_latency"]["value"] - answered["time_to_first_token"]["value"]) / len(gaps)
    assert answered["inter_token_latency"] == {"value": pytest.approx(mean), "unit": "ms"}
    assert answered["time_to_second_token"]["value"] == gaps[0]


def test_children_of_a_tree_name_their_parent_in_aiperf() -> None:
    raw = document(OPEN, kv={"prefix_sharing": False})
    raw["workload"]["strategy"] = {
        "kind": "beam_search", "beams": 1, "expansion": 2, "rounds": 2, "verifier_noise": 0.5,
    }  # fmt: skip
    lines = [json.loads(line)["metadata"] for line in text("aiperf", run(raw)).splitlines()]
    known = {line["x_correlation_id"] for line in lines}
    parents = [line["parent_correlation_id"] for line in lines if line["parent_correlation_id"]]
    assert len(parents) == 80
    assert set(parents) <= known


def test_our_own_form_has_its_columns_and_says_what_was_cancelled() -> None:
    plain, cut = (
        list(csv.DictReader(io.StringIO(text("csv", run(raw))))) for raw in (document(OPEN), trees())
    )
    assert list(plain[0]) == [
        "request_id", "arrival_s", "prompt_tokens", "output_tokens", "ttft_s", "tpot_s", "e2e_s", "itl_s",
    ]  # fmt: skip
    assert plain[0]["request_id"] == "0-0"
    cancelled = [row for row in cut if row["cancelled"] == "1"]
    assert 10 < len(cancelled) < len(cut)
    assert all(row["tpot_s"] == "" for row in cancelled)


def test_equal_runs_give_equal_files() -> None:
    for name in FORMATS:
        assert text(name, run(trees())) == text(name, run(trees()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda raw: raw["engine"].update(kv={"prefix_sharing": True}), "engine.kv.prefix_sharing=false"),
        (lambda raw: raw.update(report={"horizon_s": 2.0}), "requests that the horizon cut stand as failed"),
        (lambda raw: raw["engine"].update(max_sequences=2), "before a server took them up are left out"),
        (lambda raw: raw["engine"].update(max_batched_tokens=64), "cancelled in the middle of their prompt"),
        (
            lambda raw: raw["engine"].update(scheduler={"kind": "task_affine"}),
            "the scheduler task_affine ranks",
        ),
        (
            lambda raw: (
                raw.update(parallelism={"dp": 2}),
                raw["engine"].update(router={"kind": "least_loaded"}),
            ),
            "the router least_loaded may send",
        ),
    ],
)
def test_what_a_list_of_requests_cannot_hold_is_said(
    change: Callable[[dict[str, Any]], object], told: str
) -> None:
    raw = trees()
    change(raw)
    assert any(told in note for note in served_by(run(raw)).notes)


def test_nothing_is_said_where_a_file_holds_all() -> None:
    assert served_by(run(document(OPEN))).notes == ()


def test_a_run_without_an_answer_is_refused() -> None:
    raw = document(OPEN)
    raw["report"] = {"horizon_s": 0.1}
    with pytest.raises(SimulatorError, match="own: no request was answered: nothing is left to write"):
        served_by(run(raw))


def test_requests_of_one_token_have_no_time_between_tokens(tmp_path: Path) -> None:
    # The tool writes 0 for means of no values, which the reader once took for a fault.
    raw = document(OPEN)
    raw["workload"]["lengths"] = {"kind": "constant", "tokens": 1}
    raw["workload"]["max_tokens"] = 1
    path = tmp_path / "one.json"
    path.write_text(text("vllm-bench", run(raw)), encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["mean_itl_ms"] == 0.0
    (read,) = read_runs(path)
    assert read.itl_s is None
    assert set(read.stats) == {"ttft", "e2e"}


def lists(starts: list[float], ttfts: list[float], gaps: list[list[float]]) -> Lists:
    ends = [first + math.fsum(row) for first, row in zip(ttfts, gaps, strict=True)]
    return Lists(
        np.array(starts),
        np.array(ttfts),
        np.array(ends),
        [np.array(row) for row in gaps],
        np.array([10] * len(starts)),
        np.array([len(row) + 1 for row in gaps]),
        max(start + end for start, end in zip(starts, ends, strict=True)) - min(starts),
    )


def test_header_figures_by_hand() -> None:
    made = lists([0.0, 0.5], [0.1, 0.3], [[0.1, 0.3], []])
    assert totals(made) == {
        "total_input_tokens": 20,
        "total_output_tokens": 4,
        "request_throughput": 2 / 0.8,
        "request_goodput": None,
        "output_throughput": 4 / 0.8,
        "total_token_throughput": 24 / 0.8,
    }
    found = statistics(made)
    assert found["mean_ttft_ms"] == pytest.approx(200.0)
    assert found["std_ttft_ms"] == pytest.approx(100.0)  # of the population
    assert found["p90_ttft_ms"] == pytest.approx(280.0)  # linear between ranks
    assert found["mean_tpot_ms"] == pytest.approx(200.0)
    assert found["median_e2el_ms"] == pytest.approx(400.0)
    assert peaks(made) == {"max_output_tokens_per_s": 4.0, "max_concurrent_requests": 2, "rtfx": 0.0}


times = st.floats(1e-4, 3.0)
requests = st.tuples(st.floats(0.0, 20.0), times, st.lists(times, max_size=8))


@given(drawn=st.lists(requests, min_size=1, max_size=12))
def test_peaks_are_those_of_counting_second_by_second(drawn: list[tuple[float, float, list[float]]]) -> None:
    made = lists(*(list(column) for column in zip(*drawn, strict=True)))  # type: ignore[arg-type] # columns of one drawn tuple
    first = min(made.starts.tolist())
    tokens, held = dict[int, int](), dict[int, int]()
    for start, ttft, latency, gaps in zip(
        made.starts.tolist(), made.ttfts.tolist(), made.latencies.tolist(), made.gaps, strict=True
    ):
        moment = start + ttft
        for gap in [*gaps.tolist(), 0.0]:
            second = int(moment - first)
            tokens[second] = tokens.get(second, 0) + 1
            moment += gap
        for second in range(int(start - first), int(start + latency - first) + 1):
            held[second] = held.get(second, 0) + 1
    found = peaks(made)
    assert found["max_output_tokens_per_s"] == max(tokens.values())
    assert found["max_concurrent_requests"] == max(held.values())
