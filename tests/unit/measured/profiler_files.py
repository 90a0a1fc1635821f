"""Traces of the PyTorch profiler, made up in the layout of the published ones."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]


def complete(category: str, name: str, start: float, duration: float, **args: object) -> Event:
    where = {"pid": 0, "tid": 7}
    return {"ph": "X", "cat": category, "name": name, "ts": start, "dur": duration, "args": args, **where}


def execute(batch: int, context: int, *, prompts: int = 0) -> str:
    first = f"{prompts}(sq{9 * prompts}sk{9 * prompts}sqsq0sqsk0)"
    return f"execute_{batch + prompts}_context_{first}_generation_{batch}(sq{batch}sk{context}sqsq9sqsk9)"


def on_gpu(name: str, start: float, duration: float, link: int) -> Event:
    return complete("gpu_user_annotation", name, start, duration, **{"External id": link})


def on_host(name: str, start: float, duration: float, link: int) -> Event:
    return complete("user_annotation", name, start, duration, **{"External id": link})


def launched(call: float, start: float, duration: float, link: int) -> list[Event]:
    """Return a call that launches a kernel, and the kernel."""
    return [
        complete("cuda_runtime", "cudaLaunchKernel", call, 5.0, correlation=link),
        complete("kernel", "gemm", start, duration, correlation=link),
    ]


def trace(*events: Event, **more: object) -> dict[str, Any]:
    return {
        "schemaVersion": 1,
        "deviceProperties": [{"id": 0, "name": "NVIDIA B300"}],
        "distributedInfo": {"backend": "nccl", "rank": 0, "world_size": 2},
        "traceEvents": list(events),
        **more,
    }
