"""A run as AIPerf leaves it in ``profile_export.jsonl``: a line a request, its times in ms beside their unit.

The tool's stamps are nanoseconds since 1970; the simulated clock begins at `EPOCH_NS`.  Requests of a task
have one conversation, and each names its parent, as AIPerf does for the requests of an agent.  A request that
was not answered has ``was_cancelled`` or an error, and the tokens that it got in ``output_sequence_length``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from simulator.api import Result
from simulator.emit.requests import CANCELLED, Request, Served

EPOCH_NS: Final = 1_700_000_000_000_000_000
"""Nanoseconds from 1970 to the beginning of the simulated clock, a round number (14 November 2023)."""

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
CLIENT_ERROR: Final = 499
"""Status of a request whose client went away (nginx), which AIPerf writes for cancelled ones."""


def text(result: Result, served: Served) -> Iterator[str]:
    """Yield the lines of the file.

    Parameters
    ----------
    result : the run.
    served : its requests.
    """
    replicas = _replicas(result)
    for number, request in enumerate(served.requests):
        line = {
            "metadata": _metadata(number, request, replicas[request.task, request.node]),
            "metrics": _metrics(request),
            "error": _error(request),
        }
        yield json.dumps(line, allow_nan=False) + "\n"


def _replicas(result: Result) -> dict[tuple[int, int], int]:
    return {(row[0], row[1]): row[3] for row in result.records.trials[:, :4].tolist()}


def _metadata(number: int, request: Request, replica: int) -> dict[str, object]:
    task, is_cancelled = f"task-{request.task}", request.error == CANCELLED
    parent = f"{task}-node-{request.parent}" if request.parent >= 0 else None
    return {
        "session_num": number,
        "x_request_id": f"{task}-node-{request.node}",
        "x_correlation_id": f"{task}-node-{request.node}",
        "conversation_id": task,
        "turn_index": request.node,
        "parent_correlation_id": parent,
        "root_correlation_id": f"{task}-node-0",
        "credit_issued_ns": EPOCH_NS + request.sent_ns,
        "request_start_ns": EPOCH_NS + request.sent_ns,
        "request_ack_ns": EPOCH_NS + request.sent_ns,
        "request_end_ns": EPOCH_NS + request.ended_ns,
        "worker_id": f"replica-{replica}",
        "record_processor_id": "kinesim",
        "benchmark_phase": "profiling",
        "was_cancelled": is_cancelled,
        "cancellation_time_ns": EPOCH_NS + request.ended_ns if is_cancelled else None,
    }


def _error(request: Request) -> dict[str, object] | None:
    if not request.error:
        return None
    if request.error == CANCELLED:
        return {"code": CLIENT_ERROR, "type": "RequestCancellationError", "message": request.error}
    return {"code": None, "type": "RequestUnfinished", "message": request.error}


def _metrics(request: Request) -> dict[str, object]:
    """Return what was measured; of a request that was not answered the tokens alone."""
    tokens, first_ns, gaps_ns = request.output_tokens, request.ttft_ns, request.gaps_ns
    found: dict[str, object] = {
        "input_sequence_length": _value(request.prompt_tokens, "tokens"),
        "output_sequence_length": _value(tokens, "tokens"),
        "output_token_count": _value(tokens, "tokens"),
    }
    if request.error or first_ns is None:
        return found
    found |= {
        "time_to_first_token": _ms(first_ns),
        "time_to_first_output_token": _ms(first_ns),
        "request_latency": _ms(request.e2e_ns),
        "prefill_throughput": _value(request.prompt_tokens * NS_PER_S / first_ns, "tokens/sec"),
    }
    if not gaps_ns:
        return found
    mean_ns = (request.e2e_ns - first_ns) / len(gaps_ns)
    return found | {
        "time_to_second_token": _ms(gaps_ns[0]),
        "inter_chunk_latency": {"value": [gap / NS_PER_MS for gap in gaps_ns], "unit": "ms"},
        "inter_token_latency": _value(mean_ns / NS_PER_MS, "ms"),
        "output_token_throughput_per_user": _value(NS_PER_S / mean_ns, "tokens/sec/user"),
    }


def _value(value: float, unit: str) -> dict[str, object]:
    return {"value": value, "unit": unit}


def _ms(nanoseconds: int) -> dict[str, object]:
    return _value(nanoseconds / NS_PER_MS, "ms")
