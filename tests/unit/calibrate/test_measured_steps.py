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
from simulator.calibrate.bounds import own_bounds
from simulator.calibrate.step_checks import check_steps, loads
from simulator.calibrate.step_files import COLUMNS, LONGEST, PROMPTS, MeasuredStepsError, read_steps
from simulator.calibrate.steps import calibrate_steps
from simulator.cli import main
from simulator.hardware import Calibration, Gpu
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

PLAN = deployment("qwen3-8b", tp=2)
PLANS = {2: PLAN}


def shipped() -> Calibration:
    return load_part(find("calibration", "b200-sxm.vllm"), Calibration)


def made_engine(**other: float) -> BoundCalibrated:
    """Return an engine with known serving numbers, some of them others."""
    base = shipped()
    assert base.serving is not None
    truth = base.serving.model_copy(
        update={
            "kernel_ratio": 0.8,
            "attention_ratio": 1.3,
            "allreduce_ratio": 0.5,
            "layer_s": 0.0,
            "step_s": 4e-3,
            "sequence_s": 2e-5,
            **other,
        }
    )
    return BoundCalibrated(base.model_copy(update={"serving": truth}), PLAN)


def decode_seconds(engine: BoundCalibrated, sequences: int, context: int) -> float:
    """Return the time of a decode step of sequences of equal context, s."""
    work = AttentionWork(sequences * context, sequences * context)
    return float(engine.step_seconds(StepLoad(1, sequences, work)))


def made_steps(scale: float = 1.0, **other: float) -> pd.DataFrame:
    """Return steps of the made-up engine."""
    engine = made_engine(**other)
    rows = [
        (n, n * context, scale * decode_seconds(engine, n, context))
        for n in (1, 2, 4, 8, 16, 32, 64, 128, 200, 256)
        for context in (200, 800, 3000, 9000, 20000, 30000)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).assign(
        tp=2, longest_tokens=0, prefill_tokens=0, prefill_sequences=0, prefill_past_tokens=0
    )


@pytest.mark.parametrize("sequences", [1, 3, 24, 100])
@pytest.mark.parametrize("context", [500, 6000, 25_000])
def test_steps_that_were_not_in_the_file_come_out(sequences: int, context: int) -> None:
    # Several numbers give the same steps: weights are read in a time that looks like one per step.
    found = calibrate_steps(shipped(), PLANS, made_steps(), "made up")
    expected = decode_seconds(made_engine(), sequences, context)
    assert decode_seconds(BoundCalibrated(found, PLAN), sequences, context) == pytest.approx(
        expected, rel=0.02
    )


def test_the_shipped_numbers_do_not_give_the_made_up_steps() -> None:
    expected = decode_seconds(made_engine(), 1, 500)
    assert decode_seconds(BoundCalibrated(shipped(), PLAN), 1, 500) < 0.8 * expected


def test_what_only_attention_does_is_told_from_the_rest() -> None:
    found = calibrate_steps(shipped(), PLANS, made_steps(), "made up").serving
    assert found is not None
    assert found.attention_ratio == pytest.approx(1.3, rel=0.02)
    assert found.fitted.held_out_rows > 0
    assert found.fitted.p90_error_ratio is not None
    assert found.fitted.p90_error_ratio < 0.02


def test_a_command_line_fit_is_used_by_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made_steps()[["sequences", "context_tokens", "step_s"]].to_csv("steps.csv", index=False)
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


def test_numbers_that_end_at_a_bound_are_warned_of_with_what_settles_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = made_steps(attention_ratio=3.2, sequence_s=0.0)
    steps[["sequences", "context_tokens", "step_s"]].to_csv("steps.csv", index=False)
    words = ["--gpu", "b200-sxm", "--from", "steps.csv", "--model", "qwen3-8b", "--tp", "2"]
    with pytest.raises(SystemExit) as left:
        main(["calibrate", *words, "--out", "mine.json"])
    assert left.value.code == 0
    out, err = capsys.readouterr()
    assert (
        "warning: attention_ratio is 2.5, the most that the fit allows (0.897 to 2.5): not measured. Measure "
        "many sequences with long contexts beside short ones; or is it another GPU, engine, model or format?"
    ) in err
    assert "at a bound: attention_ratio (most)" in out
    written = load_part(tmp_path / "mine.json", Calibration).serving
    assert written is not None
    assert written.fitted.at_bound["attention_ratio"] == "most"
    caveats = BoundCalibrated(load_part(tmp_path / "mine.json", Calibration), PLAN).caveats
    assert any("At a bound of that fit, so not measured: attention_ratio (most)" in told for told in caveats)
    with pytest.raises(SystemExit):
        main(["describe", "quickstart", "--set", "hardware.gpu.calibrations.vllm=./mine.json"])
    assert "serving.fitted.at_bound.attention_ratio" in capsys.readouterr().out


