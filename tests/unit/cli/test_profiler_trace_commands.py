"""Traces of the PyTorch profiler at the command line: ``kinesim trace`` and ``kinesim calibrate --from``."""

from __future__ import annotations

import gzip
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "measured"))

from command import Kinesim
from profiler_files import Event, execute, on_gpu, trace

from simulator.attention import AttentionWork
from simulator.calibrate.step_files import read_steps
from simulator.hardware import Calibration
from simulator.latency import StepLoad
from simulator.latency.calibrated import BoundCalibrated
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

sys.path.insert(0, str(Path(__file__).parents[2] / "property"))

from deployments import deployment

RAN = ("--gpu", "b200-sxm", "--model", "qwen3-8b")


def save(*events: Event, name: str = "t.json.gz") -> None:
    content = json.dumps(trace(*events)).encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)


def served() -> list[Event]:
    """Return steps as long as the shipped numbers say they are on two GPUs."""
    engine = BoundCalibrated(
        load_part(find("calibration", "b200-sxm.vllm"), Calibration), deployment("qwen3-8b", tp=2)
    )
    found, start = [], 1000.0
    for batch in (1, 2, 4, 8, 16, 32, 64, 128):
        for context in (200, 800, 3000, 9000, 20000, 30000, 31000):
            load = StepLoad(1, batch, AttentionWork(batch * context, batch * context))
            us = 1e6 * float(engine.step_seconds(load))
            found.append(on_gpu(execute(batch, batch * context), start, us, len(found)))
            start += 1.5 * us
    return found


def test_a_trace_is_shown_as_its_decode_steps(kinesim: Kinesim) -> None:
    save(on_gpu(execute(16, 8193), 100.0, 6879.0, 1), on_gpu(execute(2, 20, prompts=1), 9000.0, 5.0, 2))
    assert kinesim("trace", "t.json.gz") == 0
    assert kinesim.out.splitlines() == [
        "t.json.gz: a trace of the PyTorch profiler with 1 decode step",
        "",
        "gpu      NVIDIA B300",
        "gpus     2",
        "kernels  0, 0.000 ms in all",
        "note     1 steps with prompts are left out",
        "note     the time of a step is the GPU's; what passes between two steps is not in it",
        "",
        "event  sequences  tokens in caches  step      from",
        "1      16         8,193             6.879 ms  annotation on the GPU",
    ]
    assert kinesim("trace", "t.json.gz", "--json") == 0
    told = json.loads(kinesim.out)
    assert told["steps"][0]["step_s"] == 0.006879


def test_a_converted_trace_is_a_table_that_calibrate_reads(kinesim: Kinesim) -> None:
    save(*served())
    assert kinesim("trace", "t.json.gz", "--convert", "deep/steps.csv") == 0
    assert kinesim.err == "wrote deep/steps.csv: 56 decode steps; kinesim calibrate --from reads it\n"
    table, direct = read_steps(Path("deep/steps.csv"), tp=2), read_steps(Path("t.json.gz"))
    assert table.reset_index(drop=True).equals(direct.reset_index(drop=True))


@pytest.mark.skipif(find_spec("scipy") is None, reason="a fit needs scipy")
def test_a_fit_to_a_trace_is_the_fit_to_its_table(kinesim: Kinesim) -> None:
    save(*served())
    assert kinesim("trace", "t.json.gz", "--convert", "steps.csv") == 0
    assert kinesim("calibrate", *RAN, "--from", "t.json.gz", "--out", "a.json") == 0
    assert kinesim("calibrate", *RAN, "--from", "steps.csv", "--tp", "2", "--out", "b.json") == 0
    first, second = (Path(name).read_text(encoding="utf-8") for name in ("a.json", "b.json"))
    assert "t.json.gz: qwen3-8b, tp 2" in first  # the trace says on how many GPUs it ran
    assert first.replace("t.json.gz", "steps.csv") == second


def test_a_context_that_is_not_in_the_trace_is_asked_for_and_taken(kinesim: Kinesim) -> None:
    save(on_gpu("step[DECODE bs=16]", 100.0, 6879.0, 1))
    assert kinesim("trace", "t.json.gz") == 0
    assert "1      16         not said          6.879 ms  annotation on the GPU" in kinesim.out
    for words in (("trace", "t.json.gz", "--convert", "s.csv"), ("calibrate", *RAN, "--from", "t.json.gz")):
        assert kinesim(*words) == 2
        assert (
            "t.json.gz: event 1: 'step[DECODE bs=16]' does not say how many tokens were in the" in kinesim.err
        )
        assert "give --context, those of each sequence" in kinesim.err
    assert kinesim("trace", "t.json.gz", "--convert", "s.csv", "--context", "512") == 0
    assert Path("s.csv").read_text(encoding="utf-8") == "sequences,context_tokens,step_s\n16,8192,0.006879\n"
    assert kinesim("calibrate", *RAN, "--from", "t.json.gz", "--context", "512") == 2
    assert "t.json.gz: 1 steps without prompts, but a fit needs 50" in kinesim.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("trace", "t.json.gz", "--window", "0", "1"),
            "--window: t.json.gz is a trace of the PyTorch profiler",
        ),
        (("trace", "t.json.gz", "--format", "mooncake"), "--format mooncake: t.json.gz is a trace of the"),
        (
            ("trace", "t.json.gz", "--convert", "s.parquet"),
            "--convert s.parquet: decode steps of a profiler's",
        ),
        (("trace", "t.json.gz", "--convert", "there.csv"), "there.csv exists"),
        (
            ("trace", "t.json.gz", "--context", "9"),
            "--context 9: the trace says it of every step; leave it out",
        ),
        (("trace", "there.csv", "--context", "9"), "--context 9: goes with traces of the PyTorch profiler"),
        (("calibrate", *RAN, "--from", "there.csv", "--context", "9"), "there.csv: --context 9: goes with"),
        (
            ("calibrate", *RAN, "--from-bench", "there.csv", "--context", "9"),
            "--context 9: goes with --from, which",
        ),
        (
            ("calibrate", "--gpu", "b200-sxm", "--context", "9"),
            "--context 9: goes with --from or --from-bench",
        ),
        (("trace", "cut.json.gz"), "cut.json.gz: is cut or damaged: gzip says: "),
        (("calibrate", *RAN, "--from", "cut.json.gz"), "cut.json.gz: is cut or damaged: gzip says: "),
        (("trace", "cut.json"), "cut.json:1: the text ends inside the trace: was the file cut?"),
    ],
)
def test_what_does_not_go_is_said_and_nothing_is_written(
    kinesim: Kinesim, words: tuple[str, ...], told: str
) -> None:
    save(on_gpu(execute(16, 8193), 100.0, 6879.0, 1))
    Path("there.csv").write_text("sequences,context_tokens,step_s\n", encoding="utf-8")
    Path("cut.json.gz").write_bytes(Path("t.json.gz").read_bytes()[:-20])
    Path("cut.json").write_bytes(gzip.decompress(Path("t.json.gz").read_bytes())[:200])
    before = sorted(Path().iterdir())
    assert kinesim(*words) == 2
    assert told in kinesim.err
    assert kinesim.out == ""
    assert sorted(Path().iterdir()) == before


def test_a_trace_of_our_own_is_no_run_to_compare_with(kinesim: Kinesim) -> None:
    save(on_gpu(execute(16, 8193), 100.0, 6879.0, 1), name="t.json")
    assert kinesim("validate", "quickstart", "--measured", "t.json") == 2
    assert (
        "a trace, which holds no requests: kinesim trace shows those of the PyTorch profiler" in kinesim.err
    )
