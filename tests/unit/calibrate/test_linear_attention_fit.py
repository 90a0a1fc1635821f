"""The fit of linear attention finds the numbers behind made-up timings, and reads tables by its rules."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import gpu

from simulator.calibrate.files import table
from simulator.calibrate.linear_attention import fit_linear_attention
from simulator.calibrate.tables import KernelTables, Timings
from simulator.hardware import Calibration

B300 = gpu("b300-sxm")
HEADS = ((1, 4), (2, 8), (4, 16), (16, 32), (16, 48), (16, 64), (8, 24), (4, 12))


def step_bytes(keys: int, values: int) -> float:
    channels = 2 * keys * 128 + values * 128
    return 2 * (values * 128 * 128 * 4 + 3 * channels * 2) + 2 * (3 * channels + values * 128)


def made_up(*, from_cache: float = 1.0) -> pd.DataFrame:
    """Return timings of launches of 6 us and 0.8 of the bandwidth, and prompts in waves of 148 blocks.

    Parameters
    ----------
    from_cache : what those decode steps take, relatively, whose states the cache can hold.
    """
    rows = []
    for (keys, values), batch in itertools.product(HEADS, np.unique(np.geomspace(1, 1024, 25).astype(int))):
        moved = batch * step_bytes(keys, values)
        cached = B300.l2_bytes.value / 16 < moved <= 2 * B300.l2_bytes.value
        seconds = 6e-6 + moved / (0.8 * B300.hbm_bandwidth_bytes_per_s.value)
        seconds *= from_cache if cached else 1.0
        rows.append(("generation", batch, 1, keys, values, seconds))
    for (keys, values), batch, tokens in itertools.product(HEADS, (1, 2, 8, 32), (64, 512, 4096, 16_384)):
        waves = np.ceil(batch * values / 148)
        seconds = 5e-6 + waves * (2e-5 + 4e-8 * tokens) + 3e-10 * batch * tokens * values
        rows.append(("context", batch, tokens, keys, values, seconds))
    columns = ["phase", "batch", "tokens", "key_heads", "value_heads", "seconds"]
    return pd.DataFrame(rows, columns=columns).assign(key_dim=128, value_dim=128, conv_kernel=4)


@pytest.mark.parametrize("from_cache", [1.0, 0.4])
def test_a_fit_finds_the_numbers_and_believes_no_state_that_stayed_in_the_cache(from_cache: float) -> None:
    found = fit_linear_attention(Timings(made_up(from_cache=from_cache), "made up"), B300)
    assert found is not None
    assert found.decode_launch_s == pytest.approx(6e-6, rel=0.01)
    assert found.memory_ratio == pytest.approx(0.8, rel=0.01)
    assert found.wave_s == pytest.approx(2e-5, rel=0.01)
    assert found.token_s == pytest.approx(4e-8, rel=0.01)
    assert found.token_head_s == pytest.approx(3e-10, rel=0.01)
    assert found.decode_fitted.held_out_rows > 0
    assert found.prefill_fitted.held_out_rows > 0


def test_nothing_is_fitted_to_few_rows_or_without_the_number_of_multiprocessors() -> None:
    rows = made_up()
    assert fit_linear_attention(Timings(rows[rows["phase"] == "context"], "made up"), B300) is None
    unknown = B300.model_copy(update={"multiprocessors": None})
    assert fit_linear_attention(Timings(rows, "made up"), unknown) is None


def test_a_shape_counts_where_both_kernels_were_timed(tmp_path: Path) -> None:
    folder = tmp_path / "b300_sxm" / "linear_attention" / "vllm" / "0.24.0"
    folder.mkdir(parents=True)
    shape = {"num_k_heads": 16, "num_v_heads": 32, "head_k_dim": 128, "head_v_dim": 128, "d_conv": 4}
    rows = [
        ("context", "convolution", 1, 64, 0.002),
        ("context", "convolution", 1, 64, 0.004),
        ("context", "states", 1, 64, 0.02),
        ("generation", "convolution", 8, 1, 0.002),
    ]
    columns = ["phase", "kernel_source", "batch_size", "seq_len", "latency"]
    pd.DataFrame(rows, columns=columns).assign(**shape).to_parquet(folder / "gdn_perf.parquet")
    found = KernelTables(B300, "vllm", root=tmp_path).linear_attention()
    assert found is not None
    assert found.rows[["phase", "batch", "tokens"]].to_numpy().tolist() == [["context", 1, 64]]
    assert found.rows["seconds"].tolist() == pytest.approx([2.3e-5])
    assert KernelTables(B300, "sglang", root=tmp_path).linear_attention() is None


def test_the_table_of_a_calibration_tells_both_parts() -> None:
    shipped: Calibration = B300.calibrations["vllm"]
    told = [row[:2] for row in table(shipped) if row[0] == "linear attention"]
    assert told == [("linear attention", "decode"), ("linear attention", "prompt")]
