"""Timings that the memory cannot have taken, or did not take because the cache held what they read."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import gpu

from simulator.calibrate.bounds import own_warnings
from simulator.calibrate.memory import awaited, believable, from_memory, timed_warm, usable
from simulator.calibrate.operations import fit_decode_attention
from simulator.calibrate.tables import Timings
from simulator.calibrate.unknowns import BOUNDS, bounds_of
from simulator.hardware import Calibration, Gpu
from simulator.scenario.catalog import find, names_in
from simulator.scenario.loader import load_part

B200 = gpu()
CACHE = B200.l2_bytes.value
L40S = load_part(find("gpu", "l40s"), Gpu)
CALIBRATIONS = names_in("calibration")


def test_rows_beyond_the_peak_are_left_out_and_a_table_full_of_them_is_not_used() -> None:
    rows = pd.DataFrame({"seconds": np.full(1000, 1e-3)})
    moved = pd.Series(np.full(1000, 4e9))  # 4 TB/s
    moved[:5] = 12e9
    kept = believable(rows, moved, B200)
    assert kept is not None
    assert len(kept) == 995
    moved[:50] = 12e9
    assert believable(rows, moved, B200) is None


def test_only_rows_well_beyond_the_cache_and_mere_launches_come_from_memory() -> None:
    moved = pd.Series(np.array([0.0, 0.06, 0.07, 1.0, 2.0, 2.1]) * CACHE)
    assert from_memory(moved, B200).tolist() == [True, True, False, False, False, True]


def decode_rows(cache_speedup: float) -> pd.DataFrame:
    """Return decode attention at 0.8 of the bandwidth, faster by a factor where the cache holds it."""
    heads_each, contexts = ((32, 8), (16, 4), (8, 1), (64, 8)), (64, 512, 4096, 16_384, 32_768, 131_072)
    shapes = list(itertools.product((1, 4, 16, 64, 256), heads_each, contexts))
    batch, context = (np.array([float(shape[at]) for shape in shapes]) for at in (0, 2))
    heads, kv = (np.array([float(pair[at]) for _, pair, _ in shapes]) for at in (0, 1))
    traffic = 4 * 128 * batch * context * kv
    speedup = np.where(traffic <= L40S.l2_bytes.value, cache_speedup, 1.0)
    seconds = (
        9e-6
        + ((traffic / (0.8 * speedup * L40S.hbm_bandwidth_bytes_per_s.value)) ** 4 + (1e-9 * batch * kv) ** 4)
        ** 0.25
    )
    columns = {"batch": batch, "heads": heads, "kv_heads": kv, "context": context, "seconds": seconds}
    return pd.DataFrame({"dtype": "bf16"} | columns)


@pytest.mark.parametrize("speedup", [1.0, 6.0])
def test_what_a_warm_cache_did_is_not_taken_for_the_memory(speedup: float) -> None:
    fit = fit_decode_attention(Timings(decode_rows(speedup), "made up"), "bf16", L40S)
    assert fit is not None
    # Rows up to a sixteenth of the cache stay, and are a little too fast.
    assert fit.memory_ratio == pytest.approx(0.8, rel=0.01 if speedup == 1.0 else 0.1)
    # Of how reading begins a warm table tells nothing: as it goes on, not six times as fast.
    assert fit.small_ratio == pytest.approx(fit.memory_ratio, rel=0.01)


def test_a_table_is_warm_by_the_rows_that_fit_the_cache_alone() -> None:
    rows = pd.DataFrame({"seconds": np.full(100, 1e-5)})
    moved = pd.Series(np.full(100, 0.5 * CACHE))  # 6.6 TB/s
    assert not timed_warm(rows, moved, B200)
    moved[:2] = 0.7 * CACHE
    assert not timed_warm(rows, moved, B200)
    moved[2] = 0.7 * CACHE
    assert timed_warm(rows, moved, B200)
    kept = usable(rows, moved, B200, warm=True)
    assert kept is not None
    assert kept.empty
    assert len(rows) == 100
    assert not timed_warm(rows, pd.Series(np.full(100, 3.0 * CACHE)), B200)


def test_products_that_compute_longer_than_they_read_wait_for_no_bytes() -> None:
    moved = pd.Series([8e9, 8e9])  # 1 ms each
    assert awaited(moved, pd.Series([0.9e-3, 1.1e-3]), B200).tolist() == [8e9, 0.0]


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_no_shipped_attention_reads_faster_than_the_data_sheet(name: str) -> None:
    calibration = load_part(find("calibration", name), Calibration)
    states = calibration.linear_attention.serving if calibration.linear_attention else None
    for fit in calibration.decode_attention.values():
        assert max(fit.memory_ratio, fit.small_ratio) <= 1.0
        for serving in (calibration.serving, states):
            ratio = serving.attention_ratio if serving else 1.0
            assert max(fit.memory_ratio, fit.small_ratio) / ratio <= 1.0


def test_attention_may_take_no_less_than_reading_at_the_data_sheets_rate() -> None:
    calibration = load_part(find("calibration", "b300-sxm.vllm"), Calibration)
    bounds = bounds_of(calibration)
    rates = [fit.memory_ratio for fit in calibration.decode_attention.values()]
    assert bounds["attention_ratio"] == (max(rates), BOUNDS["attention_ratio"][1])
    assert list(bounds) == list(BOUNDS)
    assert bounds_of(calibration.model_copy(update={"decode_attention": {}})) == BOUNDS


@pytest.mark.parametrize("name", ["l40s", "rtx-pro-6000"])
def test_gpus_with_slow_memories_were_timed_warm(name: str) -> None:
    profile = load_part(find("gpu", name), Gpu)
    for calibration in profile.calibrations.values():
        for fit in calibration.decode_attention.values():
            assert fit.small_ratio == fit.memory_ratio


def test_a_factor_that_reads_faster_than_the_data_sheet_is_warned_of() -> None:
    calibration = load_part(find("calibration", "h100-sxm.vllm"), Calibration)
    assert calibration.serving is not None
    rates = [fit.memory_ratio for fit in calibration.decode_attention.values()]
    for ratio, warned in ((max(rates), False), (0.5 * max(rates), True)):
        serving = calibration.serving.model_copy(update={"attention_ratio": ratio})
        told = own_warnings(calibration.model_copy(update={"serving": serving}))
        assert any("2.00 times as fast as the data sheet of h100-sxm" in line for line in told) == warned
