"""Power of a GPU under load, fitted to kernels that were measured together with their power.

Of the public tables only those of vLLM 0.22.0 on B200 hold power: attention and experts.  Decode attention
is traffic and little else, so it sets the number of memory; prefill attention, which computes, sets that of
compute.  Each is fitted with the other held, in turn, until both stand.

* The collector of the tables reads the meter every 100 ms for about a second per kernel.  Kernels below
  `SHORTEST_S` are not used: in those, power does not follow the use of memory at all.
* Layers of experts are not used: alone in a loop they draw more than the same use of memory and compute
  does in attention or in a serving engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simulator.calibrate.fitting import Errors, Mask, Vector, fit, fitted
from simulator.calibrate.splits import held_out
from simulator.calibrate.tables import HEAD_DIM, KernelTables, Timings
from simulator.errors import SimulatorError
from simulator.hardware import DTYPE_BYTES, Gpu, PowerFit
from simulator.hardware.calibration import Fitted
from simulator.hardware.power import saturating

SHORTEST_S: Final = 1e-4
GROUPS: Final = (2, 16)
"""Query heads per KV head in models of today."""

START: Final = (1.0, 5.0)
LEAST: Final = 0.01
MOST: Final = 50.0
MOST_TURNS: Final = 50


@dataclass(frozen=True, slots=True)
class MeasuredPower:
    """Kernels: how much of the peaks they used, what they drew, and which of them are held out."""

    memory_ratio: Vector
    compute_ratio: Vector
    watts: Vector
    out: Mask
    source: str

    @classmethod
    def of(cls, timings: Timings, flops: pd.Series, moved_bytes: pd.Series, gpu: Gpu) -> MeasuredPower:
        """Return the kernels of attention that are used; shapes are (query heads, KV heads)."""
        rows = timings.rows
        kept = (rows["seconds"] >= SHORTEST_S) & (rows["heads"] / rows["kv_heads"]).between(*GROUPS)
        seconds = rows["seconds"][kept]
        memory = moved_bytes[kept] / gpu.hbm_bandwidth_bytes_per_s.value / seconds
        compute = flops[kept] / gpu.peak("bf16") / seconds
        watts = rows["watts"][kept].to_numpy(dtype=np.float64)
        out = held_out(rows[kept], ["heads", "kv_heads"])
        return cls(memory.to_numpy(), compute.to_numpy(), watts, out, timings.source)

    def predicted(self, memory: float, compute: float, mask: Mask, gpu: Gpu) -> Vector:
        """Return the power of the masked kernels, W."""
        idle, limit = gpu.idle_watts.value, gpu.tdp_watts.value
        ratio = saturating(memory * self.memory_ratio[mask] + compute * self.compute_ratio[mask])
        watts: Vector = np.asarray(idle + (limit - idle) * ratio)
        return watts

    def judged(self, memory: float, compute: float, gpu: Gpu) -> Fitted:
        """Return the provenance with the error on the kernels held out."""
        errors = Errors.of(self.predicted(memory, compute, self.out, gpu), self.watts[self.out])
        return fitted(self.source, int((~self.out).sum()), errors)


def decode_kernels(tables: KernelTables) -> MeasuredPower | None:
    """Return decode attention: all keys and values are read once."""
    found = tables.decode_power()
    if found is None:
        return None
    rows = found.rows
    pairs = rows["batch"] * rows["context"] * HEAD_DIM
    element = rows["dtype"].map(DTYPE_BYTES)
    return MeasuredPower.of(
        found, 4.0 * pairs * rows["heads"], 2.0 * element * pairs * rows["kv_heads"], tables.gpu
    )


def prefill_kernels(tables: KernelTables) -> MeasuredPower | None:
    """Return prefill attention of whole prompts: half of the pairs, and every tensor read or written once."""
    found = tables.prefill_power()
    if found is None:
        return None
    rows = found.rows
    tokens = rows["batch"] * rows["context"] * HEAD_DIM
    element = rows["dtype"].map(DTYPE_BYTES)
    flops = 2.0 * tokens * (rows["context"] + 1) * rows["heads"]
    moved = tokens * (4.0 * rows["heads"] + 2.0 * element * rows["kv_heads"])
    return MeasuredPower.of(found, flops, moved, tables.gpu)


def fit_power(tables: KernelTables) -> PowerFit | None:
    """Return the power of the tables' GPU, or None where none was measured.

    Raises
    ------
    SimulatorError
        If the two numbers do not settle.
    """
    decode, prefill = decode_kernels(tables), prefill_kernels(tables)
    if decode is None or prefill is None:
        return None
    gpu, (memory, compute) = tables.gpu, START
    for _ in range(MOST_TURNS):
        before = memory, compute
        memory = _best(decode, gpu, START[0], compute=compute)
        compute = _best(prefill, gpu, START[1], memory=memory)
        if (memory, compute) == before:
            return PowerFit(
                memory_exponent=memory,
                compute_exponent=compute,
                measured_on=gpu.name,
                memory_fitted=decode.judged(memory, compute, gpu),
                compute_fitted=prefill.judged(memory, compute, gpu),
            )
    message = f"power of {gpu.name}: no two numbers that stand together after {MOST_TURNS} turns"
    raise SimulatorError(message)


def _best(
    kernels: MeasuredPower,
    gpu: Gpu,
    start: float,
    *,
    memory: float | None = None,
    compute: float | None = None,
) -> float:
    """Return the number not given, so that the kernels not held out are met best."""
    seen = ~kernels.out

    def predict(x: Vector) -> Vector:
        free = float(x[0])
        m, c = free if memory is None else memory, free if compute is None else compute
        return kernels.predicted(m, c, seen, gpu)

    numbers, _ = fit(predict, kernels.watts[seen], starts=[[start]], lower=[LEAST], upper=[MOST])
    return numbers[0]
