"""Files of other benchmark tools as the tools lay them out; nothing in them was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

START_NS = 1_762_551_534_797_067_827


def metric(unit: str, value: object) -> dict[str, object]:
    return {"value": value, "unit": unit}


def aiperf_line(*, start_s: float = 0.0, phase: str = "profiling", **changes: object) -> dict[str, Any]:
    """Return a line of AIPerf: 100 tokens in, 3 out after 50, 60 and 75 ms."""
    metrics = {
        "time_to_first_token": metric("ms", 50.0),
        "request_latency": metric("ms", 75.0),
        "inter_token_latency": metric("ms", 12.5),
        "inter_chunk_latency": metric("ms", [10.0, 15.0]),
        "input_sequence_length": metric("tokens", 100),
        "output_sequence_length": metric("tokens", 3),
    }
    metadata = {"benchmark_phase": phase, "request_start_ns": START_NS + round(start_s * 1e9)}
    kept = {name: value for name, value in (metrics | changes).items() if value is not None}
    return {"metadata": metadata, "metrics": kept}


def stated(unit: str, mean: float) -> dict[str, object]:
    return {"unit": unit, "avg": mean, "p50": mean, "p90": 2 * mean, "p99": 3 * mean, "std": mean / 2}


def perf_summary(**changes: object) -> dict[str, Any]:
    """Return a summary as AIPerf and GenAI-Perf lay it out."""
    found = {
        "request_throughput": {"unit": "requests/sec", "avg": 2.0},
        "request_count": {"unit": "requests", "avg": 20.0},
        "time_to_first_token": stated("ms", 50.0),
        "inter_token_latency": stated("ms", 12.5),
        "request_latency": stated("ms", 1287.5),
        "output_sequence_length": stated("tokens", 100.0),
        "input_sequence_length": stated("tokens", 500.0),
        "output_token_throughput": {"unit": "tokens/sec", "avg": 200.0},
        "input_config": {"model": ["Qwen/Qwen3-8B"], "perf_analyzer": {"stimulus": {"concurrency": 4}}},
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


TABLE = """Metric,avg,min,max,p99,p90,p50
Time To First Token (ms),"1,146.31",249.48,"3,485.23","3,457.97","3,215.06",640.07
Inter Token Latency (ms),30.35,27.59,35.60,35.23,32.53,30.13
Request Latency (ms),"6,406.20","5,371.47","9,608.72","9,436.13","9,028.16","5,690.23"
Output Sequence Length (tokens),174.45,164.00,187.00,186.22,180.10,174.00
Input Sequence Length (tokens),"3,000.05","2,999.00","3,001.00","3,001.00","3,001.00","3,000.00"

