"""What can be said of a trace: rate, burstiness, lengths, shared prefixes, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workloads.traces.kinship import roots_and_depths
from workloads.traces.table import NONE, FloatArray, IntArray, PrefixBlocks, Trace

QUANTILES: Final = (0.5, 0.9, 0.99)
FEW_MOMENTS: Final = 0.5
"""A trace with fewer distinct arrivals than this part of its rows is told to be quantised."""

MIX: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Constants of the SplitMix64 generator (Steele, Lea and Flood, OOPSLA 2014)."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of prompts or outputs, tokens; quantiles are interpolated linearly."""

    mean: float
    p50: float
    p90: float
    p99: float
    longest: int
    total: int

    @classmethod
    def of(cls, tokens: IntArray) -> Lengths:
        """Return those of `tokens`."""
        p50, p90, p99 = (float(value) for value in np.quantile(tokens, QUANTILES))
        return cls(float(tokens.mean()), p50, p90, p99, int(tokens.max()), int(tokens.sum()))


@dataclass(frozen=True, slots=True)
class Sharing:
    """How far prompts begin as earlier ones do.

    Parameters
    ----------
    blocks : prefix blocks of all prompts.
    seen_ratio : part of them that a cache without limit would hold, because an earlier prompt begins with the
        same blocks up to there.
    block_tokens : tokens of a block.
    """

    blocks: int
    seen_ratio: float
    block_tokens: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """Trees of requests that follow others, or requests that name the same session.

    Parameters
    ----------
    count : sessions.
    requests : requests in them.
    longest : most requests of one.
    deepest : most ancestors of a request.
    waiting : requests sent when their parent has ended, whatever the clock says.
    """

    count: int
    requests: int
    longest: int
    deepest: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of a trace; None where it does not tell them.

    Parameters
    ----------
    rows : requests.
    span_s : from the first arrival to the last, s.
    rate_per_s : requests with an arrival of their own over the span, 1/s.
    gap_cv : standard deviation of the times between arrivals over their mean.
    second_cv : that of the arrivals per second.
    moments : distinct arrivals.
    tick_s : usual time between distinct arrivals, s, where there are few of them.
    """

    rows: int
    span_s: float
    rate_per_s: float | None
    gap_cv: float | None
    second_cv: float | None
    moments: int
    tick_s: float | None
    prompts: Lengths | None
    outputs: Lengths | None
    sharing: Sharing | None
    sessions: Sessions | None


def statistics(trace: Trace) -> Statistics:
    """Return the figures of a trace with at least one row."""
    arrivals = trace.own_arrivals_s
    span_s = float(arrivals[-1] - arrivals[0])
    moments = int((np.diff(arrivals) > 0).sum()) + 1
    return Statistics(
        rows=trace.rows,
        span_s=span_s,
        rate_per_s=len(arrivals) / span_s if span_s else None,
        gap_cv=_variation(np.diff(arrivals)),
        second_cv=_second_variation(arrivals),
        moments=moments,
        tick_s=tick_s(arrivals) if moments < FEW_MOMENTS * len(arrivals) else None,
        prompts=None if trace.prompt_tokens is None else Lengths.of(trace.prompt_tokens),
        outputs=None if trace.output_tokens is None else Lengths.of(trace.output_tokens),
        sharing=None if trace.blocks is None else sharing(trace.blocks),
        sessions=_sessions(trace),
    )


def tick_s(arrivals: FloatArray) -> float:
    """Return the usual (median) time between distinct arrivals, s; 0 where there is but one.

    Examples
    --------
    >>> tick_s(np.array([0.0, 0.0, 3.0, 5.999, 9.0, 9.0]))
    3.0
    """
    gaps = np.diff(arrivals)
    gaps = gaps[gaps > 0]
    return float(np.median(gaps)) if len(gaps) else 0.0


def sharing(blocks: PrefixBlocks) -> Sharing:
    """Return how far prompts begin as earlier ones do.

    Notes
    -----
    A block is seen if an earlier row begins with the very blocks up to it.  What a row begins
    with is known by a number of 64 bits for each of its blocks: the sum, modulo 2^64, of mixed (id,
    place) of all up to it.  Ten million blocks mistake one for another with a chance of about 3 in a
    million.

    Examples
    --------
    >>> blocks = PrefixBlocks(np.array([0, 3, 5]), np.array([1, 2, 3, 1, 9]), 512)
    >>> sharing(blocks).seen_ratio
    0.2
    """
    lengths = np.diff(blocks.offsets)
    total = len(blocks.ids)
    if not total:
        return Sharing(0, 0.0, blocks.tokens)
    places = np.arange(total) - np.repeat(blocks.offsets[:-1], lengths)
    sums = np.cumsum(_mixed(blocks.ids.astype(np.uint64), places.astype(np.uint64)))
    before = np.concatenate((np.zeros(1, dtype=np.uint64), sums))[blocks.offsets[:-1]]
    starts = sums - np.repeat(before, lengths)
    distinct = len(np.unique(starts))
    return Sharing(total, (total - distinct) / total, blocks.tokens)


def _mixed(ids: NDArray[np.uint64], places: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed numbers of 64 bits."""
    mixed = ids * np.uint64(MIX[0]) + (places + np.uint64(1)) * np.uint64(MIX[2])
    for shift, factor in ((30, MIX[1]), (27, MIX[2])):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    found: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found


def _variation(values: FloatArray) -> float | None:
    """Return standard deviation over mean, None where the mean is 0 or there are no values."""
    mean = float(values.mean()) if len(values) else 0.0
    return float(values.std()) / mean if mean else None


def _second_variation(arrivals: FloatArray) -> float | None:
    """Return the variation of the arrivals per second, empty seconds included; None within one second."""
    seconds = int(arrivals[-1] - arrivals[0]) + 1
    if seconds == 1:
        return None
    counts = np.unique((arrivals - arrivals[0]).astype(np.int64), return_counts=True)[1]
    mean = len(arrivals) / seconds
    return float(np.sqrt(max(0.0, float((counts**2).sum()) / seconds - mean**2))) / mean


def _sessions(trace: Trace) -> Sessions | None:
    parents, sessions = trace.parents, trace.sessions
    if parents is None and sessions is None:
        return None
    deepest = 0
    if parents is not None:
        roots, depths = roots_and_depths(parents)
        deepest = int(depths.max())
        sessions = roots if sessions is None else sessions
    named = sessions[sessions != NONE] if sessions is not None else np.zeros(0, dtype=np.int64)
    sizes = np.unique(named, return_counts=True)[1]
    waiting = int(np.isnan(trace.arrival_s).sum())
    return Sessions(len(sizes), int(sizes.sum()), int(sizes.max(initial=0)), deepest, waiting)
