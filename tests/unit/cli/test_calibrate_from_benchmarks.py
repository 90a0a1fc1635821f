"""``kinesim calibrate --from-bench``: what it prints and writes, and what it refuses before it writes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "measured"))

from bench_files import sglang, summary, vllm, write
from command import Kinesim

SERVER = ("calibrate", "--gpu", "h100-sxm", "--model", "qwen3-8b")
RUN = summary(concurrency=8, tpot_s=0.0077, prompt=233, output=221)


def refused(kinesim: Kinesim, *words: str) -> str:
    before = sorted(Path().iterdir())
    assert kinesim(*words) == 2
    assert sorted(Path().iterdir()) == before
    assert "Traceback" not in kinesim.err
    assert kinesim.out == ""
    return kinesim.err


def test_runs_give_a_calibration_that_a_scenario_uses(kinesim: Kinesim) -> None:
    write(Path("a.json"), vllm(RUN), vllm(replace(RUN, max_concurrency=4, duration_s=2 * RUN.duration_s)))
    write(Path("b.jsonl"), sglang(replace(RUN, backend="vllm")))
    assert kinesim(*SERVER, "--from-bench", "a.json", "--from-bench", "b.jsonl", "--out", "mine.json") == 0
    rows = kinesim.out.splitlines()
    assert [row.split()[0] for row in rows[:4]] == ["run", "a.json:1", "a.json:2", "b.jsonl:1"]
    assert "max_concurrency" in rows[1]
    assert "7.7 ms" in rows[1]
    assert "Fitted: one factor on all serving numbers, to 3 runs." in kinesim.out
    assert "Nothing was held out: that takes runs at 3 settings" in kinesim.out
    assert "need: 6 runs, not 3; 3 different numbers of requests in flight, not 2" in kinesim.out
    written = json.loads(Path("mine.json").read_text(encoding="utf-8"))
    assert written["serving"]["fitted"]["table"] == (
        "a.json, b.jsonl: qwen3-8b, tp 1; one factor on all serving numbers"
    )
    use = "hardware.gpu.calibrations.vllm=./mine.json"
    assert kinesim("describe", "quickstart", "--set", use) == 0
    assert "a.json, b.jsonl: qwen3-8b" in kinesim.out


def test_what_may_be_something_else_is_noted(kinesim: Kinesim) -> None:
    write(Path("a.json"), vllm(replace(RUN, model="production", backend="sglang", failed=2)))
    assert kinesim(*SERVER, "--from-bench", "a.json") == 0
    assert "note: the server calls its model 'production'; taken as qwen3-8b" in kinesim.err
    assert "note: the client's backend is 'sglang'; taken as --engine vllm" in kinesim.err
    assert "note: a.json:1: 2 requests failed; the means are of the others" in kinesim.err


def test_formats_without_kernel_numbers_are_noted(kinesim: Kinesim) -> None:
    write(Path("a.json"), vllm(RUN))
    words = ("calibrate", "--gpu", "a100-sxm", "--model", "qwen3-8b", "--kv", "fp8")
    assert kinesim(*words, "--from-bench", "a.json") == 0
    assert "no kernel numbers of vllm in these formats" in kinesim.err


def test_numbers_that_end_at_a_bound_are_told(kinesim: Kinesim) -> None:
    runs = [
        summary(concurrency=n, tpot_s=0.007 + 1e-3 * n, prompt=prompt, output=200)
        for n in (1, 2, 4, 8, 16)
        for prompt in (200, 2000)
    ]
    write(Path("a.json"), *map(vllm, runs))
    assert kinesim(*SERVER, "--from-bench", "a.json") == 0
    assert (
        "warning: sequence_s is 0.0002 s, the most that the fit allows (0 to 0.0002 s): not measured. "
        "Measure many sequences with short contexts; or is it another GPU, engine, model or format?"
    ) in kinesim.err
    written = json.loads(Path("h100-sxm.vllm.json").read_text(encoding="utf-8"))
    assert written["serving"]["fitted"]["at_bound"]["sequence_s"] == "most"


def test_a_run_left_out_is_told_with_its_reason(kinesim: Kinesim) -> None:
    slow = replace(RUN, ttft_s=11.0, ttft_median_s=11.0, duration_s=100 * (11.0 + 220 * 0.0077) / 8)
    write(Path("a.json"), vllm(RUN), vllm(slow))
    assert kinesim(*SERVER, "--from-bench", "a.json") == 0
    assert "left out: requests waited 11 s for their first token" in kinesim.out
    assert refused(kinesim, *SERVER, "--from-bench", str(write(Path("b.json"), vllm(slow))), "--overwrite")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--gpu", "h100-sxm", "--from-bench", "a.json"), "--from-bench needs --model: the preset that ran"),
        (("--gpu", "h100-sxm", "--model", "qwen3-8"), "goes with --from or --from-bench"),
        (
            ("--gpu", "h100-sxm", "--model", "qwen3-8b", "--from", "a.csv", "--from-bench", "a.json"),
            "--from and --from-bench: choose one",
        ),
        (("--gpu", "h100-sxm", "--model", "qwen3-9b", "--from-bench", "a.json"), "unknown model"),
        (
            ("--gpu", "h100-sxm", "--model", "qwen3-14b", "--from-bench", "a.json"),
            "a.json:1: model_id: 'Qwen/Qwen3-8B' is 8b, not 14b: --model says qwen3-14b",
        ),
        (
            ("--gpu", "h100-sxm", "--model", "llama-3.1-8b", "--from-bench", "a.json"),
            "is qwen, not llama: --model says llama-3.1-8b",
        ),
        (
            ("--gpu", "h100-sxm", "--engine", "vlm", "--model", "qwen3-8b", "--from-bench", "a.json"),
            "did you mean vllm",
        ),
        (
            ("--gpu", "mi300x", "--model", "qwen3-8b", "--from-bench", "a.json"),
            "mi300x has no kernel numbers of engine 'vllm'",
        ),
        (
            ("--gpu", "h100-sxm", "--model", "qwen3-8b", "--tp", "3", "--from-bench", "a.json"),
            "3 ranks cannot share",
        ),
        (
            ("--gpu", "h100-sxm", "--model", "qwen3-8b", "--tp", "8", "--from-bench", "slow.json"),
            "times what the data sheet allows",
        ),
        (
            (
                "--gpu",
                "h100-sxm",
                "--model",
                "qwen3-8b",
                "--from-bench",
                "a.json",
                "--from-bench",
                "./a.json",
            ),
            "a.json: is given twice",
        ),
        (
            ("--gpu", "h100-sxm", "--model", "qwen3-8b", "--from-bench", "a.json", "--out", "a.json"),
            "a.json is the file that is read",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    kinesim: Kinesim, words: tuple[str, ...], told: str
) -> None:
    write(Path("a.json"), vllm(RUN))
    write(Path("slow.json"), vllm(summary(tpot_s=0.5)))
    assert told in refused(kinesim, "calibrate", *words)


def test_faults_of_all_files_are_told_at_once(kinesim: Kinesim) -> None:
    write(Path("a.json"), {**vllm(RUN), "duration": 0})
    Path("b.json").write_text("", encoding="utf-8")
    words = [word for name in ("a.json", "b.json", "c.json") for word in ("--from-bench", name)]
    told = refused(kinesim, *SERVER, *words).splitlines()
    assert told == [
        "a.json:1: duration: 0 is no positive number",
        "b.json: is empty; did what wrote it come to its end?",
        "c.json: cannot be read: No such file or directory; check the name and the folder",
    ]


def test_a_server_far_from_the_shipped_one_is_refused(kinesim: Kinesim) -> None:
    write(Path("a.json"), vllm(summary(tpot_s=0.3)))
    assert "is it this GPU, engine, model, format and --tp?" in refused(
        kinesim, *SERVER, "--from-bench", "a.json"
    )


def test_scipy_is_asked_for_where_it_is_missing(kinesim: Kinesim, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path("a.json"), vllm(RUN))
    monkeypatch.setattr("simulator.cli.own_engine.find_spec", lambda _: None)
    assert "pip install 'kinesim[calibrate]'" in refused(kinesim, *SERVER, "--from-bench", "a.json")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--tp", "2", "--weights", "fp8", "--kv", "fp8", "--experts", "mxfp4", "--expert-parallel"),
            [
                f"{option}: goes with --from or --from-bench, and neither is given"
                for option in ("--tp 2", "--weights fp8", "--kv fp8", "--experts mxfp4", "--expert-parallel")
            ],
        ),
        # The default, given, is a wish too.
        (("--tp", "1"), ["--tp 1: goes with --from or --from-bench, and neither is given"]),
        (
            ("--from", "a.csv", "--levels", "kernel"),
            [
                "--from needs --model: the preset that ran; allowed: ",
                "--levels kernel: goes with the public tables, not with --from",
            ],
        ),
        (
            (
                "--from",
                "a.csv",
                "--from-bench",
                "a.json",
                "--levels",
                "kernel,serving",
                "--model",
                "qwen3-8b",
            ),
            [
                "--from and --from-bench: choose one; steps say more than benchmarks",
                "--levels kernel,serving: goes with the public tables, not with --from",
            ],
        ),
        (
            ("--from-bench", "a.json", "--model", "qwen3-8b", "--experts", "fp8", "--expert-parallel"),
            [
                "--experts fp8: qwen3-8b has no experts; leave it out",
                "--expert-parallel: qwen3-8b has no experts; leave it out",
            ],
        ),
    ],
)
def test_options_that_would_do_nothing_are_refused_all_at_once(
    kinesim: Kinesim, words: tuple[str, ...], told: list[str]
) -> None:
    write(Path("a.json"), vllm(RUN))
    found = refused(kinesim, "calibrate", "--gpu", "h100-sxm", *words).splitlines()
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


def test_a_file_that_says_its_gpus_is_not_overruled(kinesim: Kinesim) -> None:
    Path("a.csv").write_text("tp,sequences,context_tokens,step_s\n4,1,2,0.1\n", encoding="utf-8")
    assert "a.csv:1: column 'tp' says the GPUs of each step; --tp 2 is for files without it" in refused(
        kinesim, *SERVER, "--tp", "2", "--from", "a.csv"
    )


def test_runs_of_gpt_oss_are_fitted_with_its_experts_in_their_format(kinesim: Kinesim) -> None:
    run = replace(RUN, model="openai/gpt-oss-120b", tpot_s=0.005)
    write(Path("a.json"), vllm(replace(run, duration_s=100 * (run.ttft_s + 220 * 0.005) / 8, itl_s=0.005)))
    server = ("calibrate", "--gpu", "h100-sxm", "--model", "gpt-oss-120b", "--tp", "2", "--experts", "mxfp4")
    befores = []
    for more in ((), ("--expert-parallel",)):
        assert kinesim(*server, *more, "--from-bench", "a.json", "--overwrite") == 0
        assert "no kernel numbers" not in kinesim.err
        befores.append(kinesim.out.splitlines()[1].split()[-3])
    assert befores[0] != befores[1]


def test_experts_in_a_format_that_was_not_timed_are_noted(kinesim: Kinesim) -> None:
    pairs = [(n, context) for n in (1, 2, 4, 8, 16, 32, 64) for context in range(500, 4500, 500)]
    rows = [f"{n},{n * context},{0.006 + 1e-5 * n + 5e-8 * n * context}" for n, context in pairs]
    Path("a.csv").write_text("\n".join(["sequences,context_tokens,step_s", *rows]), encoding="utf-8")
    server = ("calibrate", "--gpu", "h100-sxm", "--model", "gpt-oss-120b")
    assert kinesim(*server, "--experts", "fp4", "--from", "a.csv") == 0
    assert "no kernel numbers of vllm in these formats" in kinesim.err
    assert kinesim(*server, "--experts", "mxfp4", "--from", "a.csv", "--overwrite") == 0
    assert "no kernel numbers" not in kinesim.err
