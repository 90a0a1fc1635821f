"""A run of a benchmark tool against a server, in one form whatever the tool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Requests:
    """What a file tells of each request; all fields have the same length and the order of the file.

    Parameters
    ----------
    prompt_tokens, output_tokens : lengths; of a failed request as the tool wrote them.
    ttft_s : time to the first token.
    itl_s : times between what arrived after it; a chunk may bundle several tokens.
    failed : requests without an answer, or with an empty one; they count in no mean.
    start_s : when a request was sent, on a clock of its own; None where the file does not say.
    """

    prompt_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    ttft_s: tuple[float, ...]
    itl_s: tuple[tuple[float, ...], ...]
    failed: tuple[bool, ...]
    start_s: tuple[float, ...] | None = None

    def end_to_end_s(self) -> list[float]:
        """Return the time from sending to the last token of the requests that did not fail, s."""
        return [
            ttft + math.fsum(gaps)
            for ttft, gaps, failed in zip(self.ttft_s, self.itl_s, self.failed, strict=True)
            if not failed
        ]


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One run: what was asked of the server, and the means over the requests that completed.

    Parameters
    ----------
    tool : which benchmark wrote it.
    path, line, number : the file, and in it the line and the number of the run, both from 1.
    model, backend : what the client called; None where the file does not say.
    request_rate_per_s : rate of arrivals; infinity: all at once, as far as `max_concurrency` lets them.
    max_concurrency : requests that the client kept in flight at most; None: no limit.
    completed, failed : requests; empty answers count as failed where the file shows them.
    prompt_tokens, output_tokens : mean lengths.
    duration_s : from the first request to the last token.
    tpot_s, ttft_s, itl_s, e2e_s : mean times; None where the file does not say.
    ttft_median_s : its median.
    tokens_per_step : mean of speculative decoding; None without it.
    requests : each request, where the file holds them.
    """

    tool: str
    path: Path
    line: int
    number: int
    model: str | None
    backend: str | None
    request_rate_per_s: float | None
    max_concurrency: int | None
    completed: int
    failed: int
    prompt_tokens: float
    output_tokens: float
    duration_s: float
    tpot_s: float | None
    ttft_s: float | None
    ttft_median_s: float | None
    itl_s: float | None
    e2e_s: float | None
    tokens_per_step: float | None = None
    requests: Requests | None = None

    @property
    def where(self) -> str:
        """The file and the line at which the run begins."""
        return f"{self.path}:{self.line}"

    @property
    def is_closed_loop(self) -> bool:
        """Whether the client kept `max_concurrency` requests in flight."""
        return self.max_concurrency is not None and self.request_rate_per_s in (None, math.inf)
