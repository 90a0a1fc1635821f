"""Public traces as their owners publish them: the figures worked out beside them, and a run from each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import load_scenario
from simulator.engine.records import TRIAL_COLUMNS, column
from simulator.engine.run import run_scenario
from simulator.invariants import check_run
from workloads.arrivals import TraceArrivals
from workloads.traces import read
from workloads.traces.statistics import Lengths, statistics

CONV, CODE = (f"azure2023/AzureLLMInferenceTrace_{name}.csv.gz" for name in ("conv", "code"))
CHAT, MADE = "mooncake/conversation_trace.first3000.jsonl.gz", "mooncake/synthetic_trace.first1500.jsonl.gz"
AGENTS, FLAT = "llmservingsim/agentic_docs_example.jsonl", "llmservingsim/example_trace.jsonl"
BURST_1, BURST_3 = "burstgpt/BurstGPT_1.first3rows.csv", "burstgpt/BurstGPT_3.first4rows.csv"
SERVEGEN = "servegen/deepseek-r1"


@pytest.fixture(scope="module")
def traces(shared_data: Path) -> Path:
    """Return the folder of public traces, or skip the test."""
    folder = shared_data / "traces"
    if not folder.is_dir():
        pytest.skip("the public traces are not part of the project: no traces in ../shared/data")
    return folder


LONGEST = 131_000
"""Tokens that fit the published context of Llama-3.1."""


def a_run_of(trace: Path, **arrivals: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return the document of a run of all requests of a trace, a task each, without a model."""
    rows = TraceArrivals.model_validate({"kind": "trace", "path": str(trace), **arrivals})
    return {
        "schema": 1,
        "hardware": "b200-sxm-8",
        "workload": {
            "tasks": {"kind": "synthetic", "count": rows.most_tasks, "prompt_tokens": 1},
            "arrivals": {"kind": "trace", "path": str(trace), **arrivals},
            "lengths": {"kind": "constant", "tokens": 100},
            "outcomes": {"kind": "fixed", "solve_probability": 0.5},
            "strategy": "recorded",
            "max_tokens": 200,
        },
    }


# Rows of "Checked statistics" in the README of the traces: span (s), rate (1/s), variation of the gaps, then
# mean, median, 99th percentile and largest of prompts and of outputs (tokens).
CHECKED = {
    CONV: (19_366, 3501.7, 5.53, 1.09, (1154.7, 1020, 4142, 14050), (211.1, 129, 601, 1000)),
    CODE: (8_819, 3435.9, 2.57, 13.15, (2047.8, 1469, 7436, 7437), (27.9, 13, 251, 1899)),
    CHAT: (3_000, 987, 3.04, 2.85, (13517, 7993, 94766, 123192), (349.6, 362, 1079, 2000)),
    MADE: (1_500, 405.9, 3.70, 1.00, (11664, 2753, 56639, 134773), (198.1, 168, 777, 842)),
}


@pytest.mark.parametrize("name", CHECKED)
def test_the_figures_of_a_trace_are_those_worked_out_beside_it(traces: Path, name: str) -> None:
    rows, span_s, rate, cv, prompts, outputs = CHECKED[name]
    found = statistics(read(traces / name))
    assert found.rows == rows
    assert found.span_s == pytest.approx(span_s, abs=0.06)
    assert found.rate_per_s == pytest.approx(rate, abs=0.005)
    assert found.gap_cv == pytest.approx(cv, abs=0.005)
    for lengths, (mean, p50, p99, longest) in ((found.prompts, prompts), (found.outputs, outputs)):
        assert lengths is not None
        assert lengths.mean == pytest.approx(mean, abs=0.5 if mean > 9999 else 0.06)
        assert lengths.p50 == pytest.approx(p50, abs=0.51)
        assert lengths.p99 == pytest.approx(p99, abs=0.51)
        assert lengths.longest == longest


@pytest.mark.parametrize(("name", "ratio"), [(CHAT, 0.314), (MADE, 0.239)])
def test_prefixes_of_mooncake_are_shared_as_worked_out_beside_them(
    traces: Path, name: str, ratio: float
) -> None:
    shared = statistics(read(traces / name)).sharing
    assert shared is not None
    assert shared.seen_ratio == pytest.approx(ratio, abs=0.0005)


