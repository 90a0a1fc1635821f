"""A user's own steps: what is refused, and that the numbers behind made-up steps come out."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import deployment

from simulator.attention import AttentionWork
from simulator.calibrate.steps import MeasuredStepsError, calibrate_steps, check_steps, read_steps
from simulator.cli import main
from simulator.hardware import Calibration
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

PLAN = deployment("qwen3-8b", tp=2)


def shipped() -> Calibration:
    return load_part(find("calibration", "b200-sxm.vllm"), Calibration)


def made_steps(scale: float = 1.0) -> pd.DataFrame:
    """Return the steps of an engine with known serving numbers."""
    base = shipped()
    assert base.serving is not None
    truth = base.serving.model_copy(
        update={
            "kernel_ratio": 0.8,
            "allreduce_ratio": 1.2,
            "layer_s": 0.0,
            "step_s": 1.5e-3,
            "sequence_s": 2e-5,
        }
    )
    bound = BoundCalibrated(base.model_copy(update={"serving": truth}), PLAN)
    rows = [
        (
            n,
            n * context,
            scale * float(bound.step_seconds(StepLoad(1, n, AttentionWork(n * context, n * context)))),
        )
        for n in (1, 2, 4, 8, 16, 32, 64, 128, 200, 256)
        for context in (200, 800, 3000, 9000, 20000, 30000)
    ]
    return pd.DataFrame(rows, columns=["sequences", "context_tokens", "step_s"])


def test_the_numbers_behind_the_steps_come_out() -> None:
    found = calibrate_steps(shipped(), PLAN, made_steps(), "made up").serving
    assert found is not None
    assert found.kernel_ratio == pytest.approx(0.8, rel=0.02)
    assert found.step_s == pytest.approx(1.5e-3, rel=0.05)
    assert found.sequence_s == pytest.approx(2e-5, rel=0.1)
    assert found.fitted.held_out_rows > 0
    assert found.fitted.p90_error_ratio is not None
    assert found.fitted.p90_error_ratio < 0.02


def test_a_command_line_fit_is_used_by_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made_steps().to_csv("steps.csv", index=False)
    asked = [
        "--gpu",
        "b200-sxm",
        "--from",
        "steps.csv",
        "--model",
        "qwen3-8b",
        "--tp",
        "2",
        "--out",
        "mine.json",
    ]
    with pytest.raises(SystemExit) as left:
        main(["calibrate", *asked])
    assert left.value.code == 0
    assert "steps.csv: qwen3-8b, tp 2" in Path("mine.json").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["describe", "quickstart", "--set", "hardware.gpu.calibrations.vllm=./mine.json"])
    assert left.value.code == 0
    assert "steps.csv: qwen3-8b, tp 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no table of steps"),
        ("sequences,context,step_s\n1,2,3\n", "column 'context_tokens' is missing"),
        (
            "sequences,context_tokens,step_s\n1,2,x\n-1,2,0.1\n",
            "steps.csv:2: step_s: x is no positive number",
        ),
        ("sequences,context_tokens,step_s\n1,2,x\n-1,2,0.1\n", "steps.csv:3: sequences: -1"),
    ],
)
def test_a_broken_file_is_answered_with_its_lines(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MeasuredStepsError) as found:
        read_steps(path)
    assert told in str(found.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(MeasuredStepsError, match="no table of steps"):
        read_steps(tmp_path / "steps.csv")


@pytest.mark.parametrize("scale", [1e3, 1e-3])
def test_another_unit_than_seconds_is_noticed(scale: float) -> None:
    with pytest.raises(MeasuredStepsError, match="step_s is in seconds"):
        check_steps(made_steps(scale), PLAN, Path("steps.csv"))


def test_too_little_data_says_all_that_is_missing() -> None:
    steps = made_steps()
    few = steps[(steps["sequences"] == 8) & (steps["context_tokens"] < 8 * 1000)].head(1)
    with pytest.raises(MeasuredStepsError) as found:
        check_steps(few, PLAN, Path("steps.csv"))
    text = str(found.value)
    assert "1 steps, but a fit needs 50" in text
    assert "1 different numbers of sequences, but a fit needs 5" in text
    assert "contexts of" in text
    check_steps(steps, PLAN, Path("steps.csv"))


def test_the_fit_is_repeatable() -> None:
    noisy = made_steps().assign(
        step_s=lambda rows: rows["step_s"] * (1 + 0.05 * np.sin(np.arange(len(rows))))
    )
    one, two = (calibrate_steps(shipped(), PLAN, noisy, "made up") for _ in range(2))
    assert one == two
