"""Which timings tell what device memory does, by the bytes that they move and the cache that they fit.

* A row that moves more than twice the last-level cache faster than 1.05 of the data sheet's bandwidth was not
  timed as described; where that holds for more than one such row in fifty the table is not used.
* A timing repeats one layer. Where more than one row in fifty of those that move between a sixteenth of the
  cache and twice of it is faster than 1.05 of the data sheet's bandwidth, the layer was read from the cache,
  and all of these rows are left out: in a model dozens of layers take turns, and none finds its own there.
  That is so on L40S and RTX PRO 6000, whose memories are slow beside their caches.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from simulator.hardware import Gpu

BEYOND_PEAK_RATIO: Final = 1.05
MOST_BEYOND_PEAK: Final = 0.02

LAUNCHES_ONLY: Final = 1.0 / 16.0
"""Part of the last-level cache up to which moving bytes takes less than a launch."""

BEYOND_CACHE: Final = 2.0
"""Times the last-level cache from which on most bytes come from the memory."""


def believable(rows: pd.DataFrame, moved_bytes: pd.Series, gpu: Gpu) -> pd.DataFrame | None:
    """Return the rows that the hardware allows, or None where the table as a whole cannot be true.

    Parameters
    ----------
    rows : with a column ``seconds``.
    moved_bytes : bytes that each row reads from device memory.
    gpu : its bandwidth and last-level cache.
    """
    large = moved_bytes > BEYOND_CACHE * gpu.l2_bytes.value
    beyond = large & _beyond_peak(rows, moved_bytes, gpu)
    if large.any() and beyond.sum() > MOST_BEYOND_PEAK * large.sum():
        return None
    return rows[~beyond]


def usable(rows: pd.DataFrame, moved_bytes: pd.Series, gpu: Gpu, *, warm: bool) -> pd.DataFrame | None:
    """Return the rows that tell what the memory does, or None where the table as a whole tells nothing.

    Parameters
    ----------
    rows, moved_bytes, gpu : as in `believable`; bytes are 0 where computing takes longer than moving them.
    warm : whether rows that fit the cache were read from it.
    """
    kept = believable(rows, moved_bytes, gpu)
    if kept is None or not warm:
        return kept
    return kept[from_memory(moved_bytes[kept.index], gpu)]


def timed_warm(rows: pd.DataFrame, moved_bytes: pd.Series, gpu: Gpu) -> bool:
    """Return whether the rows of a table that fit the cache were read from it.

    Parameters
    ----------
    rows, moved_bytes, gpu : as in `usable`; rows of all formats together.
    """
    fits = ~from_memory(moved_bytes, gpu)
    beyond = fits & _beyond_peak(rows, moved_bytes, gpu)
    return bool(beyond.sum() > MOST_BEYOND_PEAK * fits.sum())


def from_memory(moved_bytes: pd.Series, gpu: Gpu) -> pd.Series:
    """Return which rows a cache cannot have made faster, a mask: those well beyond it, and mere launches.

    Parameters
    ----------
    moved_bytes : bytes that each row reads.
    gpu : its last-level cache.
    """
    cache = gpu.l2_bytes.value
    return (moved_bytes > BEYOND_CACHE * cache) | (moved_bytes <= LAUNCHES_ONLY * cache)


def awaited(moved_bytes: pd.Series, compute_s: pd.Series, gpu: Gpu) -> pd.Series:
    """Return the bytes that rows wait for: 0 where computing takes longer by the data sheet.

    Parameters
    ----------
    moved_bytes : bytes that each row reads.
    compute_s : its FLOPs at the peak, s.
    gpu : its bandwidth.
    """
    return moved_bytes.where(compute_s < moved_bytes / gpu.hbm_bandwidth_bytes_per_s.value, 0.0)


def _beyond_peak(rows: pd.DataFrame, moved_bytes: pd.Series, gpu: Gpu) -> pd.Series:
    rate: pd.Series[float] = moved_bytes / rows["seconds"]
    return rate > BEYOND_PEAK_RATIO * gpu.hbm_bandwidth_bytes_per_s.value