@pytest.mark.parametrize("name", [CHAT, MADE])
def test_a_cache_without_limit_finds_every_full_block_that_an_earlier_prompt_had(
    traces: Path, name: str
) -> None:
    document = a_run_of(traces / name, longest_tokens=LONGEST)
    document["model"] = {"preset": "llama-3.1-8b"}
    engine = {"latency": {"kind": "constant", "step_s": 1e-6}, "kv": {"capacity": "unlimited"}}
    scenario = load_scenario(document | {"engine": engine})
    trials = run_scenario(scenario, seed=1).records.trials
    tasks, cached = (column(trials, TRIAL_COLUMNS, name).tolist() for name in ("task", "cached_tokens"))
    found = dict(zip(tasks, cached, strict=True))
    trace = read(traces / name)
    assert trace.blocks is not None
    seen, task = set[tuple[int, ...]](), 0
    for row, (prompt, output) in enumerate(zip(trace.prompt_tokens, trace.output_tokens, strict=True)):
        if prompt + output > LONGEST:
            continue
        ids = trace.blocks.ids[trace.blocks.offsets[row] : trace.blocks.offsets[row + 1]].tolist()
        starts = [tuple(ids[:end]) for end in range(1, prompt // trace.blocks.tokens + 1)]
        known = sum(start in seen for start in starts)
        seen.update(starts)
        assert found[task] == min(known * trace.blocks.tokens, prompt - 1), row
        task += 1
    assert task == len(found)


def test_mooncake_conversations_come_in_ticks(traces: Path) -> None:
    found = statistics(read(traces / CHAT))
    assert (found.moments, found.tick_s) == (330, 3.0)


def test_requests_drawn_from_servegen_have_the_rate_and_lengths_of_its_clients(traces: Path) -> None:
    found = read(traces / SERVEGEN)
    assert found.rows / 86_400 == pytest.approx(8.4, abs=0.05)
    hourly = np.histogram(found.arrival_s, bins=144, range=(0, 86_400))[0] / 600
    assert hourly.min() == 0
    assert hourly.max() == pytest.approx(28.1, abs=0.05)
    # 1% of a mean and 2% of a 99th percentile are some ten deviations of 726,000 draws of such lengths.
    for tokens, (mean, p50, p99) in (
        (found.prompt_tokens, (187, 82, 1264)),
        (found.output_tokens, (1756, 1197, 10627)),
    ):
        assert tokens is not None
        lengths = Lengths.of(tokens)
        assert lengths.mean == pytest.approx(mean, rel=0.01)
        assert lengths.p50 == pytest.approx(p50, rel=0.015)
        assert lengths.p99 == pytest.approx(p99, rel=0.02)


@pytest.mark.parametrize(("name", "rows"), [(BURST_1, 3), (BURST_3, 4)])
def test_burstgpt_begins_with_its_first_row(traces: Path, name: str, rows: int) -> None:
    found = read(traces / name)
    assert (found.rows, found.arrival_s[0], found.ignored) == (rows, 0.0, ())


def test_agents_of_llmservingsim_wait_for_their_tools(traces: Path) -> None:
    found = statistics(read(traces / AGENTS))
    assert found.sessions is not None
    assert (found.rows, found.sessions.count, found.sessions.waiting, found.sessions.deepest) == (6, 2, 2, 2)


# From each format a run of both engines: first tasks of a window, on a model whose context holds them all.
RUNS: dict[str, dict[str, Any]] = {
    CONV: {"window_s": [600.0, 630.0]},
    CODE: {"window_s": [600.0, 700.0], "rate_scale": 2.0, "sample_ratio": 0.5},
    CHAT: {"window_s": [0.0, 60.0], "spread_ticks": True, "longest_tokens": 20_000},
    MADE: {"window_s": [10.0, 40.0], "longest_tokens": 20_000},
    BURST_1: {},
    BURST_3: {},
    FLAT: {},
    AGENTS: {},
    SERVEGEN: {"window_s": [50_000.0, 50_003.0]},
}


@pytest.mark.parametrize("name", RUNS)
def test_both_engines_agree_on_a_run_from_a_trace(traces: Path, name: str) -> None:
    document = a_run_of(traces / name, **RUNS[name])
    count = document["workload"]["tasks"]["count"]
    document |= {"model": {"preset": "qwen3-8b"}, "parallelism": {"tp": 1, "dp": 2}}
    document["workload"]["tasks"]["count"] = min(count, 20)
    scenario = load_scenario(document)
    fast, reference = (run_scenario(scenario, seed=2, engine=engine) for engine in ("fast", "reference"))
    for table in ("steps", "trials", "tasks"):
        assert getattr(fast.records, table).tobytes() == getattr(reference.records, table).tobytes()
    recorded = {True: 6, False: min(count, 20)}[name == AGENTS]
    assert len(fast.records.trials) == recorded
    assert all(check.checked or check.note for check in check_run(scenario, 2, fast))