def test_numbers_inside_their_bounds_are_not_warned_of() -> None:
    found = calibrate_steps(shipped(), PLANS, made_steps(), "made up").serving
    assert found is not None
    # Layers are known, not fitted; their 0 is no bound.
    assert found.layer_s == 0.0
    assert found.fitted.at_bound == {}


def test_a_rate_of_thread_blocks_at_an_end_of_those_tried_is_at_a_bound() -> None:
    found = calibrate_steps(
        load_part(find("calibration", "b300-sxm.vllm"), Calibration),
        UNEQUAL_PLANS,
        unequal_steps(block_bytes_per_s=1.5e10),
        "made up",
    )
    assert found.split is not None
    assert found.split.fitted.at_bound == {"block_bytes_per_s": "least"}
    assert any(line.startswith("block_bytes_per_s is 2e+10 bytes/s, the least") for line in own_bounds(found))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no table of steps"),
        (
            "sequences,contexts,step_s\n1,2,3\n",
            "column 'context_tokens' is missing, the tokens in the caches of all sequences summed",
        ),
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
        check_steps(made_steps(scale), PLANS, Path("steps.csv"))


def test_too_little_data_says_all_that_is_missing() -> None:
    steps = made_steps()
    few = steps[(steps["sequences"] == 8) & (steps["context_tokens"] < 8 * 1000)].head(1)
    with pytest.raises(MeasuredStepsError) as found:
        check_steps(few, PLANS, Path("steps.csv"))
    text = str(found.value)
    assert "1 steps without prompts, but a fit needs 50" in text
    assert "1 different numbers of sequences, but a fit needs 5" in text
    assert "contexts of" in text
    check_steps(steps, PLANS, Path("steps.csv"))


def test_the_fit_is_repeatable() -> None:
    noisy = made_steps().assign(
        step_s=lambda rows: rows["step_s"] * (1 + 0.05 * np.sin(np.arange(len(rows))))
    )
    one, two = (calibrate_steps(shipped(), PLANS, noisy, "made up") for _ in range(2))
    assert one == two


def unequal_steps(block_bytes_per_s: float = 8e10) -> pd.DataFrame:
    """Return steps of an engine on one and four B300 with thread blocks of this rate, some with prompts."""
    base = load_part(find("calibration", "b300-sxm.vllm"), Calibration)
    assert base.split is not None
    split = base.split.model_copy(update={"block_bytes_per_s": block_bytes_per_s})
    assert base.serving is not None
    truth = base.serving.model_copy(update={"prompt_ratio": 1.4, "kernel_ratio": 1.1, "step_s": 1e-3})
    engine = base.model_copy(update={"split": split, "serving": truth})
    rows = [
        (tp, n, n * mean, longest, new, min(new, 2), 0, 0.0)
        for tp in (1, 4)
        for n in (1, 3, 6, 12, 20, 32)
        for mean in (500, 3000, 9000)
        for longest in (mean, 2 * mean, min(n, 6) * mean)
        for new in (0, 0, 700)
        if longest <= n * mean
    ]
    steps = pd.DataFrame(rows, columns=["tp", *COLUMNS[:2], LONGEST, *PROMPTS, COLUMNS[2]])
    for tp, plan in UNEQUAL_PLANS.items():
        chosen, bound = steps["tp"] == tp, BoundCalibrated(engine, plan)
        steps.loc[chosen, "step_s"] = [float(bound.step_seconds(load)) for load in loads(steps[chosen])]
    return steps


B300 = load_part(find("gpu", "b300-sxm"), Gpu)
UNEQUAL_PLANS = {tp: deployment("qwen3-8b", tp=tp, on=B300) for tp in (1, 4)}


