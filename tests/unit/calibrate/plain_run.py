"""A measured serving run that nobody measured."""

from __future__ import annotations

from simulator.calibrate.runs import ServingRun

PLAIN = ServingRun(
    row="a",
    gpu="b200-sxm",
    engine="vllm",
    version="1",
    model="qwen3-8b",
    weight_dtype="bf16",
    kv_dtype="bf16",
    tp=1,
    prompt_tokens=1024,
    output_tokens=1024,
    concurrency=16,
    tpot_s=0.01,
    ttft_s=0.1,
)
