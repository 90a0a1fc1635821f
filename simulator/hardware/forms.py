"""Closed forms of kernel times with a few fitted numbers each, for one case and for arrays of cases.

What a GPU overlaps is combined by a p-norm: near its corner a kernel is slower than the larger of
compute and traffic, far from it the larger decides.  Rates are ratios of the data sheet's peaks.
The forms know nothing of models or engines; `simulator.hardware.calibration` names their numbers.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = "NDArray[np.floating[Any]] | float"

TILE_ROWS: Final = 64
"""Rows of the smallest tile of a matrix product: fewer rows cost as much compute."""


def p_norm(durations: tuple[Number, ...], sharpness: float) -> Number:
    """Return the p-norm of some durations, s; `sharpness` is p.

    Examples
    --------
    >>> round(float(p_norm((3.0, 4.0, 0.0), 2.0)), 12)
    5.0
    """
    largest = durations[0]
    for duration in durations[1:]:
        largest = np.maximum(largest, duration)
    # Scaled by the largest, so that no power over- or underflows.
    scale = np.maximum(largest, 1e-30)
    total: Number = 0.0
    for duration in durations:
        total = total + (duration / scale) ** sharpness
    result: Number = scale * total ** (1.0 / sharpness)
    return result


def square_norm(one: Number, other: Number, squarings: int) -> Number:
    """Return the p-norm of two durations for p = 2 ** `squarings`, s.

    Made of products and square roots only, which are rounded alike for a number and in a vector: a
    step's time must not depend on how many steps were asked for at once.

    Examples
    --------
    >>> float(square_norm(3.0, 4.0, 0)), float(square_norm(3.0, 4.0, 1))
    (7.0, 5.0)
    """
    for _ in range(squarings):
        one, other = one * one, other * other
    total = one + other
    for _ in range(squarings):
        total = np.sqrt(total)
    return total


def gemm_seconds(
    rows: Number,
    inner: Number,
    columns: Number,
    *,
    numbers: tuple[float, float, float, float, float, float],
    element_bytes: float,
    peak_flops_per_s: float,
    peak_bytes_per_s: float,
) -> Number:
    """Return the time of a matrix product (rows x inner) times (inner x columns), s.

    ``launch + norm(flops / (c peak), bytes / (m bandwidth), k inner) + quantise``: compute in tiles of
    `TILE_ROWS` rows, traffic of weights, inputs and outputs, the serial pass over the inner dimension,
    and for narrow formats the pass that converts the inputs.

    Parameters
    ----------
    rows, inner, columns : the shape.
    numbers : launch_s, compute_ratio, memory_ratio, sharpness, inner_s, quantise_ratio (0: none).
    element_bytes : bytes of one weight, and of one input.
    peak_flops_per_s, peak_bytes_per_s : the data sheet's peaks.
    """
    launch_s, compute_ratio, memory_ratio, sharpness, inner_s, quantise_ratio = numbers
    tiled = np.ceil(np.asarray(rows) / TILE_ROWS) * TILE_ROWS
    compute = 2.0 * tiled * inner * columns / (compute_ratio * peak_flops_per_s)
    traffic = (rows * inner + inner * columns) * element_bytes + 2.0 * rows * columns
    seconds = launch_s + p_norm(
        (compute, traffic / (memory_ratio * peak_bytes_per_s), inner_s * inner), sharpness
    )
    if quantise_ratio:
        seconds = seconds + rows * inner * (2.0 + element_bytes) / (quantise_ratio * peak_bytes_per_s)
    return seconds


def decode_attention_seconds(
    kv_bytes: Number,
    sequence_heads: Number,
    *,
    numbers: tuple[float, float, float, float, int],
    small_bytes: float,
    peak_bytes_per_s: float,
) -> Number:
    """Return the time of one layer's decode attention over a batch, s.

    ``launch + norm(traffic, t sequences KV heads)``: the traffic of keys and values, whose first
    `small_bytes` run at a rate of their own, and the least time of the tiles of each sequence and KV head.

    Parameters
    ----------
    kv_bytes : keys and values read, bytes.
    sequence_heads : sequences times KV heads on the GPU.
    numbers : launch_s, memory_ratio, small_ratio, sequence_head_s, squarings (p is 2 ** squarings).
    small_bytes : traffic that is read before the bandwidth is reached, bytes.
    peak_bytes_per_s : the data sheet's peak.
    """
    launch_s, memory_ratio, small_ratio, sequence_head_s, squarings = numbers
    small = np.minimum(kv_bytes, small_bytes) / (small_ratio * peak_bytes_per_s)
    large = np.maximum(kv_bytes - small_bytes, 0.0) / (memory_ratio * peak_bytes_per_s)
    return launch_s + square_norm(small + large, sequence_head_s * sequence_heads, squarings)


def splits(blocks: int, items: int) -> int:
    """Return among how many thread blocks a sequence and KV head are divided, where `blocks` run at once.

    Examples
    --------
    >>> splits(148, 32), splits(148, 96), splits(148, 256)
    (4, 1, 1)
    """
    return max(1, blocks // max(items, 1))


def late_ratio(blocks: int, items: int) -> float:
    """Return the part of the sequences and KV heads that wait for a free thread block.

    Examples
    --------
    >>> late_ratio(148, 96), late_ratio(100, 125)
    (0.0, 0.2)
    """
    return max(0, items - blocks) / max(items, 1)


def outlasting(balanced_s: Number, longest_s: Number, late: Number) -> Number:
    """Return the time of a kernel in which one sequence may outlast the others, s.

    Parameters
    ----------
    balanced_s : time with all thread blocks busy to the end.
    longest_s : time of the thread blocks that read the longest context.
    late : part of the sequences that begin after others have ended; the longest may be one of them.

    Examples
    --------
    >>> float(outlasting(3.0, 5.0, 0.0)), float(outlasting(5.0, 4.0, 0.5))
    (5.0, 7.0)
    """
    result: Number = np.maximum(longest_s, balanced_s + late * longest_s)
    return result


def prefill_attention_seconds(
    attended_flops: Number,
    token_heads: Number,
    *,
    numbers: tuple[float, float, float],
    peak_flops_per_s: float,
) -> Number:
    """Return the time of one layer's prefill attention, s: ``launch + flops / (c peak) + t tokens heads``.

    Parameters
    ----------
    attended_flops : FLOPs of scores and values, causal.
    token_heads : new tokens times query heads on the GPU.
    numbers : launch_s, compute_ratio, token_head_s.
    peak_flops_per_s : the data sheet's peak.
    """
    launch_s, compute_ratio, token_head_s = numbers
    return launch_s + attended_flops / (compute_ratio * peak_flops_per_s) + token_head_s * token_heads


def experts_seconds(
    tokens: Number,
    load: tuple[Number, Number],
    shape: tuple[Number, Number],
    *,
    numbers: tuple[float, float, float, float, float, float, float, float],
    element_bytes: float,
    peak_flops_per_s: float,
    peak_bytes_per_s: float,
) -> Number:
    """Return the time of one layer's experts on one GPU, s.

    ``launch + norm(flops / (c peak), bytes / (m bandwidth)) + r rows hidden + t tokens``: every expert that
    is reached is read once; its rows are padded by part of a tile and its columns by `padding_columns`, which
    narrow parts of experts feel; rows are quantised, permuted and combined.

    Parameters
    ----------
    tokens, load, shape : as in `ExpertsFit.seconds`.
    numbers : launch_s, compute_ratio, memory_ratio, sharpness, padding_rows, padding_columns, row_element_s,
        token_s.
    element_bytes : bytes of one weight.
    peak_flops_per_s, peak_bytes_per_s : the data sheet's peaks.
    """
    launch_s, compute_ratio, memory_ratio, sharpness, pad_rows, pad_columns, row_s, token_s = numbers
    (touched, rows), (hidden, columns) = load, shape
    weights = 3.0 * hidden * (columns + pad_columns)
    compute = 2.0 * (rows + pad_rows * touched) * weights / (compute_ratio * peak_flops_per_s)
    traffic = touched * weights * element_bytes / (memory_ratio * peak_bytes_per_s)
    return launch_s + p_norm((compute, traffic), sharpness) + row_s * rows * hidden + token_s * tokens


def linear_decode_seconds(
    moved_bytes: Number, *, launch_s: float, memory_ratio: float, peak_bytes_per_s: float
) -> Number:
    """Return the time of one layer's states in a decode step, s: ``launch + bytes / (m bandwidth)``.

    Parameters
    ----------
    moved_bytes : states read and written, and activations, bytes.
    launch_s : of the convolution and of the states' kernel.
    memory_ratio : part of the bandwidth that is reached.
    peak_bytes_per_s : the data sheet's peak.
    """
    return launch_s + moved_bytes / (memory_ratio * peak_bytes_per_s)


def linear_prefill_seconds(
    tokens: Number, prompts: Number, heads: Number, *, numbers: tuple[float, float, float, float], blocks: int
) -> Number:
    """Return the time of one layer's linear attention over prompts, s.

    ``launch + waves (w + t tokens / prompts) + h tokens heads``: a thread block walks through the tokens of
    one prompt and head, chunk after chunk; `blocks` of them run at once, further ones in waves. What else
    is done, the convolution above all, goes with tokens and heads.

    Parameters
    ----------
    tokens : new tokens of all prompts together, which are equally long.
    prompts : prompts in the step.
    heads : value heads on the GPU.
    numbers : launch_s, wave_s, token_s, token_head_s.
    blocks : thread blocks that run at once: multiprocessors.
    """
    launch_s, wave_s, token_s, token_head_s = numbers
    waves = np.ceil(np.asarray(prompts * heads) / blocks)
    return launch_s + waves * (wave_s + token_s * (tokens / prompts)) + token_head_s * (tokens * heads)


def interpolate_log(at: Number, knots: tuple[tuple[float, float], ...]) -> Number:
    """Return the value at `at` on the line through `knots` in logarithms of both axes.

    Constant below the first knot; above the last one it goes on in proportion to `at`.

    Examples
    --------
    >>> round(float(interpolate_log(400.0, ((100.0, 1.0), (200.0, 2.0)))), 9)
    4.0
    """
    x, y = (np.array(values) for values in zip(*knots, strict=True))
    inside = np.exp(np.interp(np.log(np.maximum(at, 1e-30)), np.log(x), np.log(y)))
    beyond = np.maximum(np.asarray(at) / x[-1], 1.0)
    result: Number = inside * beyond
    return result
