from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from simulator.errors import UnknownNameError
from simulator.hardware import DTYPE_BYTES, Figure, Gpu, Node
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part


def figure(value: float) -> dict[str, Any]:
    return {"value": value, "source": "a data sheet"}


def gpu_fields(**changes: object) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "toy",
        "peak_flops_per_s": {"bf16": figure(1e15), "fp8": figure(2e15)},
        "hbm_bytes": figure(80e9),
        "hbm_usable_bytes": figure(79e9),
        "hbm_bandwidth_bytes_per_s": figure(3e12),
        "link_bandwidth_bytes_per_s": figure(4e11),
        "l2_bytes": figure(50e6),
        "tdp_watts": figure(700.0),
        "idle_watts": figure(100.0),
        "price_usd_per_hour": figure(3.0),
        "allreduce_floor_s": figure(5e-6),
    }
    return fields | changes


def test_peak_gives_the_figure_of_the_precision() -> None:
    gpu = Gpu.model_validate(gpu_fields())
    assert gpu.peak("bf16") == 1e15
    assert gpu.peak("fp8") == 2e15


def test_peak_of_a_missing_precision_names_the_gpu_and_the_precisions_it_has() -> None:
    gpu = Gpu.model_validate(gpu_fields())
    with pytest.raises(UnknownNameError, match=r"toy: no peak for fp4; .*allowed: bf16, fp8"):
        gpu.peak("fp4")


@pytest.mark.parametrize("fields", [{"value": 1.0}, {"value": 1.0, "source": ""}, {"source": "a data sheet"}])
def test_a_figure_without_value_or_source_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"(source|value)\n"):
        Figure.model_validate(fields)


def test_a_profile_with_a_bare_number_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"hbm_bytes\n.*Figure"):
        Gpu.model_validate(gpu_fields(hbm_bytes=80e9))


def test_a_profile_whose_figure_lacks_a_source_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"hbm_bytes.source\n.*Field required"):
        Gpu.model_validate(gpu_fields(hbm_bytes={"value": 80e9}))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValidationError, match="'bf16', 'fp8', 'int8', 'fp4' or 'mxfp4'"):
        Gpu.model_validate(gpu_fields(peak_flops_per_s={"bf17": figure(1e15)}))


def test_a_profile_without_any_peak_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        Gpu.model_validate(gpu_fields(peak_flops_per_s={}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hbm_bytes", 80.0),  # GB
        ("hbm_bandwidth_bytes_per_s", 3350.0),  # GB/s
        ("link_bandwidth_bytes_per_s", 450.0),  # GB/s
        ("l2_bytes", 50.0),  # MB
        ("tdp_watts", 0.7),  # kW
        ("allreduce_floor_s", 5.0),  # us
    ],
)
def test_a_figure_in_another_unit_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=rf"{field}\n.*SI base units are expected"):
        Gpu.model_validate(gpu_fields(**{field: figure(value)}))


def test_a_peak_in_teraflops_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"value 989 is outside 1e\+12 to 1e\+18 FLOP/s"):
        Gpu.model_validate(gpu_fields(peak_flops_per_s={"bf16": figure(989.0)}))


def test_more_usable_than_fitted_memory_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"hbm_usable_bytes 8\.1e\+10 exceeds hbm_bytes 8e\+10"):
        Gpu.model_validate(gpu_fields(hbm_usable_bytes=figure(81e9)))


def test_idle_power_must_lie_below_the_power_limit() -> None:
    with pytest.raises(ValidationError, match="idle_watts 700 is not below tdp_watts 700"):
        Gpu.model_validate(gpu_fields(idle_watts=figure(700.0)))


def test_a_node_holds_at_least_one_gpu() -> None:
    with pytest.raises(ValidationError, match=r"gpus\n.*greater than or equal to 1"):
        Node.model_validate({"name": "empty", "gpu": gpu_fields(), "gpus": 0})


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"mem_bw\n.*Extra inputs"):
        Gpu.model_validate(gpu_fields(mem_bw=figure(3e12)))


def test_every_field_says_its_unit() -> None:
    for model in (Figure, Gpu, Node):
        for name, field in model.model_fields.items():
            assert (field.description or "").startswith("["), f"{model.__name__}.{name}"


def test_widths_of_the_number_formats_cannot_be_changed() -> None:
    assert dict(DTYPE_BYTES) == {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "mxfp4": 17 / 32}
    with pytest.raises(TypeError, match="does not support item assignment"):
        DTYPE_BYTES["bf16"] = 4.0  # type: ignore[index]  # the type checker refuses it too


def test_a_calibration_of_another_engine_is_refused() -> None:
    profile = load_part(find("gpu", "b200-sxm"), Gpu)
    swapped = profile.model_dump(mode="json")
    swapped["calibrations"]["sglang"] = swapped["calibrations"]["vllm"]
    with pytest.raises(ValidationError, match=r"calibrations.sglang holds numbers of vllm, not of sglang"):
        Gpu.model_validate(swapped)