def test_what_unequal_contexts_and_prompts_cost_comes_out_of_steps_that_tell_them() -> None:
    plain = load_part(find("calibration", "b300-sxm.vllm"), Calibration).model_copy(
        update={"split": None, "serving": None}
    )
    found = calibrate_steps(plain, UNEQUAL_PLANS, unequal_steps(), "made up")
    assert found.split is not None
    assert found.split.block_bytes_per_s == pytest.approx(8e10, rel=0.1)
    assert found.serving is not None
    assert found.serving.prompt_ratio == pytest.approx(1.4, rel=0.05)
    assert found.serving.fitted.median_error_ratio is not None
    assert found.serving.fitted.median_error_ratio < 0.02
    balanced = calibrate_steps(plain, UNEQUAL_PLANS, unequal_steps().assign(longest_tokens=0), "made up")
    assert balanced.split is None
    assert balanced.serving is not None
    assert balanced.serving.fitted.median_error_ratio is not None
    assert balanced.serving.fitted.median_error_ratio > 3 * found.serving.fitted.median_error_ratio


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        ("longest_tokens", "300", "steps.csv:2: longest_tokens: 300 tokens are more than context_tokens"),
        ("prefill_tokens", "10", "column 'prefill_sequences' is missing"),
        (
            "prefill_tokens,prefill_sequences,prefill_past_tokens",
            "10,0,0",
            "steps.csv:2: prefill_sequences: 0 prompts cannot hold the prefill_tokens",
        ),
        ("tp", "0", "steps.csv:2: tp: 0 is no number from 1 on"),
        ("longest_tokens", "60", "steps.csv:2: longest_tokens: 60 tokens are fewer than the contexts have"),
        ("step_s", "0.01", "steps.csv:1: column 'step_s' stands twice"),
        ("tp", "1.5", "steps.csv:2: tp: 1.5 is no whole number"),
    ],
)
def test_columns_that_contradict_each_other_are_answered(
    columns: str, row: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(f"sequences,context_tokens,step_s,{columns}\n2,200,0.01,{row}\n", encoding="utf-8")
    with pytest.raises(MeasuredStepsError) as found:
        read_steps(path)
    assert told in str(found.value)


def test_a_step_of_prompts_alone_decodes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    heads = "sequences,context_tokens,step_s,prefill_tokens,prefill_sequences,prefill_past_tokens"
    path.write_text(f"{heads}\n0,0,0.1,512,1,0\n", encoding="utf-8")
    (load,) = loads(read_steps(path))
    assert (load.decode_sequences, load.prefill_tokens, load.prefill_attended_tokens) == (0, 512, 131_328)


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ("1e300", "context_tokens: 1e+300 is no number from 1 on"),
        ("1", "context_tokens: 1.0 tokens are fewer than the sequences"),
    ],
)
def test_contexts_that_cannot_be_are_answered_with_their_line(
    context: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "steps.csv"
    path.write_text(f"sequences,context_tokens,step_s\n2,200,0.01\n\n2,{context},0.01\n", encoding="utf-8")
    with pytest.raises(MeasuredStepsError) as found:
        read_steps(path)
    assert f"steps.csv:4: {told}" in str(found.value)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_rows_in_another_unit_than_the_others_are_refused_by_line(factor: float, tmp_path: Path) -> None:
    path, steps = tmp_path / "steps.csv", made_steps()
    steps.loc[steps.index % 3 == 1, "step_s"] *= factor
    steps[list(COLUMNS)].to_csv(path, index=False)
    with pytest.raises(MeasuredStepsError) as found:
        check_steps(read_steps(path, tp=2), PLANS, path)
    lines = str(found.value).splitlines()
    assert [line.split(": ")[0] for line in lines[:10]] == [f"{path}:{3 + 3 * at}" for at in range(10)]
    assert f"step_s: {steps['step_s'][1]:g} is" in lines[0]
    assert "times what the data sheet allows" in lines[0]
    assert lines[10:] == [f"{path}: and 10 more such lines"]


def test_a_slow_step_among_others_is_no_other_unit() -> None:
    steps = made_steps()
    steps.loc[7, "step_s"] *= 20.0
    check_steps(steps, PLANS, Path("steps.csv"))


def test_a_fit_that_misses_what_it_has_not_seen_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "calibrate",
        "--gpu",
        "b200-sxm",
        "--model",
        "qwen3-8b",
        "--tp",
        "2",
        "--overwrite",
        "--out",
        "a.json",
    ]
    told = {}
    for name, spread in (("good", 1.0), ("bad", 6.0)):
        steps = made_steps()
        steps.loc[steps.index % 2 == 1, "step_s"] *= spread
        steps[list(COLUMNS)].to_csv(f"{name}.csv", index=False)
        with pytest.raises(SystemExit) as left:
            main([*words, "--from", f"{name}.csv"])
        assert left.value.code == 0
        told[name] = capsys.readouterr().err
    assert "warning: the fit is" in told["bad"]
    assert "% off in the median on the 18 measurements that it has not seen" in told["bad"]
    assert "the fit is" not in told["good"]
