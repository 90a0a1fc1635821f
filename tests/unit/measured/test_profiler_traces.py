"""Decode steps of traces of the PyTorch profiler: which rows count, how long they are, what is refused."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from profiler_files import Event, complete, execute, launched, on_gpu, on_host, trace

from simulator.errors import TraceFormatError
from simulator.measured.profiler import Profile, knows, read_profile, with_contexts


def save(folder: Path, document: object, *, packed: bool = True) -> Path:
    path = folder / ("t.json.gz" if packed else "t.json")
    content = json.dumps(document).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def read(folder: Path, *events: Event, packed: bool = True) -> Profile:
    return read_profile(save(folder, trace(*events), packed=packed))


@pytest.mark.parametrize("packed", [True, False])
def test_a_step_lasts_as_long_as_its_row_on_the_gpu(tmp_path: Path, *, packed: bool) -> None:
    events = (on_host(execute(16, 8193), 0.0, 1788.0, 1), on_gpu(execute(16, 8193), 100.0, 6879.0, 1))
    (step,) = read(tmp_path, *events, packed=packed).steps
    assert (step.sequences, step.context_tokens, step.step_s) == (16, 8193, 6879e-6)
    assert (step.event, step.basis) == (2, "annotation on the GPU")


def test_of_several_streams_the_longest_row_counts_and_none_are_added(tmp_path: Path) -> None:
    name = execute(16, 8193)
    (step,) = read(tmp_path, on_gpu(name, 0.0, 2511.0, 1), on_gpu(name, 233.0, 7272.0, 1)).steps
    assert step.step_s == 7272e-6


def test_a_row_called_step_takes_its_context_from_the_one_around_it(tmp_path: Path) -> None:
    inner, outer = on_gpu("step[DECODE bs=16]", 400.0, 6879.0, 2), on_gpu(execute(16, 8193), 100.0, 7272.0, 1)
    (step,) = read(tmp_path, inner, outer).steps
    assert (step.context_tokens, step.step_s) == (8193, 6879e-6)
    (alone,) = read(tmp_path, inner, on_gpu(execute(16, 8193), 900.0, 7272.0, 1)).steps
    assert alone.context_tokens is None


def test_without_rows_on_the_gpu_kernels_tell_the_time(tmp_path: Path) -> None:
    events = [on_host(execute(32, 55086), 10.0, 100.0, 1), on_host(execute(32, 55118), 200.0, 50.0, 2)]
    events += (
        launched(20.0, 500.0, 30.0, 5) + launched(90.0, 700.0, 50.0, 6) + launched(210.0, 800.0, 40.0, 7)
    )
    first, second = read(tmp_path, *events).steps
    assert (first.step_s, first.basis) == (250e-6, "first to last of 2 kernels")
    assert (second.step_s, second.basis) == (40e-6, "first to last of 1 kernels")


def test_steps_stand_in_the_order_of_time_and_prompts_are_left_out(tmp_path: Path) -> None:
    events = (
        on_gpu(execute(3, 30), 900.0, 5.0, 3),
        on_gpu(execute(2, 20, prompts=1), 500.0, 5.0, 2),
        on_gpu(execute(1, 10), 100.0, 5.0, 1),
    )
    profile = read(tmp_path, *events)
    assert [step.sequences for step in profile.steps] == [1, 3]
    assert profile.notes == ("1 steps with prompts are left out",)
    assert (profile.gpu, profile.gpus) == ("NVIDIA B300", 2)


def test_contexts_that_are_missing_are_asked_for_by_name(tmp_path: Path) -> None:
    profile = read(tmp_path, on_gpu("step[DECODE bs=16]", 400.0, 6879.0, 2))
    with pytest.raises(TraceFormatError, match=r"event 1: 'step\[DECODE bs=16\]' .* give --context"):
        with_contexts(profile, None)
    assert with_contexts(profile, 512).steps[0].context_tokens == 8192
    told = read(tmp_path, on_gpu(execute(16, 8193), 100.0, 7272.0, 1))
    assert with_contexts(told, None) == told
    with pytest.raises(TraceFormatError, match="--context 512: the trace says it of every step"):
        with_contexts(told, 512)


def test_fewer_tokens_than_sequences_are_no_context(tmp_path: Path) -> None:
    (step,) = read(tmp_path, on_gpu(execute(16, 15), 0.0, 9.0, 1)).steps
    assert step.context_tokens is None


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], "the trace has no annotations"),
        ([on_gpu("forward", 0.0, 1.0, 1)], r"no annotation is called step\[DECODE"),
        ([on_gpu(execute(2, 20, prompts=1), 0.0, 1.0, 1)], "1 steps with prompts are left out"),
        (
            [on_gpu("execute_new_1_cached_7", 0.0, 1.0, 1)],
            "of a form that is not known: 'execute_new_1_cached_7'",
        ),
        ([on_host(execute(2, 20), 0.0, 1.0, 1)], "1 steps launched no kernel that the trace holds"),
        ([complete("kernel", "k", -1.0, 1.0)], r"event 1: ts: -1.0 is no time of 0 or more in us"),
        ([complete("kernel", "k", 1.0, 1.0) | {"dur": "long"}], "event 1: dur: 'long' is no time"),
        ([on_gpu("x", 1.0, 1.0, 1) | {"name": 3}], "event 1: name: 3 is no text"),
        (["x", 7], "event 1: 'x' is no object"),
    ],
)
def test_traces_without_a_step_say_why(tmp_path: Path, events: list[Any], told: str) -> None:
    with pytest.raises(TraceFormatError, match=told):
        read(tmp_path, *events)


def test_faults_are_told_at_once_and_cut(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError) as refused:
        read(tmp_path, *([complete("kernel", "k", -1.0, 1.0)] * 9))
    lines = str(refused.value).splitlines()
    assert len(lines) == 6
    assert lines[-1].endswith("4 more faults like these")


WHOLE = json.dumps(trace(on_gpu(execute(16, 8193), 0.0, 1.0, 1))).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(WHOLE)[:-20], "is cut or damaged: gzip says: "),
        (gzip.compress(WHOLE)[:40] + b"xxxxx" + gzip.compress(WHOLE)[45:], "is cut or damaged: gzip says: "),
        (gzip.compress(WHOLE[:-40]), "the text ends inside the trace: was the file cut?"),
        (WHOLE[:200], "the text ends inside the trace: was the file cut?"),
        (WHOLE.replace(b":", b"=", 1), "no JSON: "),
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"[]", "is no trace of the PyTorch profiler, which is an object with a list traceEvents"),
        (b'{"traceEvents": {}}', "is no trace of the PyTorch profiler"),
        (b"\x28\xb5\x2f\xfd1234", "is compressed by zstd; unpack it first"),
        (b'{"a": "\xff"}', "is no UTF-8 text"),
    ],
)
def test_files_that_are_no_whole_trace_are_refused_in_words(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(TraceFormatError) as refused:
        read_profile(path)
    assert told in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    assert not knows(tmp_path / "none.json")
    with pytest.raises(TraceFormatError, match="cannot be read: No such file"):
        read_profile(tmp_path / "none.json")


@pytest.mark.parametrize("packed", [True, False])
def test_a_trace_is_known_by_its_head(tmp_path: Path, *, packed: bool) -> None:
    assert knows(save(tmp_path, trace(), packed=packed))
    for other in ({"hash_ids": [1]}, [1], {"model_id": "x"}):
        assert not knows(save(tmp_path, other, packed=packed))
    (tmp_path / "t.json").write_bytes(b"\x1f\x8bnot gzip")
    assert not knows(tmp_path / "t.json")
