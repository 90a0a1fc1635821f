"""``kinesim validate silicon``: what it prints, writes and refuses."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from command import Kinesim

from simulator.calibrate.runs import ServingRun, measured_runs
from simulator.validate.kernel_level import NO_KERNELS

HEADER = (
    "id,backend,backend_version,model_path,system,precision,mode,isl,osl,gemm_quant_mode,batch_size,tp_size,"
    "pp_size,attention_dp_size,silicon_ttft_ms,silicon_tpot_ms,silicon_data_source"
)
ROW = (
    "{id},{engine},0.19.0,nvidia/Llama-3.1-8B-Instruct-FP8,h100_sxm,fp8,agg,256,64,fp8,{n},1,1,1,50,{tpot},x"
)


@pytest.fixture
def silicon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ServingRun]:
    """Put four made-up rows in the place of the installed ones."""
    lines = [
        ROW.format(id=f"{engine}-{n}", engine=engine, n=n, tpot=6 + n)
        for engine in ("vllm", "sglang")
        for n in (2, 5)
    ]
    path = tmp_path / "silicon_sample.csv"
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    runs = measured_runs(path)
    monkeypatch.setattr("simulator.calibrate.runs.measured_runs", lambda: runs)
    # Kernels are judged by timings that may not be installed; tests of their own do so.
    monkeypatch.setattr("simulator.validate.kernel_level.kernel_level", lambda **_: NO_KERNELS)
    return runs


@pytest.fixture
def kinesim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kinesim:
    monkeypatch.chdir(tmp_path)
    return Kinesim(capsys, "validate", "silicon")


@pytest.mark.usefixtures("silicon")
def test_the_table_has_a_line_per_group_and_one_for_all(kinesim: Kinesim) -> None:
    assert kinesim("--no-peer", "--workers", "1") == 0
    assert [line.split()[:4] for line in kinesim.out.splitlines()[1:4]] == [
        ["h100-sxm", "sglang", "llama-3.1-8b", "2"],
        ["h100-sxm", "vllm", "llama-3.1-8b", "2"],
        ["all", "all", "all", "4"],
    ]
    assert "Judged are runs that no fit has seen" in kinesim.out


@pytest.mark.usefixtures("silicon")
def test_json_holds_the_groups_that_were_asked_for(kinesim: Kinesim) -> None:
    assert kinesim("--engine", "vllm", "--json", "--no-peer", "--workers", "1") == 0
    assert [group["engine"] for group in json.loads(kinesim.out)["groups"]] == ["vllm", "all"]


@pytest.mark.usefixtures("silicon")
def test_lines_can_be_had_for_each_number_of_gpus(kinesim: Kinesim) -> None:
    assert kinesim("--by-tp", "--workers", "1", "--no-peer") == 0
    assert kinesim.out.splitlines()[1].split()[:5] == ["h100-sxm", "sglang", "llama-3.1-8b", "1", "2"]


@pytest.mark.usefixtures("silicon")
def test_a_folder_is_written_once(kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "simulator.validate.peer.peer_seconds", lambda run: 0.01 if run.engine == "vllm" else None
    )
    assert kinesim("--out", "out", "--workers", "1") == 0
    assert kinesim.err == "wrote out\n"
    assert "peer: median" in kinesim.out
    assert "Left out: 2 runs have no prediction of the peer and stand apart." in kinesim.out
    written = {path.name for path in Path("out").iterdir()}
    assert {"silicon.csv", "summary.csv", "validation.md"} <= written
    assert kinesim("--out", "out") == 2
    assert "out exists" in kinesim.err


@pytest.mark.usefixtures("silicon")
def test_an_unknown_gpu_is_refused_with_the_nearest(kinesim: Kinesim) -> None:
    assert kinesim("--gpu", "h100") == 2
    assert "did you mean h100-sxm?" in kinesim.err


@pytest.mark.skipif(
    find_spec("aiconfigurator_core") is None,
    reason="the measured runs come with aiconfigurator-core (the extra calibrate), which is not installed",
)
def test_the_installed_runs_are_found(kinesim: Kinesim) -> None:
    assert kinesim("--gpu", "gb200", "--model", "qwen3-32b") == 0
    assert "gb200" in kinesim.out
    assert "peer: median" in kinesim.out
