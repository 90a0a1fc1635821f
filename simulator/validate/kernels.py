"""Errors of calibrations on kernels of shapes that their fits have not seen.

Most stand in the calibrations themselves. Timings repeat one layer, whose keys and values then lie in the
last-level cache where they fit; so decode attention is judged once more on what exceeds the cache, which is
what a model of many layers reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.calibrate.files import fits
from simulator.calibrate.operations import decode_attention_rows
from simulator.calibrate.tables import GPUS, KernelTables, Timings
from simulator.hardware import Dtype, Gpu
from simulator.hardware.calibration import DecodeAttentionFit
from simulator.hardware.forms import decode_attention_seconds
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part
from simulator.validate.errors import figures

BEYOND_CACHE: Final = 1.5
"""Times the last-level cache from which on keys and values count as beyond it."""

BEYOND: Final = "decode attention beyond the cache"
SHORT: Final = {
    "decode attention": "decode",
    BEYOND: "beyond cache",
    "prefill attention": "prompts",
    "block top-k": "top-k",
    "linear attention": "linear",
    "gemm": "gemm",
    "all-reduce": "all-reduce",
    "experts": "experts",
}
"""Operations, in the order of the tables' columns, with their names there."""

ATTENTION: Final = ("decode attention", BEYOND, "prefill attention", "block top-k", "linear attention")
FROM_RUNS: Final = ("serving", "experts, serving", "linear, serving", "unequal contexts")
"""Fits to measured steps and runs, which are no kernels."""


@dataclass(frozen=True, slots=True)
class KernelErrors:
    """How far a calibration is from kernels that its fit has not seen.

    Parameters
    ----------
    gpu, engine : whose calibration.
    operation, of : which kernels: the operation, and its format, number of GPUs or phase.
    rows : timings behind the fit.
    held_out_rows : timings that it has not seen; 0 where all points ship and lines between them are judged.
    median_error_ratio, p90_error_ratio : median and 90th percentile of |predicted / measured - 1|.
    """

    gpu: str
    engine: str
    operation: str
    of: str
    rows: int
    held_out_rows: int
    median_error_ratio: float
    p90_error_ratio: float


def calibrated_pairs(*, gpu: str | None = None, engine: str | None = None) -> list[tuple[Gpu, str]]:
    """Return GPUs that were timed and their engines with a calibration, of one GPU or engine if named."""
    profiles = [load_part(find("gpu", name), Gpu) for name in GPUS if gpu in {None, name}]
    return [(p, name) for p in profiles for name in sorted(p.calibrations) if engine in {None, name}]


def kernel_errors(pairs: Sequence[tuple[Gpu, str]]) -> list[KernelErrors]:
    """Return the errors of every kernel of some calibrations.

    Parameters
    ----------
    pairs : GPUs and engines, as `calibrated_pairs` returns.

    Raises
    ------
    MissingTablesError
        If the timings are not installed.
    """
    found = []
    for gpu, engine in pairs:
        for operation, of, by in fits(gpu.calibrations[engine]):
            if operation in FROM_RUNS or by.median_error_ratio is None or by.p90_error_ratio is None:
                continue
            errors = by.median_error_ratio, by.p90_error_ratio
            found.append(KernelErrors(gpu.name, engine, operation, of, by.rows, by.held_out_rows, *errors))
        found += _beyond_cache(gpu, engine)
    return found


def _beyond_cache(gpu: Gpu, engine: str) -> list[KernelErrors]:
    timings = KernelTables(gpu, engine).decode_attention()
    if timings is None:
        return []
    judged = (
        judged_beyond(timings, dtype, fit, gpu)
        for dtype, fit in gpu.calibrations[engine].decode_attention.items()
    )
    return [
        KernelErrors(gpu.name, engine, BEYOND, dtype, rows, out, *errors)
        for dtype, rows, out, errors in filter(None, judged)
    ]


def judged_beyond(
    timings: Timings, dtype: Dtype, fit: DecodeAttentionFit, gpu: Gpu
) -> tuple[Dtype, int, int, tuple[float, float]] | None:
    """Return how far a fit is from what exceeds the cache, or None where nothing of that was held out.

    Parameters
    ----------
    timings : of decode attention.
    dtype : of keys and values.
    fit : to timings of them.
    gpu : its profile.

    Returns
    -------
    The format, rows behind the fit, held-out rows, and the median and 90th percentile of the error.
    """
    rows, _ = decode_attention_rows(timings, dtype, gpu)
    if rows is None:
        return None
    rows = rows[rows["moved"] > BEYOND_CACHE * gpu.l2_bytes.value]
    out = rows[rows["out"]]
    if out.empty:
        return None
    predicted = decode_attention_seconds(
        out["moved"].to_numpy(),
        (out["batch"] * out["kv_heads"]).to_numpy(),
        numbers=(fit.launch_s, fit.memory_ratio, fit.small_ratio, fit.sequence_head_s, fit.squarings),
        small_bytes=fit.small_bytes,
        peak_bytes_per_s=gpu.hbm_bandwidth_bytes_per_s.value,
    )
    errors = figures((np.asarray(predicted) / out["seconds"].to_numpy() - 1.0).tolist())
    return dtype, len(rows) - len(out), len(out), (errors.median_error_ratio, errors.p90_error_ratio)


def tables(found: Sequence[KernelErrors]) -> list[list[tuple[str, ...]]]:
    """Return rows of text, heads first, a line for each GPU and engine: attention, then all else.

    A cell has the median and the 90th percentile in %, and is empty where nothing was fitted.
    """
    attention = [one for one in found if one.operation in ATTENTION]
    others = [one for one in found if one.operation not in ATTENTION]
    return [_pivoted(part) for part in (attention, others) if part]


def _pivoted(found: Sequence[KernelErrors]) -> list[tuple[str, ...]]:
    order = {name: place for place, name in enumerate(SHORT)}
    kinds = sorted({(order[one.operation], one.operation, one.of) for one in found})
    cells = {
        (one.gpu, one.engine, one.operation, one.of): (
            f"{100 * one.median_error_ratio:.1f} / {100 * one.p90_error_ratio:.1f}"
        )
        for one in found
    }
    heads = ("gpu", "engine", *(f"{SHORT[operation]} {of}".rstrip() for _, operation, of in kinds))
    pairs = dict.fromkeys((one.gpu, one.engine) for one in found)
    rows = [(*pair, *(cells.get((*pair, operation, of), "") for _, operation, of in kinds)) for pair in pairs]
    return [heads, *rows]
