"""A calibration from kernel tables: every operation that has usable rows."""

from __future__ import annotations

from datetime import date
from typing import Final

from simulator.calibrate.linear_attention import fit_linear_attention
from simulator.calibrate.operations import (
    fit_allreduce,
    fit_decode_attention,
    fit_experts,
    fit_gemm,
    fit_prefill_attention,
    fit_selection,
)
from simulator.calibrate.tables import KernelTables
from simulator.hardware import Calibration, Dtype

GRAPH_BATCHES: Final[dict[str, tuple[int, ...]]] = {
    "vllm": (1, 2, 4, *range(8, 257, 8), *range(272, 513, 16)),
    "sglang": (1, 2, 4, *range(8, 257, 8)),
    "trtllm": (1, 2, 4, *range(8, 129, 8), 256, 512, 1024, 2048),
}
"""Batches that an engine captures by default.  vLLM: its default sizes; steps logged on B300 show their
stairs at 8, 16, 24 and 32 (``docs/measured-servers.md``).  The others are assumed from the defaults of
their options."""

DTYPES: Final[tuple[Dtype, ...]] = ("bf16", "fp8", "fp4")


def calibrate_kernels(tables: KernelTables, *, on: date) -> Calibration:
    """Return the calibration of one GPU and engine from its kernel tables.

    Parameters
    ----------
    tables : the measurements.
    on : day of the fit, for the record.
    """
    gpu = tables.gpu
    gemm, decode, prefill = tables.gemm(), tables.decode_attention(), tables.prefill_attention()
    reduce, experts, selection = tables.allreduce(), tables.experts(), tables.selection()
    gemms = {d: fit_gemm(gemm, d, gpu) for d in DTYPES} if gemm else {}
    decodes = {d: fit_decode_attention(decode, d, gpu) for d in DTYPES} if decode else {}
    prefills = {d: fit_prefill_attention(prefill, d, gpu) for d in DTYPES} if prefill else {}
    layers = {d: fit_experts(timings, d, gpu) for d, timings in experts.items()}
    sizes = sorted(set(reduce.rows["gpus"])) if reduce else []
    reduces = [fit_allreduce(reduce, int(gpus)) for gpus in sizes] if reduce else []
    dense, linear = decodes.get("bf16"), tables.linear_attention()
    return Calibration(
        name=f"{gpu.name}.{tables.engine}",
        gpu=gpu.name,
        engine=tables.engine,
        source=f"{tables.package}, fitted {on.isoformat()}",
        graph_batches=GRAPH_BATCHES[tables.engine],
        gemm={d: found for d, found in gemms.items() if found},
        decode_attention={d: found for d, found in decodes.items() if found},
        prefill_attention={d: found for d, found in prefills.items() if found},
        allreduce=tuple(found for found in reduces if found),
        selection=fit_selection(selection, dense, gpu) if selection and dense else None,
        linear_attention=fit_linear_attention(linear, gpu) if linear else None,
        experts={d: found for d, found in layers.items() if found},
    )
