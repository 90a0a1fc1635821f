"""``kinesim calibrate``: what it refuses, and with the measurements installed, what it writes."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from simulator.cli import main

INSTALLED = all(find_spec(name) for name in ("aiconfigurator_core", "scipy", "pyarrow"))


def kinesim(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return int(left.value.code or 0) if not isinstance(left.value.code, str) else 1


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_unknown_gpu_or_engine_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert kinesim("calibrate", "--gpu", "b200-sxn") == 2
    assert "did you mean b200-sxm" in capsys.readouterr().err
    assert kinesim("calibrate", "--gpu", "b200-sxm", "--engine", "vlm") == 2
    assert "did you mean vllm" in capsys.readouterr().err
    assert kinesim("calibrate", "--gpu", "mi300x") == 2
    assert "no kernel tables of GPU 'mi300x'" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_kernels_of_another_gpu_are_carried_over(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert kinesim("calibrate", "--gpu", "rtx-4090", "--like", "l40s") == 0
    assert "wrote rtx-4090.vllm.json" in capsys.readouterr().err
    shipped = root / "hw_profiles" / "calibrations" / "rtx-4090.vllm.json"
    assert Path("rtx-4090.vllm.json").read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--like", "l40"), "did you mean l40s"),
        (("--like", "rtx-4090"), "the kernels of rtx-4090 are those of l40s themselves"),
        (("--like", "mi300x"), "no calibration of 'vllm' on mi300x"),
        (("--like", "l40s", "--tp", "2"), "--tp 2: goes with --from or --from-bench"),
        (("--like", "l40s", "--levels", "kernel"), "goes with the public tables, not with --like"),
        (("--like", "l40s", "--from", "steps.csv", "--model", "qwen3-8b"), "choose one"),
    ],
)
def test_what_cannot_be_carried_over_is_said(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("steps.csv").write_text("sequences,context_tokens,step_s\n", encoding="utf-8")
    assert kinesim("calibrate", "--gpu", "rtx-4090", *words) == 2
    assert told in capsys.readouterr().err
    assert not Path("rtx-4090.vllm.json").exists()


def test_levels_are_kernel_or_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert kinesim("calibrate", "--gpu", "b200-sxm", "--levels", "serving") == 2
    assert "neither kernel nor kernel,serving" in capsys.readouterr().err


def test_an_existing_file_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("b200-sxm.vllm.json").write_text("mine", encoding="utf-8")
    assert kinesim("calibrate", "--gpu", "b200-sxm") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert Path("b200-sxm.vllm.json").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(INSTALLED, reason="the measurements are installed")
def test_missing_measurements_are_said_with_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    assert kinesim("calibrate", "--gpu", "b200-sxm") == 2
    assert "pip install 'kinesim[calibrate]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="needs kinesim[calibrate]: aiconfigurator-core and scipy")
def test_the_shipped_numbers_come_out_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kinesim("calibrate", "--gpu", "h100-sxm", "--engine", "vllm", "--out", "again.json") == 0
    assert "decode attention" in capsys.readouterr().out
    again = json.loads(Path("again.json").read_text(encoding="utf-8"))
    shipped = root / "hw_profiles" / "calibrations" / "h100-sxm.vllm.json"
    expected = json.loads(shipped.read_text(encoding="utf-8"))
    assert again.pop("source").partition(",")[0] == expected.pop("source").partition(",")[0]
    assert again == expected
