"""Files of benchmark tools as the tools lay them out, made of runs; nothing in them was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simulator.measured import BenchRun, Requests

HERE = Path("result.json")


def summary(
    *,
    concurrency: int | None = 8,
    tpot_s: float = 0.01,
    prompt: float = 500.0,
    output: float = 200.0,
    ttft_s: float = 0.05,
    requests: int = 100,
    rate: float | None = math.inf,
    model: str | None = "Qwen/Qwen3-8B",
) -> BenchRun:
    """Return a run whose numbers fit each other; without a limit requests come at `rate`, or all at once."""
    end_s = ttft_s + (output - 1) * tpot_s
    spread_s = requests / rate if rate and rate != math.inf else 0.0
    return BenchRun(
        tool="vLLM bench serve",
        path=HERE,
        line=1,
        number=1,
        model=model,
        backend="openai",
        request_rate_per_s=rate,
        max_concurrency=concurrency,
        completed=requests,
        failed=0,
        prompt_tokens=prompt,
        output_tokens=output,
        duration_s=requests * end_s / concurrency if concurrency else spread_s + end_s,
        tpot_s=tpot_s,
        ttft_s=ttft_s,
        ttft_median_s=ttft_s,
        itl_s=tpot_s,
        e2e_s=None,
    )


def detailed(run: BenchRun, requests: Requests) -> BenchRun:
    """Return `run` with lists of requests, and the means that follow from them."""
    kept = [place for place, failed in enumerate(requests.failed) if not failed]
    gaps = [gap for place in kept for gap in requests.itl_s[place]]
    tpots = [
        math.fsum(requests.itl_s[place]) / (requests.output_tokens[place] - 1)
        for place in kept
        if requests.output_tokens[place] > 1
    ]
    return replace(
        run,
        completed=len(kept),
        failed=len(requests.failed) - len(kept),
        prompt_tokens=_mean([requests.prompt_tokens[place] for place in kept]),
        output_tokens=_mean([requests.output_tokens[place] for place in kept]),
        ttft_s=_mean([requests.ttft_s[place] for place in kept]),
        itl_s=_mean(gaps),
        tpot_s=_mean(tpots),
        e2e_s=_mean(requests.end_to_end_s()),
        duration_s=math.fsum(requests.end_to_end_s()) / (run.max_concurrency or 4),
        requests=requests,
    )


def even_requests(count: int, *, prompt: int, output: int, ttft_s: float, itl_s: float) -> Requests:
    """Return requests that are all alike."""
    return Requests(
        prompt_tokens=(prompt,) * count,
        output_tokens=(output,) * count,
        ttft_s=(ttft_s,) * count,
        itl_s=((itl_s,) * (output - 1),) * count,
        failed=(False,) * count,
    )


def vllm(run: BenchRun) -> dict[str, object]:
    """Return the object that ``vllm bench serve`` writes of a run."""
    found: dict[str, object] = {
        "date": "20260101-120000",
        "endpoint_type": "openai",
        "backend": run.backend,
        "label": None,
        "model_id": run.model,
        "tokenizer_id": run.model,
        "num_prompts": run.completed + run.failed,
        "request_rate": "inf" if run.request_rate_per_s == math.inf else run.request_rate_per_s,
        "burstiness": 1.0,
        "max_concurrency": run.max_concurrency,
        **_totals(run),
        "failed": run.failed,
        "request_goodput": None,
    }
    return found | _lists(run) | _means(run, "e2el")


def sglang(run: BenchRun) -> dict[str, object]:
    """Return the object that ``sglang.bench_serving`` writes of a run."""
    found: dict[str, object] = {
        "backend": run.backend,
        "dataset_name": "random",
        "request_rate": run.request_rate_per_s,
        "max_concurrency": run.max_concurrency,
        "sharegpt_output_len": None,
        "random_input_len": 1024,
        "random_output_len": 1024,
        "random_range_ratio": 0.0,
        **_totals(run),
        "total_output_tokens_retokenized": round(run.output_tokens * run.completed),
        "accept_length": run.tokens_per_step,
    }
    return found | _lists(run) | _means(run, "e2e_latency")


def write(path: Path, *objects: object, indent: int | None = None) -> Path:
    """Write objects one after the other, as tools that append do, without a last line's end."""
    path.write_text("\n".join(json.dumps(each, indent=indent) for each in objects), encoding="utf-8")
    return path


def _totals(run: BenchRun) -> dict[str, object]:
    tokens = run.output_tokens * run.completed
    return {
        "duration": run.duration_s,
        "completed": run.completed,
        "total_input_tokens": round(run.prompt_tokens * run.completed),
        "total_output_tokens": round(tokens),
        "request_throughput": run.completed / run.duration_s,
        "output_throughput": round(tokens) / run.duration_s,
    }


def _lists(run: BenchRun) -> dict[str, object]:
    requests = run.requests
    if requests is None:
        return {}
    found: dict[str, object] = {
        "input_lens": list(requests.prompt_tokens),
        "output_lens": list(requests.output_tokens),
        "ttfts": list(requests.ttft_s),
        "itls": [list(row) for row in requests.itl_s],
        "generated_texts": ["" for _ in requests.ttft_s],
        "errors": ["Timeout" if failed else "" for failed in requests.failed],
    }
    return found if requests.start_s is None else found | {"start_times": list(requests.start_s)}


def _means(run: BenchRun, e2e: str) -> dict[str, object]:
    times = {
        "mean_ttft_ms": run.ttft_s,
        "median_ttft_ms": run.ttft_median_s,
        "mean_tpot_ms": run.tpot_s,
        "mean_itl_ms": run.itl_s,
        f"mean_{e2e}_ms": run.e2e_s,
    }
    return {name: time * 1e3 for name, time in times.items() if time is not None}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
