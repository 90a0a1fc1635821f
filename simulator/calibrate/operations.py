"""The fit of each operation: which rows, which numbers, which shapes are held out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pandas as pd

from simulator.calibrate.fitting import Errors, Mask, Vector, fit_and_judge, fitted, rounded
from simulator.calibrate.memory import awaited, from_memory, timed_warm, usable
from simulator.calibrate.routing import power_law_load
from simulator.calibrate.splits import held_out
from simulator.calibrate.tables import HEAD_DIM, Timings
from simulator.hardware import DTYPE_BYTES, Dtype, Gpu, multiplied_as
from simulator.hardware.calibration import (
    AllreduceFit,
    DecodeAttentionFit,
    ExpertsFit,
    GemmFit,
    PrefillAttentionFit,
    SelectionFit,
)
from simulator.hardware.forms import (
    decode_attention_seconds,
    experts_seconds,
    gemm_seconds,
    interpolate_log,
    prefill_attention_seconds,
)

ELEMENT_BYTES: Final[dict[Dtype, float]] = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625, "mxfp4": 0.53125}
"""Bytes of a weight with its block scales: NVFP4 has one byte per 16 elements, MXFP4 one per 32."""

SMALLEST_SIDE: Final = 256
MOST_ROWS: Final = 16_384
GROUPS: Final = (2, 16)
"""Query heads per KV head in models of today."""

BLOCK_TOKENS: Final = 128
BUDGET_TOKENS: Final = 2048
INDEX_BYTES: Final = 256
"""Block top-k module that was measured (MiniMax-M3): blocks, budget, index bytes per token and layer."""

MOST_SELECTION_ERROR: Final = 1.0
"""Error at the 90th percentile of held-out contexts beyond which block top-k is not as the form has it: one
engine scans the index of a long sequence in one thread block, ten times as long as a batch of many."""

SHORT_CONTEXT: Final = 32
SMALLEST_MODULE_HEADS: Final = 8

GEMM_NUMBERS: Final = (
    "launch_s",
    "compute_ratio",
    "memory_ratio",
    "sharpness",
    "inner_s",
    "quantise_ratio",
)
DECODE_BOUNDS: Final[dict[str, Any]] = {
    "starts": ((1e-5, 0.85, 0.8, 1e-8),),
    "lower": (1e-7, 0.05, 0.05, 1e-12),
    "upper": (1e-4, 1.2, 10.0, 1e-6),
    "names": ("launch_s", "memory_ratio", "small_ratio", "sequence_head_s"),
}
DECODE_NUMBERS: Final = DECODE_BOUNDS["names"]
PREFILL_NUMBERS: Final = ("launch_s", "compute_ratio", "token_head_s")
EXPERTS_NUMBERS: Final = (
    "launch_s",
    "compute_ratio",
    "memory_ratio",
    "sharpness",
    "padding_rows",
    "padding_columns",
    "row_element_s",
    "token_s",
)
EXPERTS_BOUNDS: Final[dict[str, Any]] = {
    "starts": ((2e-5, 0.5, 0.8, 2.0, 16.0, 32.0, 1e-12, 1e-8),),
    "lower": (1e-7, 0.01, 0.05, 1.0, 0.1, 0.1, 1e-16, 1e-13),
    "upper": (1e-3, 2.0, 1.2, 20.0, 500.0, 2000.0, 1e-9, 5e-6),
    "names": EXPERTS_NUMBERS,
}
"""What the fitted numbers are called, in the order of the fits."""

SMALLEST_JUDGED_BYTES: Final = 8 * 1024
LARGEST_JUDGED_BYTES: Final = 16 * 1024**2
"""Messages by which the lines between the points of all-reduces are judged: those of decode steps."""

FEWEST_EXPERTS: Final = 16
MOST_RANKS: Final = 8

FEWEST_ROWS: Final = 50
"""Rows below which an operation is not fitted."""


def _columns(rows: pd.DataFrame, *names: str) -> list[Vector]:
    return [rows[name].to_numpy(dtype=np.float64) for name in names]


def fit_gemm(timings: Timings, dtype: Dtype, gpu: Gpu) -> GemmFit | None:
    """Fit matrix products of one format; shapes are (n, k)."""
    rows = timings.rows
    warm = timed_warm(rows, _weights_awaited(rows, gpu), gpu)
    shaped = (rows[["n", "k"]] >= SMALLEST_SIDE).all(axis=1) & (rows["m"] <= MOST_ROWS)
    rows = rows[shaped & (rows["dtype"] == dtype)]
    kept = usable(rows, _weights_awaited(rows, gpu), gpu, warm=warm)
    if kept is None or len(kept) < FEWEST_ROWS or dtype not in gpu.peak_flops_per_s:
        return None
    m, n, k, seconds = _columns(kept, "m", "n", "k", "seconds")
    out = held_out(kept, ["n", "k"])
    peak, bandwidth = gpu.peak(dtype), gpu.hbm_bandwidth_bytes_per_s.value
    converts = dtype != "bf16"

    def predict(numbers: Vector, mask: Mask) -> Vector:
        seconds_of = partial(gemm_seconds, m[mask], k[mask], n[mask])
        result: Vector = np.asarray(
            seconds_of(
                numbers=(*numbers[:5], numbers[5] if converts else 0.0),
                element_bytes=ELEMENT_BYTES[dtype],
                peak_flops_per_s=peak,
                peak_bytes_per_s=bandwidth,
            )
        )
        return result

    extra = [0.5] if converts else []
    starts = [[3e-6, 0.7, 0.8, 2.0, 3e-10, *extra], [6e-6, 0.5, 0.8, 4.0, 6e-10, *extra]]
    numbers, _, fitted_by = fit_and_judge(
        predict,
        seconds,
        out,
        source=timings.source,
        starts=starts,
        lower=[1e-7, 0.02, 0.02, 1.0, 1e-14, *([0.01] if converts else [])],
        upper=[1e-4, 2.0, 2.0, 20.0, 1e-8, *([20.0] if converts else [])],
        names=GEMM_NUMBERS,
    )
    named = dict(zip(GEMM_NUMBERS, numbers, strict=False))
    return GemmFit.model_validate(named | {"element_bytes": ELEMENT_BYTES[dtype], "fitted": fitted_by})


def _weights_awaited(rows: pd.DataFrame, gpu: Gpu) -> pd.Series:
    """Return the bytes of weights that products wait for, 0 where the data sheet has them compute longer."""
    weights = rows["n"] * rows["k"] * _by_dtype(rows, ELEMENT_BYTES)
    peaks = _by_dtype(rows, {dtype: figure.value for dtype, figure in gpu.peak_flops_per_s.items()})
    return awaited(weights, 2.0 * rows["m"] * rows["n"] * rows["k"] / peaks, gpu)


def _by_dtype(rows: pd.DataFrame, values: Mapping[Dtype, float]) -> pd.Series:
    return rows["dtype"].map(values).astype(np.float64)


def fit_decode_attention(timings: Timings, dtype: Dtype, gpu: Gpu) -> DecodeAttentionFit | None:
    """Fit decode attention of one KV format; shapes are (query heads, KV heads)."""
    kept, warm = decode_attention_rows(timings, dtype, gpu)
    if kept is None:
        return None
    moved, batch, kv_heads, seconds = _columns(kept, "moved", "batch", "kv_heads", "seconds")
    out = kept["out"].to_numpy(dtype=np.bool_)
    small = gpu.l2_bytes.value

    def predict(squarings: int, numbers: Vector, mask: Mask) -> Vector:
        # A warm cache tells nothing of how reading begins: as it goes on.
        launch_s, memory_ratio, small_ratio, sequence_head_s = numbers
        small_ratio = memory_ratio if warm else small_ratio
        result: Vector = np.asarray(
            decode_attention_seconds(
                moved[mask],
                batch[mask] * kv_heads[mask],
                numbers=(launch_s, memory_ratio, small_ratio, sequence_head_s, squarings),
                small_bytes=small,
                peak_bytes_per_s=gpu.hbm_bandwidth_bytes_per_s.value,
            )
        )
        return result

    tried = [
        (p, *fit_and_judge(partial(predict, p), seconds, out, source=timings.source, **DECODE_BOUNDS))
        for p in range(5)
    ]
    squarings, numbers, _, fitted_by = min(tried, key=itemgetter(2))
    named = dict(zip(DECODE_NUMBERS, numbers, strict=True))
    first = {"small_ratio": named["memory_ratio"]} if warm else {}
    return DecodeAttentionFit.model_validate(
        named | first | {"small_bytes": small, "squarings": squarings, "fitted": fitted_by}
    )


def decode_attention_rows(timings: Timings, dtype: Dtype, gpu: Gpu) -> tuple[pd.DataFrame | None, bool]:
    """Return the timings of decode attention that tell what the memory does, and whether the cache was warm.

    Parameters
    ----------
    timings : as `KernelTables.decode_attention` returns.
    dtype : of keys and values.
    gpu : its profile.

    Returns
    -------
    Rows with the bytes ``moved`` and whether they are held ``out``, or None where they are too few.
    """
    rows = timings.rows
    warm = timed_warm(rows, _kv_bytes(rows), gpu)
    rows = rows[(rows["dtype"] == dtype) & (rows["heads"] / rows["kv_heads"]).between(*GROUPS)]
    kept = usable(rows, _kv_bytes(rows), gpu, warm=warm)
    if kept is None or len(kept) < FEWEST_ROWS:
        return None, warm
    return kept.assign(moved=_kv_bytes(kept), out=held_out(kept, ["heads", "kv_heads"])), warm


def _kv_bytes(rows: pd.DataFrame) -> pd.Series:
    tokens = rows["batch"] * rows["context"] * rows["kv_heads"]
    return 2.0 * HEAD_DIM * _by_dtype(rows, DTYPE_BYTES) * tokens


def fit_prefill_attention(timings: Timings, dtype: Dtype, gpu: Gpu) -> PrefillAttentionFit | None:
    """Fit prefill attention of prompts of 128 tokens and more; shapes are (query heads, KV heads)."""
    rows = timings.rows[(timings.rows["dtype"] == dtype) & (timings.rows["context"] >= BLOCK_TOKENS)]
    rows = rows[(rows["heads"] / rows["kv_heads"]).between(*GROUPS)]
    if len(rows) < FEWEST_ROWS:
        return None
    batch, heads, context, seconds = _columns(rows, "batch", "heads", "context", "seconds")
    out = held_out(rows, ["heads", "kv_heads"])
    # 4 FLOPs per pair and element, half of the pairs of a causal mask.
    flops = 2.0 * batch * context * (context + 1) * heads * HEAD_DIM
    token_heads = batch * context * heads
    peak = gpu.peak("bf16")

    def predict(numbers: Vector, mask: Mask) -> Vector:
        result: Vector = np.asarray(
            prefill_attention_seconds(
                flops[mask],
                token_heads[mask],
                numbers=tuple(numbers),
                peak_flops_per_s=peak,
            )
        )
        return result

    numbers, _, fitted_by = fit_and_judge(
        predict,
        seconds,
        out,
        source=timings.source,
        starts=[[1e-5, 0.5, 1e-10]],
        lower=[1e-7, 0.01, 1e-14],
        upper=[1e-3, 2.0, 1e-7],
        names=PREFILL_NUMBERS,
    )
    named = dict(zip(PREFILL_NUMBERS, numbers, strict=False))
    return PrefillAttentionFit.model_validate(named | {"fitted": fitted_by})


def fit_allreduce(timings: Timings, gpus: int) -> AllreduceFit | None:
    """Return the measured points of all-reduces over `gpus` GPUs.

    Notes
    -----
    All points ship but lone peaks (`lone_peaks`), so none is held out. The error is that of reading every
    second size between 8 KiB and 16 MiB off its neighbours: it judges what lies between points.
    """
    rows = timings.rows[timings.rows["gpus"] == gpus].sort_values("message_bytes")
    if len(rows) < 4:  # noqa: PLR2004 - two points to join and two to judge
        return None
    size, seconds = _columns(rows, "message_bytes", "seconds")
    kept = ~lone_peaks(size, seconds)
    judged = np.zeros(len(size), dtype=np.bool_)
    judged[1:-1:2] = True
    judged &= (size >= SMALLEST_JUDGED_BYTES) & (size <= LARGEST_JUDGED_BYTES)
    predicted = np.asarray(interpolate_log(size[judged], _knots(size, seconds, kept & ~judged)))
    errors = Errors.of(predicted, seconds[judged])
    by = fitted(timings.source, int(kept.sum()), errors).model_copy(update={"held_out_rows": 0})
    return AllreduceFit(gpus=gpus, knots=_knots(size, seconds, kept), fitted=by)


def lone_peaks(size: Vector, seconds: Vector) -> Mask:
    """Return which points cannot be times of an all-reduce beside their neighbours.

    One algorithm takes at most twice as long for a message twice as long. A point beyond that over the
    smaller message, and as far above the larger one, would take two switches of algorithm around one size.

    Parameters
    ----------
    size : messages, bytes, ascending.
    seconds : their times, s.

    Examples
    --------
    >>> lone_peaks(np.array([1.0, 2.0, 4.0]), np.array([3.3, 38.0, 3.5])).tolist()
    [False, True, False]
    """
    found = np.zeros(len(size), dtype=np.bool_)
    middle, below, above = seconds[1:-1], seconds[:-2], seconds[2:]
    found[1:-1] = (middle > below * size[1:-1] / size[:-2]) & (middle > above * size[2:] / size[1:-1])
    return found


def _knots(size: Vector, seconds: Vector, kept: Mask) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), rounded(float(y))) for x, y in zip(size[kept], seconds[kept], strict=True))


def fit_selection(timings: Timings, dense: DecodeAttentionFit, gpu: Gpu) -> SelectionFit | None:
    """Fit block top-k attention; held out: every second context.

    Notes
    -----
    A measured module holds its projections too. They do not grow with the context, so the time at the
    shortest contexts is taken off: what is left is gathering (up to the budget) and scanning the index.
    """
    rows = timings.rows[(timings.rows["dtype"] == "bf16") & (timings.rows["heads"] >= SMALLEST_MODULE_HEADS)]
    shortest = rows[rows["context"] <= SHORT_CONTEXT].groupby(["batch", "heads"])["seconds"].median()
    rows = rows[rows["context"] >= BLOCK_TOKENS * 8].join(
        shortest.rename("base"), on=["batch", "heads"], how="inner"
    )
    if len(rows) < FEWEST_ROWS:
        return None
    batch, heads, context, base, seconds = _columns(rows, "batch", "heads", "context", "base", "seconds")
    out = (np.round(np.log2(context)).astype(int) % 2) == 1
    gathered = batch * np.minimum(context, BUDGET_TOKENS) * np.maximum(1.0, heads / 16) * 4.0 * HEAD_DIM
    scanned = batch * context * INDEX_BYTES
    bandwidth = gpu.hbm_bandwidth_bytes_per_s.value

    def predict(numbers: Vector, mask: Mask) -> Vector:
        gather, scan, launch = numbers
        moved = gathered[mask] / (gather * bandwidth) + scanned[mask] / (scan * bandwidth)
        result: Vector = base[mask] + launch + moved
        return result

    numbers, _, fitted_by = fit_and_judge(
        predict,
        seconds,
        out,
        source=timings.source,
        starts=[[0.4, 0.4, 1e-6]],
        lower=[0.02, 0.02, 1e-9],
        upper=[5.0, 5.0, 1e-4],
        names=("gather_ratio", "scan_ratio", "launch_s"),
    )
    if fitted_by.p90_error_ratio is None or fitted_by.p90_error_ratio > MOST_SELECTION_ERROR:
        return None
    return SelectionFit(
        gather_ratio=numbers[0],
        scan_ratio=numbers[1],
        launch_s=rounded(dense.launch_s + numbers[2]),
        fitted=fitted_by,
    )


def fit_experts(timings: Timings, dtype: Dtype, gpu: Gpu) -> ExpertsFit | None:
    """Fit layers of experts; shapes are (hidden, inter, count, active), of MXFP4 one GPU's."""
    multiplied = multiplied_as(dtype)
    if multiplied not in gpu.peak_flops_per_s:
        return None
    rows = _experts_from_memory(timings.rows, ELEMENT_BYTES[dtype], gpu.peak(multiplied), gpu)
    if len(rows) < FEWEST_ROWS:
        return None
    tokens, hidden, inter, tp, seconds = _columns(rows, "tokens", "hidden", "inter", "tp", "seconds")
    touched, routed = _columns(rows, "touched", "routed")
    # The two models in MXFP4 differ in the number of experts alone, so a part of each is held out.
    shape = ["hidden", "count", "tp", "ep"] if dtype == "mxfp4" else ["hidden", "inter", "count", "active"]
    out = held_out(rows, shape)
    peak, bandwidth = gpu.peak(multiplied), gpu.hbm_bandwidth_bytes_per_s.value

    def predict(numbers: Vector, mask: Mask) -> Vector:
        result: Vector = np.asarray(
            experts_seconds(
                tokens[mask],
                (touched[mask], routed[mask]),
                (hidden[mask], (inter / tp)[mask]),
                numbers=tuple(numbers),
                element_bytes=ELEMENT_BYTES[dtype],
                peak_flops_per_s=peak,
                peak_bytes_per_s=bandwidth,
            )
        )
        return result

    numbers, _, by = fit_and_judge(predict, seconds, out, source=timings.source, **EXPERTS_BOUNDS)
    named = dict(zip(EXPERTS_NUMBERS, numbers, strict=True))
    return ExpertsFit.model_validate(named | {"element_bytes": ELEMENT_BYTES[dtype], "fitted": by})


def _experts_from_memory(rows: pd.DataFrame, element_bytes: float, peak: float, gpu: Gpu) -> pd.DataFrame:
    """Return layers of experts not read from the cache, with how many are `touched` and rows `routed`."""
    rows = rows[(rows["count"] >= FEWEST_EXPERTS) & (rows["tp"] * rows["ep"] <= MOST_RANKS)]
    rows = rows[rows["tokens"] <= MOST_ROWS]
    whole = rows[["count", "active", "tokens", "ep"]].astype(int).itertuples(index=False)
    touched, routed = np.array([power_law_load(*row) for row in whole]).reshape(-1, 2).T
    rows = rows.assign(touched=touched, routed=routed)
    elements = 3.0 * rows["hidden"] * rows["inter"] / rows["tp"]
    weights = rows["touched"] * elements * element_bytes
    moved = awaited(weights, 2.0 * rows["routed"] * elements / peak, gpu)
    return rows[from_memory(moved, gpu)] if timed_warm(rows, moved, gpu) else rows
