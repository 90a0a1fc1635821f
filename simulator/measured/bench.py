"""A run of a benchmark tool against a server, in one form whatever the tool.

Times are in seconds whatever the file has; what a file does not say is None or missing, never a default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.measured.columns import Column, Ragged, floats
from simulator.measured.statistics import Statistics


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
    e2e_s : time to the last token; None where it follows from `ttft_s` and `itl_s`.
    tpot_s : time per output token after the first, NaN where there is none; None where it follows from the
        others.
    """

    prompt_tokens: Sequence[int]
    output_tokens: Sequence[int]
    ttft_s: Sequence[float]
    itl_s: Sequence[Sequence[float]]
    failed: Sequence[bool]
    start_s: Sequence[float] | None = None
    e2e_s: Sequence[float] | None = None
    tpot_s: Sequence[float] | None = None

    def answered(self) -> NDArray[np.bool_]:
        """Return which requests did not fail, shape (requests,)."""
        return ~np.array(self.failed, dtype=np.bool_)

    def end_to_end_s(self) -> Column[float]:
        """Return the time from sending to the last token of the requests that did not fail, s."""
        return self.ends_s().taken(self.answered())

    def ends_s(self) -> Column[float]:
        """Return the time from sending to the last token of every request, s."""
        if self.e2e_s is not None:
            return floats(self.e2e_s) if not isinstance(self.e2e_s, Column) else self.e2e_s
        return floats(ttft + math.fsum(gaps) for ttft, gaps in zip(self.ttft_s, self.itl_s, strict=True))

    def token_seconds(self) -> Column[float]:
        """Return the time per output token after the first of every request, s; NaN where there is none."""
        if self.tpot_s is not None:
            return floats(self.tpot_s) if not isinstance(self.tpot_s, Column) else self.tpot_s
        return floats(
            (end - ttft) / (output - 1) if output > 1 else math.nan
            for end, ttft, output in zip(self.ends_s(), self.ttft_s, self.output_tokens, strict=True)
        )

    def gaps_s(self, kept: NDArray[np.bool_]) -> Column[float]:
        """Return the times between what arrived of the requests that are `kept`, s."""
        rows = self.itl_s if isinstance(self.itl_s, Ragged) else Ragged.of(self.itl_s)
        return rows.flat if kept.all() else rows.flat.taken(np.repeat(kept, rows.lengths()))


@dataclass(frozen=True, slots=True)
class Series:
    """The state of the server over time; all fields have the same length, NaN where nothing was recorded.

    Parameters
    ----------
    t_s : moments, s, on the clock of the requests' arrivals, the first of which is 0.
    running, waiting : requests.
    kv_ratio : part of the KV cache that is in use.
    """

    t_s: Sequence[float]
    running: Sequence[float]
    waiting: Sequence[float]
    kv_ratio: Sequence[float]


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One run: what was asked of the server, and the figures over the requests that completed.

    Parameters
    ----------
    tool : which benchmark wrote it.
    path, line, number : the file, and in it the line and the number of the run, both from 1.
    model, backend : what the client called; None where the file does not say.
    request_rate_per_s : rate of arrivals; infinity: all at once, as far as `max_concurrency` lets them.
    max_concurrency : requests that the client kept in flight at most; None: no limit.
    completed, failed : requests; empty answers count as failed where the file shows them.
    prompt_tokens, output_tokens : mean lengths.
    duration_s : from the first request to the last token, or whatever time the file's rates refer to.
    tpot_s, ttft_s, itl_s, e2e_s : mean times; None where the file does not say.
    ttft_median_s : its median.
    tokens_per_step : mean of speculative decoding; None without it.
    requests : each request, where the file holds them.
    lengths : prompt and output of each request, where the file holds them without times.
    stats : what is known of ``ttft``, ``tpot``, ``itl`` (between tokens or chunks) and ``e2e``, s.
    gap_cv : standard deviation of the gaps between arrivals over their mean; 0 for a constant rate.
    output_tokens_per_s, requests_per_s : as the file states them.
    series : the server over time.
    stated : what the file says of the server, by ``gpu``, ``tp``, ``precision``, ``engine``, ``kv_blocks``.
    notes : what a reader of the figures has to know.
    """

    tool: str
    path: Path
    line: int
    number: int
    model: str | None
    backend: str | None
    request_rate_per_s: float | None
    max_concurrency: int | None
    completed: int | None
    failed: int
    prompt_tokens: float | None
    output_tokens: float | None
    duration_s: float | None
    tpot_s: float | None
    ttft_s: float | None
    ttft_median_s: float | None
    itl_s: float | None
    e2e_s: float | None
    tokens_per_step: float | None = None
    requests: Requests | None = None
    lengths: tuple[Sequence[int], Sequence[int]] | None = None
    stats: dict[str, Statistics] = field(default_factory=dict)
    gap_cv: float = 1.0
    output_tokens_per_s: float | None = None
    requests_per_s: float | None = None
    series: Series | None = None
    stated: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The file and the line at which the run begins."""
        return f"{self.path}:{self.line}"

    @property
    def is_closed_loop(self) -> bool:
        """Whether the client kept `max_concurrency` requests in flight."""
        return self.max_concurrency is not None and self.request_rate_per_s in (None, math.inf)

    def output_rate(self) -> float | None:
        """Return output tokens per second, as stated or from totals; None if unknown."""
        if self.output_tokens_per_s is not None:
            return self.output_tokens_per_s
        rate = self.request_rate()
        return None if rate is None or self.output_tokens is None else rate * self.output_tokens

    def request_rate(self) -> float | None:
        """Return completed requests per second, as stated or from totals; None if unknown."""
        if self.requests_per_s is not None:
            return self.requests_per_s
        if self.completed is None or not self.duration_s:
            return None
        return self.completed / self.duration_s
