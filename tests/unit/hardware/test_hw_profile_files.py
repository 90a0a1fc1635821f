from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from simulator.hardware import Gpu, Node
from simulator.scenario.loader import load_part

FOLDER = Path(__file__).parents[3] / "hw_profiles"
FILES: dict[str, dict[str, Any]] = {
    path.stem: YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.yaml"))
}
GPUS = [name for name, content in FILES.items() if content["kind"] == "gpu"]
NODES = [name for name, content in FILES.items() if content["kind"] == "node"]


def gpu(name: str) -> Gpu:
    return load_part(FOLDER / f"{name}.yaml", Gpu)


def node(name: str) -> Node:
    return load_part(FOLDER / f"{name}.yaml", Node)


def figures(content: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every mapping that holds a value, and every leaf number that does not sit in one.

    Fitted power has the table behind its numbers instead; its own test looks at it.
    """
    if path == ".power":
        return
    if isinstance(content, dict):
        if "value" in content:
            yield path, content
        else:
            for key, inner in content.items():
                yield from figures(inner, f"{path}.{key}")
    elif isinstance(content, float):
        yield path, {}


def test_the_catalog_holds_the_promised_machines() -> None:
    assert set(GPUS) == {
        "a100-sxm", "b200-sxm", "b300-sxm", "gb200", "h100-sxm", "h200-sxm", "l40s", "mi300x", "rtx-4090",
        "rtx-pro-6000",
    }  # fmt: skip
    assert set(NODES) == {
        "a100-sxm-8", "b200-sxm-1", "b200-sxm-8", "b300-sxm-8", "gb200-4", "h100-sxm-8", "h200-sxm-8",
        "l40s-8", "mi300x-8", "rtx-pro-6000-8",
    }  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_named_as_its_content(name: str) -> None:
    assert FILES[name]["name"] == name


@pytest.mark.parametrize("name", FILES)
def test_every_number_has_a_value_and_a_source(name: str) -> None:
    for path, figure in figures(FILES[name]):
        assert isinstance(figure.get("value"), int | float), path
        assert len(figure.get("source", "")) > 3, path


@pytest.mark.parametrize("name", FILES)
def test_an_assumed_figure_says_what_it_is_assumed_from(name: str) -> None:
    for path, figure in figures(FILES[name]):
        if figure["source"].startswith("assumed"):
            assert len(figure["source"].removeprefix("assumed: ")) > 10, path
            assert figure["source"].startswith("assumed: "), path


def test_fitted_power_is_the_same_wherever_it_was_carried_over_to() -> None:
    fitted = {name: gpu(name).power for name in GPUS if gpu(name).power is not None}
    assert set(fitted) == {"b200-sxm", "h100-sxm"}
    for power in fitted.values():
        assert power is not None
        assert power.checked is not None
        assert fitted[power.measured_on] == power.model_copy(
            update={"checked": getattr(fitted[power.measured_on], "checked", None)}
        )
        for behind in (power.memory_fitted, power.compute_fitted):
            assert behind.table.startswith("aiconfigurator-core ")
            assert behind.held_out_rows > 50


@pytest.mark.parametrize("name", GPUS)
def test_a_price_names_its_day(name: str) -> None:
    assert "list price, 20" in gpu(name).price_usd_per_hour.source


@pytest.mark.parametrize("name", GPUS)
def test_a_gpu_file_parses_and_reads_back_equal(name: str) -> None:
    parsed = gpu(name)
    assert Gpu.model_validate_json(parsed.model_dump_json()) == parsed


@pytest.mark.parametrize("name", NODES)
def test_a_node_file_parses_once_its_gpu_is_put_in(name: str) -> None:
    parsed = node(name)
    assert parsed.gpu.name == FILES[name]["gpu"]
    assert name == f"{parsed.gpu.name}-{parsed.gpus}"


@pytest.mark.parametrize("name", GPUS)
def test_a_narrower_format_is_never_slower_except_int8_on_blackwell_ultra(name: str) -> None:
    peaks = {str(dtype): figure.value for dtype, figure in gpu(name).peak_flops_per_s.items()}
    for wide, narrow in [("bf16", "fp8"), ("fp8", "fp4"), ("bf16", "int8")]:
        if narrow in peaks and (name, narrow) != ("b300-sxm", "int8"):
            assert peaks[narrow] >= peaks[wide]


@pytest.mark.parametrize("name", GPUS)
def test_peaks_are_dense(name: str) -> None:
    # A figure with sparsity is twice the dense one, so a slip would show as 4 x between neighbours.
    peaks = {dtype: figure.value for dtype, figure in gpu(name).peak_flops_per_s.items()}
    if "fp8" in peaks:
        assert peaks["fp8"] / peaks["bf16"] == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("name", GPUS)
def test_memory_is_read_in_a_fraction_of_a_second(name: str) -> None:
    # 20 to 60 ms for every accelerator on sale: catches GB for GiB slips of a thousand, and swapped files.
    parsed = gpu(name)
    sweep_s = parsed.hbm_bytes.value / parsed.hbm_bandwidth_bytes_per_s.value
    assert 0.02 < sweep_s < 0.07


@pytest.mark.parametrize("name", GPUS)
def test_memory_sizes_are_whole_bytes_and_an_engine_sees_nearly_all(name: str) -> None:
    parsed = gpu(name)
    assert parsed.hbm_bytes.value.is_integer()
    assert 0.98 < parsed.hbm_usable_bytes.value / parsed.hbm_bytes.value <= 1.0


def test_b200_figures_are_the_published_ones() -> None:
    b200 = gpu("b200-sxm")
    assert b200.peak("bf16") == 2250e12
    assert b200.peak("fp8") == 4500e12
    assert b200.peak("fp4") == 9000e12
    assert b200.hbm_bandwidth_bytes_per_s.value == 8.0e12
    assert b200.link_bandwidth_bytes_per_s.value == 900e9
    assert b200.tdp_watts.value == 1000.0
    assert b200.allreduce_floor_s.value == 7.4e-6
    assert b200.layer_overhead_s is not None
    assert b200.layer_overhead_s.value == 34e-6


def test_sources_that_disagree_on_the_b200_are_noted() -> None:
    b200 = gpu("b200-sxm")
    assert "7.7 TB/s" in (b200.hbm_bandwidth_bytes_per_s.note or "")
    assert "192 GB" in (b200.hbm_bytes.note or "")


def test_idle_wall_power_of_the_b200_node_is_the_measured_one() -> None:
    # 2,929 W: median over eight logs of MLPerf v5.1 power runs on an air-cooled 8 x B200 server.
    hgx = node("b200-sxm-8")
    assert hgx.host_idle_watts is not None
    assert hgx.host_idle_watts.value + hgx.gpus * hgx.gpu.idle_watts.value == pytest.approx(2929.3, abs=0.5)
