"""A calibration of one GPU carried over to another of its architecture."""

from __future__ import annotations

import pytest

from simulator.calibrate.likeness import carried_over
from simulator.errors import SimulatorError
from simulator.hardware import Calibration, Gpu
from simulator.hardware.calibration import GemmFit
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

L40S, RTX_4090, H100 = (load_part(find("gpu", name), Gpu) for name in ("l40s", "rtx-4090", "h100-sxm"))
SHIPPED = L40S.calibrations["vllm"]


def flops_per_s(fit: GemmFit, gpu: Gpu) -> float:
    return fit.compute_ratio * gpu.peak("bf16")


def test_the_shipped_file_is_what_the_rule_gives() -> None:
    shipped = load_part(find("calibration", "rtx-4090.vllm"), Calibration)
    assert carried_over(SHIPPED, L40S, RTX_4090) == shipped


def test_rates_stay_up_to_the_peak_and_parts_of_the_bandwidth_stay() -> None:
    found = carried_over(SHIPPED, L40S, RTX_4090)
    assert found.gpu == "l40s"
    assert flops_per_s(SHIPPED.gemm["bf16"], L40S) > RTX_4090.peak("bf16")
    assert found.gemm["bf16"].compute_ratio == 1.0
    assert found.gemm["bf16"].memory_ratio == SHIPPED.gemm["bf16"].memory_ratio
    assert found.decode_attention["bf16"].small_bytes == RTX_4090.l2_bytes.value
    peaks = L40S.peak_flops_per_s | H100.peak_flops_per_s
    larger = H100.model_copy(update={"name": "larger", "peak_flops_per_s": peaks})
    faster = carried_over(SHIPPED, L40S, larger)
    assert flops_per_s(faster.gemm["bf16"], larger) == pytest.approx(
        flops_per_s(SHIPPED.gemm["bf16"], L40S), rel=1e-3
    )


def test_fewer_multiprocessors_take_longer_for_a_tile() -> None:
    found = carried_over(SHIPPED, L40S, RTX_4090)
    before, after = (c.decode_attention["bf16"].sequence_head_s for c in (SHIPPED, found))
    assert after / before == pytest.approx(142 / 128, rel=1e-3)


def test_links_hosts_and_formats_that_the_gpu_lacks_are_left_out() -> None:
    without = RTX_4090.model_copy(update={"peak_flops_per_s": {"bf16": RTX_4090.peak_flops_per_s["bf16"]}})
    found = carried_over(H100.calibrations["vllm"], H100, without)
    assert (found.allreduce, found.serving, found.linear_attention, found.split) == ((), None, None, None)
    assert set(found.gemm) == {"bf16"}
    assert set(found.experts) == {"bf16", "mxfp4"}
    assert all(fit.serving is None for fit in found.experts.values())


def test_gpus_that_were_timed_and_kernels_of_others_are_refused() -> None:
    for timed in (L40S, H100):
        with pytest.raises(SimulatorError, match=f"{timed.name} was timed itself"):
            carried_over(SHIPPED, L40S, timed)
    carried = RTX_4090.calibrations["vllm"]
    another = RTX_4090.model_copy(update={"name": "rtx-4080"})
    with pytest.raises(
        SimulatorError, match="the kernels of rtx-4090 are those of l40s themselves; --like l40s"
    ):
        carried_over(carried, RTX_4090, another)


def test_unknown_sizes_are_refused() -> None:
    unknown = RTX_4090.model_copy(update={"multiprocessors": None})
    with pytest.raises(SimulatorError, match="rtx-4090: multiprocessors are not known"):
        carried_over(SHIPPED, L40S, unknown)
