"""A run as ``vllm bench serve --save-result --save-detailed`` leaves it.

Times in the lists are seconds: whole nanoseconds over 10^9, so that rounding what is read to nanoseconds
gives them back.  Requests that failed keep the tokens that they got in ``output_lens``, where the tool writes
0: a replay has to hold their place.  ``date`` is null, as equal runs give equal files; texts are empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import numpy as np

from simulator.api import Result
from simulator.emit.figures import Lists, peaks, statistics, totals
from simulator.emit.requests import Request, Served
from simulator.units import NS_PER_S

BACKEND: Final = "openai"
"""What the tool calls a server that it asks by vLLM's own API."""


def text(result: Result, served: Served) -> Iterator[str]:
    """Yield the file in pieces.

    Parameters
    ----------
    result : the run.
    served : its requests.
    """
    lists = _lists(served)
    requests = served.requests
    before = _load(result, served) | {
        "duration": lists.duration,
        "completed": len(lists.starts),
        "failed": len(requests) - len(lists.starts),
        **totals(lists),
        "input_lens": [request.prompt_tokens for request in requests],
        "output_lens": [request.output_tokens for request in requests],
        "ttfts": [(request.ttft_ns or 0) / NS_PER_S for request in requests],
    }
    after: dict[str, object] = {
        "start_times": [request.sent_ns / NS_PER_S for request in requests],
        "generated_texts": [""] * len(requests),
        "errors": [request.error for request in requests],
        **peaks(lists),
        **statistics(lists),
    }
    yield json.dumps(before, allow_nan=False)[:-1]
    # The longest list, row by row: as one it would take many times the room of the run.
    before_row = ', "itls": ['
    for request in requests:
        yield before_row + json.dumps([gap / NS_PER_S for gap in request.gaps_ns])
        before_row = ", "
    yield f"], {json.dumps(after, allow_nan=False)[1:]}\n"


def _load(result: Result, served: Served) -> dict[str, object]:
    """Return what was asked of the server, in the tool's order; our own keys begin with ``kinesim_``."""
    scenario = result.scenario
    model = scenario.model.architecture.name
    rate, burstiness = _rate(result, served)
    return {
        "date": None,
        "endpoint_type": BACKEND,
        "backend": BACKEND,
        "label": None,
        "model_id": model,
        "tokenizer_id": model,
        "num_prompts": len(served.requests),
        "kinesim_scenario": scenario.name,
        "kinesim_seed": str(result.seed),
        "kinesim_notes": "; ".join(served.notes),
        "request_rate": rate,
        "burstiness": burstiness,
        "max_concurrency": served.concurrency,
    }


def _rate(result: Result, served: Served) -> tuple[float | str, float]:
    """Return the rate of arrivals, ``inf`` where all came at once or waited, and its burstiness."""
    arrivals, alone = result.scenario.workload.arrivals, not any(request.node for request in served.requests)
    if served.concurrency is not None:
        return "inf", 1.0
    if alone and arrivals.kind in {"poisson", "gamma"}:
        cv = arrivals.cv if arrivals.kind == "gamma" else 1.0
        return arrivals.rate_per_s, 1.0 / (cv * cv)
    span_ns = served.requests[-1].sent_ns - served.requests[0].sent_ns
    return ((len(served.requests) - 1) * NS_PER_S / span_ns if span_ns else "inf"), 1.0


def _lists(served: Served) -> Lists:
    answered = list(served.answered)

    def seconds(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array(values, dtype=np.int64) / NS_PER_S

    return Lists(
        starts=seconds([request.sent_ns for request in answered]),
        ttfts=seconds([_first(request) for request in answered]),
        latencies=seconds([request.e2e_ns for request in answered]),
        gaps=[np.diff(request.token_ns) / NS_PER_S for request in answered],
        inputs=np.array([request.prompt_tokens for request in answered], dtype=np.int64),
        outputs=np.array([request.output_tokens for request in answered], dtype=np.int64),
        duration=_span_ns(served) / NS_PER_S,
    )


def _first(request: Request) -> int:
    return request.ttft_ns or 0


def _span_ns(served: Served) -> int:
    """Return the time from the first request to the end of the last, ns."""
    return max(one.ended_ns for one in served.requests) - min(one.sent_ns for one in served.requests)