Metric,Value
Output Token Throughput (per sec),261.25
Request Throughput (per sec),1.50
Request Count (count),40.00
"""
"""A table of GenAI-Perf with numbers above 999."""

CONFIGURATIONS = """Config Name,Concurrency,ISL,{times},{rates}
one,32,200,184.43,30.90,1134.92,10.12
two,16,200,230.99,30.38,1135.38,10.09
""".format(
    times="p99 Time To First Token (ms),p99 Inter Token Latency (ms)",
    rates="Avg. Output Token Throughput (tokens/sec),Request Throughput (requests/sec)",
)


def successful(mean: float) -> dict[str, object]:
    return {
        "successful": {"mean": mean, "std_dev": 0.0, "percentiles": {"p50": mean, "p90": mean, "p99": mean}}
    }


def guidellm(
    version: int | None,
    *,
    count: int = 4,
    listed: Sequence[Mapping[str, object]] = (),
    **strategy: object,
) -> dict[str, Any]:
    """Return a report of one benchmark in one of the three layouts."""
    metrics = {
        "time_to_first_token_ms": successful(50.0),
        "inter_token_latency_ms": successful(10.0),
        "request_latency": successful(0.24),
        "prompt_token_count": successful(100.0),
        "output_token_count": successful(20.0),
    }
    totals = {"successful": count, "errored": 1, "incomplete": 0, "total": count + 1}
    benchmark = {"duration": 2.0, "metrics": metrics, "requests": {"successful": list(listed)}}
    if version is None:
        return {"benchmarks": [benchmark | {"request_totals": totals, "args": {"strategy": strategy}}]}
    metrics["request_totals"] = totals  # type: ignore[assignment] - of another shape than the others
    config = {"strategy": strategy, "backend": {"model": None}}
    return {"metadata": {"version": version}, "benchmarks": [benchmark | {"config": config}]}


def guidellm_request(start_s: float, *, version: int | None) -> dict[str, object]:
    """Return one request of a report, at a time since 1970."""
    name = "start_time" if version is None else "request_start_time"
    return {
        name: 1_768_918_269.25 + start_s,
        "prompt_tokens": 100,
        "output_tokens": 20,
        "time_to_first_token_ms": 50.0,
        "inter_token_latency_ms": 10.0,
        "request_latency": 0.24,
    }


def inferencex(**changes: object) -> dict[str, Any]:
    """Return an aggregate of fixed lengths: at most 1000 and 100, 900 and 90 on average, on 2 GPUs."""
    found: dict[str, object] = {"hw": "b200", "conc": 8, "model": "Qwen/Qwen3-8B", "framework": "vllm"}
    found |= {"infmax_model_prefix": "qwen3", "precision": "fp8", "tp": 2, "isl": 1000, "osl": 100}
    found |= {"output_tput_per_gpu": 400.0, "input_tput_per_gpu": 4000.0}
    for name, mean in (("ttft", 0.1), ("tpot", 0.01), ("itl", 0.01), ("e2el", 0.1 + 89 * 0.01)):
        found |= {f"mean_{name}": mean, f"median_{name}": mean, f"p99.9_{name}": 2 * mean, f"std_{name}": 0.0}
    return found | changes


def scrape(
    *, requests: int, start_s: float = 1.5e9, version: int = 1, engines: int = 1, running: int = 0
) -> str:
    """Return what a server of vLLM says after so many requests of 100 tokens in and 11 out.

    Each took 0.15 s to the first token and 10 ms for every further one.
    """
    labels = 'model_name="Qwen/Qwen3-8B"'
    lines = ["# HELP process_start_time_seconds Start.", f"process_start_time_seconds {start_s}"]
    kv = "kv_cache_usage_perc" if version else "gpu_cache_usage_perc"
    token = "inter_token_latency_seconds" if version else "time_per_output_token_seconds"
    for engine in range(engines):
        own = f'{labels},engine="{engine}"' if version else labels
        part = requests / engines
        lines += [f"vllm:num_requests_running{{{own}}} {running}", f"vllm:num_requests_waiting{{{own}}} 0"]
        lines += [f"vllm:{kv}{{{own}}} 0.25"]
        for name, edges, value, count in (
            ("time_to_first_token_seconds", (0.1, 0.2), 0.15, part),
            (token, (0.005, 0.025), 0.01, 10 * part),
            ("e2e_request_latency_seconds", (0.2, 0.5), 0.25, part),
            ("request_prompt_tokens", (50.0, 200.0), 100.0, part),
            ("request_generation_tokens", (10.0, 20.0), 11.0, part),
        ):
            for edge in (*edges, float("inf")):
                below = count if value <= edge else 0.0
                le = "+Inf" if edge == float("inf") else f"{edge}"
                lines.append(f'vllm:{name}_bucket{{{own},le="{le}"}} {below}')
            lines += [f"vllm:{name}_count{{{own}}} {count}", f"vllm:{name}_sum{{{own}}} {count * value}"]
    return "\n".join(lines) + "\n"


OWN_COLUMNS = ("request_id", "arrival_s", "prompt_tokens", "output_tokens", "ttft_s", "tpot_s", "e2e_s")


def own_table(rows: Sequence[Sequence[object]], columns: Sequence[str] = OWN_COLUMNS) -> str:
    """Return a table in our form."""
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


def save(path: Path, *objects: object) -> Path:
    """Write texts as they are and anything else as JSON, a line each."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in objects]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path
