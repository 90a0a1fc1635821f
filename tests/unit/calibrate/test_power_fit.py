"""The fit of power finds the numbers behind made-up kernels, and ships what the tables give."""

from __future__ import annotations

import itertools
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import gpu

from simulator.calibrate import KernelTables
from simulator.calibrate.power import SHORTEST_S, fit_power

FOLDER = "b200_sxm/attention/vllm"
MEMORY, COMPUTE = 1.3, 5.5
HEADS = ((8, 1), (16, 4), (32, 4), (32, 8), (40, 8), (64, 8), (64, 4), (28, 4), (16, 8), (8, 2))


def shapes(name: str) -> pd.DataFrame:
    """Return kernels with a column for what they used of memory and of compute."""
    contexts = (1023, 4095, 16383) if name == "step" else (1024, 4096, 8192)
    columns = ["batch_size", name, "num_heads", "num_key_value_heads"]
    rows = pd.DataFrame(
        [(b, context, *heads) for b, context, heads in itertools.product((4, 64, 256), contexts, HEADS)],
        columns=columns,
    )
    b, heads, kv_heads = rows["batch_size"], rows["num_heads"], rows["num_key_value_heads"]
    if name == "step":
        flops, moved = 512.0 * b * (rows[name] + 1) * heads, 512.0 * b * (rows[name] + 1) * kv_heads
    else:
        flops = 256.0 * b * rows[name] * (rows[name] + 1) * heads
        moved = 128.0 * b * rows[name] * (4.0 * heads + 4.0 * kv_heads)
    least = np.maximum(flops / gpu().peak("bf16"), moved / gpu().hbm_bandwidth_bytes_per_s.value)
    rows["seconds"] = 1e-5 + least * (1.2 + 0.2 * np.sin(np.arange(len(rows))))
    rows["memory"] = moved / gpu().hbm_bandwidth_bytes_per_s.value / rows["seconds"]
    rows["compute"] = flops / gpu().peak("bf16") / rows["seconds"]
    return rows


def write(root: Path, version: str, table: str, rows: pd.DataFrame, *, power: bool = True) -> None:
    """Write kernels as the tables hold them, with the power that the numbers above give."""
    load = MEMORY * rows["memory"] + COMPUTE * rows["compute"]
    idle, limit = gpu().idle_watts.value, gpu().tdp_watts.value
    watts = idle + (limit - idle) * (1.0 - np.exp(-load))
    short = rows["seconds"] < SHORTEST_S
    stored = rows.drop(columns=["seconds", "memory", "compute"]).assign(
        head_dim=128,
        window_size=0,
        kv_cache_dtype="bfloat16",
        latency=rows["seconds"] * 1e3,
        # Kernels that are too short for the meter show anything.
        power=np.where(short, 5.0 * limit, watts) if power else 0.0,
    )
    folder = root / FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    stored.to_parquet(folder / f"{table}.parquet")


def test_the_numbers_behind_the_power_are_found_in_the_newest_table_that_has_any(tmp_path: Path) -> None:
    for table, name in (("generation_attention_perf", "step"), ("context_attention_perf", "isl")):
        write(tmp_path, "0.22.0", table, shapes(name))
        write(tmp_path, "0.24.0", table, shapes(name), power=False)
    found = fit_power(KernelTables(gpu(), "vllm", root=tmp_path))
    assert found is not None
    assert found.memory_exponent == pytest.approx(MEMORY, rel=0.01)
    assert found.compute_exponent == pytest.approx(COMPUTE, rel=0.01)
    assert found.measured_on == "b200-sxm"
    for behind in (found.memory_fitted, found.compute_fitted):
        assert "/0.22.0/" in behind.table
        assert behind.held_out_rows > 0
        assert behind.median_error_ratio is not None
        assert behind.median_error_ratio < 0.01


def test_without_power_in_the_tables_nothing_is_fitted(tmp_path: Path) -> None:
    write(tmp_path, "0.24.0", "generation_attention_perf", shapes("step"), power=False)
    assert fit_power(KernelTables(gpu(), "vllm", root=tmp_path)) is None


@pytest.mark.skipif(find_spec("aiconfigurator_core") is None, reason="needs the kernel tables")
def test_the_profile_holds_what_the_installed_tables_give() -> None:
    shipped = gpu().power
    assert shipped is not None
    assert fit_power(KernelTables(gpu(), "vllm")) == shipped.model_copy(update={"checked": None})
