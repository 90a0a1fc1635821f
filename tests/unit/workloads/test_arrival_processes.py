from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from simulator.errors import TraceFormatError
from simulator.rng import Streams
from workloads.arrivals import GammaArrivals, PoissonArrivals, TraceArrivals


def trace_file(folder: Path, text: str) -> TraceArrivals:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return TraceArrivals(path=path)


def test_two_rates_give_the_same_arrivals_on_a_stretched_clock() -> None:
    for process in (PoissonArrivals, GammaArrivals):
        extra = {"cv": 2.0} if process is GammaArrivals else {}
        slow = process(rate_per_s=0.5, **extra).times_s(100, Streams(5))
        fast = process(rate_per_s=4.0, **extra).times_s(100, Streams(5))
        np.testing.assert_allclose(slow, 8.0 * fast, rtol=1e-12)


def test_two_seeds_give_different_arrivals() -> None:
    process = PoissonArrivals(rate_per_s=1.0)
    assert (process.times_s(5, Streams(1)) != process.times_s(5, Streams(2))).all()


def test_a_trace_file_gives_its_columns(tmp_path: Path) -> None:
    trace = trace_file(tmp_path, "id,arrival_s,output_tokens,prompt_tokens\na,0.0,7,10\nb,1.5,8,20\n")
    assert trace.times_s(2, Streams(1)).tolist() == [0.0, 1.5]
    assert trace.recorded_prompt_tokens == (10, 20)
    assert trace.recorded_output_tokens == (7, 8)


def test_a_trace_file_may_hold_arrivals_alone(tmp_path: Path) -> None:
    trace = trace_file(tmp_path, "arrival_s\n0.25\n")
    assert trace.recorded_prompt_tokens is None
    assert trace.recorded_output_tokens is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("time,prompt_tokens\n0,1\n", "a CSV header time, prompt_tokens; nearest is kinesim, but it lacks"),
        ("arrival_s\n", "holds no request below its header"),
        ("arrival_s\n0.5\nsoon\n", r":3: arrival_s: 'soon' is not a number of seconds in \[0, 1e\+09\]"),
        ("arrival_s\nnan\n", ":2: arrival_s: 'nan' is not a number of seconds"),
        ("arrival_s\n-1\n", ":2: arrival_s: '-1' is not a number of seconds"),
        ("arrival_s\n1e12\n", ":2: arrival_s: '1e12' is not a number of seconds"),
        ("arrival_s\n2.0\n1.0\n", ":3: arrival_s: 1.0 is earlier than 2.0 of the row before"),
        ("arrival_s,prompt_tokens\n0,0\n", r":2: prompt_tokens: '0' is not a whole number in \[1, "),
        ("arrival_s,prompt_tokens\n0,1.5\n", ":2: prompt_tokens: '1.5' is not a whole number"),
        ("arrival_s,output_tokens\n0\n", ":2: row: has 1 fields, the header has 2"),
    ],
)
def test_a_bad_trace_file_is_refused_with_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TraceFormatError, match=message):
        trace_file(tmp_path, text).times_s(1, Streams(1))


def test_a_missing_trace_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceFormatError, match=r"none\.csv: cannot be read: No such file"):
        TraceArrivals(path=tmp_path / "none.csv").times_s(1, Streams(1))


def test_a_binary_trace_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.csv"
    path.write_bytes(b"arrival_s\n\xff\xfe\x00")
    with pytest.raises(TraceFormatError, match="is no UTF-8 text"):
        TraceArrivals(path=path).times_s(1, Streams(1))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "give either arrivals_s"),
        ({"arrivals_s": (0.0,), "path": Path("a.csv")}, "and not both"),
        ({"arrivals_s": ()}, "at least one arrival"),
        ({"prompt_tokens": (1,)}, "at least one arrival"),
        ({"arrivals_s": (1.0, 0.0)}, "must not decrease"),
        ({"arrivals_s": (0.0, 1.0), "output_tokens": (1,)}, "output_tokens has 1 rows but arrivals_s has 2"),
    ],
)
def test_an_inconsistent_trace_is_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TraceArrivals(**parameters)  # type: ignore[arg-type] # wrong on purpose


def test_a_trace_cannot_give_more_arrivals_than_it_holds() -> None:
    with pytest.raises(ValueError, match="3 arrivals asked of a trace of 2"):
        TraceArrivals(arrivals_s=(0.0, 1.0)).times_s(3, Streams(1))
