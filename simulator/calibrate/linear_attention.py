"""The fit of linear attention: states while decoding, and prompts in chunks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from simulator.calibrate.fitting import Mask, Vector, fit_and_judge
from simulator.calibrate.memory import believable, from_memory
from simulator.calibrate.splits import held_out
from simulator.calibrate.tables import Timings
from simulator.hardware import Gpu
from simulator.hardware.calibration import Fitted, LinearAttentionFit
from simulator.hardware.forms import linear_decode_seconds, linear_prefill_seconds
from simulator.model import LinearLayers

DECODE_NUMBERS: Final = ("decode_launch_s", "memory_ratio")
DECODE_BOUNDS: Final[dict[str, Any]] = {
    "starts": ((6e-6, 0.8),),
    "lower": (1e-7, 0.05),
    "upper": (1e-4, 1.2),
    "names": DECODE_NUMBERS,
}
PREFILL_NUMBERS: Final = ("prefill_launch_s", "wave_s", "token_s", "token_head_s")
PREFILL_BOUNDS: Final[dict[str, Any]] = {
    "starts": ((5e-6, 2e-5, 4e-8, 3e-10),),
    "lower": (1e-7, 1e-9, 1e-12, 1e-13),
    "upper": (1e-3, 1e-3, 1e-6, 1e-7),
    "names": PREFILL_NUMBERS,
}
"""What the fitted numbers are called, in the order of the fits, and their bounds."""

SHAPE: Final = ["key_heads", "value_heads"]
MOST_TOKENS: Final = 65_536
"""Prompt tokens of a step above which nothing is fitted: engines do not make such steps."""

FEWEST_ROWS: Final = 50


def fit_linear_attention(timings: Timings, gpu: Gpu) -> LinearAttentionFit | None:
    """Fit the states of linear attention; shapes are (key heads, value heads).

    Parameters
    ----------
    timings : phase, batch, tokens (of one prompt), key_heads, value_heads, key_dim, value_dim, conv_kernel,
        seconds.
    gpu : its profile.

    Returns
    -------
    None where too few rows are usable, or the number of multiprocessors is not known.

    Notes
    -----
    A timing repeats one layer, whose states then lie in the cache; in a model dozens of layers take turns.
    So of decode steps only those count whose states exceed the cache twice over, and those of few.
    """
    decodes, prompts = (timings.rows[timings.rows["phase"] == phase] for phase in ("generation", "context"))
    kept = _from_memory(decodes, gpu)
    prompts = prompts[prompts["batch"] * prompts["tokens"] <= MOST_TOKENS]
    usable = kept is not None and min(len(kept), len(prompts)) >= FEWEST_ROWS
    if kept is None or not usable or gpu.multiprocessors is None:
        return None
    blocks = int(gpu.multiprocessors.value)
    decode, decode_by = _decode(kept, gpu, timings.source)
    prefill, prefill_by = _prefill(prompts, blocks, timings.source)
    named = dict(zip((*DECODE_NUMBERS, *PREFILL_NUMBERS), (*decode, *prefill), strict=True))
    return LinearAttentionFit.model_validate(
        named | {"blocks": blocks, "decode_fitted": decode_by, "prefill_fitted": prefill_by}
    )


def _from_memory(rows: pd.DataFrame, gpu: Gpu) -> pd.DataFrame | None:
    """Return the decode steps that say what the memory does, with the bytes that each moves."""
    rows = rows.assign(moved=_moved_bytes(rows))
    rows = rows[from_memory(rows["moved"], gpu)]
    return believable(rows, rows["moved"], gpu)


def _moved_bytes(rows: pd.DataFrame) -> Vector:
    """Return what a decode step moves in one layer, bytes, shape (rows,)."""
    names = ("key_heads", "value_heads", "key_dim", "value_dim", "conv_kernel")
    shapes = rows[list(names)].to_numpy(dtype=np.int64).tolist()
    each = [LinearLayers(full_every=2, **dict(zip(names, shape, strict=True))).step_bytes for shape in shapes]
    moved: Vector = rows["batch"].to_numpy(dtype=np.float64) * np.array(each)
    return moved


def _decode(rows: pd.DataFrame, gpu: Gpu, source: str) -> tuple[tuple[float, ...], Fitted]:
    moved, seconds = (rows[name].to_numpy(dtype=np.float64) for name in ("moved", "seconds"))

    def predict(numbers: Vector, mask: Mask) -> Vector:
        bandwidth = gpu.hbm_bandwidth_bytes_per_s.value
        result: Vector = np.asarray(
            linear_decode_seconds(
                moved[mask], launch_s=numbers[0], memory_ratio=numbers[1], peak_bytes_per_s=bandwidth
            )
        )
        return result

    numbers, _, by = fit_and_judge(predict, seconds, held_out(rows, SHAPE), source=source, **DECODE_BOUNDS)
    return numbers, by


def _prefill(rows: pd.DataFrame, blocks: int, source: str) -> tuple[tuple[float, ...], Fitted]:
    names = ("batch", "tokens", "value_heads", "seconds")
    batch, tokens, heads, seconds = (rows[name].to_numpy(dtype=np.float64) for name in names)

    def predict(numbers: Vector, mask: Mask) -> Vector:
        launch_s, wave_s, token_s, token_head_s = numbers
        result: Vector = np.asarray(
            linear_prefill_seconds(
                (batch * tokens)[mask],
                batch[mask],
                heads[mask],
                numbers=(launch_s, wave_s, token_s, token_head_s),
                blocks=blocks,
            )
        )
        return result

    numbers, _, by = fit_and_judge(predict, seconds, held_out(rows, SHAPE), source=source, **PREFILL_BOUNDS)
    return numbers, by
