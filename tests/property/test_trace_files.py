"""Traces of any content: our own form gives them back, cuts keep their promises, damage is refused."""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "workloads" / "traces"))

from made_up import PLAIN, servegen
from test_statistics_and_writing import assert_equal

from simulator.errors import TraceFormatError
from simulator.rng import Streams
from workloads.arrivals import TraceArrivals
from workloads.traces import PrefixBlocks, Trace, read, window
from workloads.traces.cutting import rows
from workloads.traces.kinship import roots_and_depths
from workloads.traces.statistics import sharing, statistics

TRIES = 5
"""Damaged copies looked at for each example: 10,000 of each format in the nightly profile."""

times = st.floats(0.0, 1e6, allow_nan=False)
ids = st.integers(0, 2**63 - 1)
small = st.integers(0, 3)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Draw a trace in which any column may be missing and any row may follow an earlier one."""
    count = draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[int]) -> np.ndarray:
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype=np.int64)

    tokens = st.integers(1, 9_999_999)
    arrivals = np.sort(draw(st.lists(times, min_size=count, max_size=count)))
    parents = tool_s = None
    if draw(st.booleans()):
        parents = np.array([draw(st.integers(-1, row - 1)) for row in range(count)], dtype=np.int64)
        tool_s = np.array([draw(times) if parent >= 0 else np.nan for parent in parents])
        waits = np.array([draw(st.booleans()) for _ in range(count)]) & (parents >= 0)
        arrivals = np.where(waits, np.nan, arrivals)
    blocks = None
    if draw(st.booleans()):
        lists = draw(st.lists(st.lists(ids | small, max_size=4), min_size=count, max_size=count))
        flat = np.array([one for each in lists for one in each], dtype=np.int64)
        blocks = PrefixBlocks(np.cumsum([0, *map(len, lists)]), flat, draw(st.integers(1, 4096)))
    return Trace(
        "kinesim",
        arrivals,
        draw(st.sampled_from([None, column(tokens)])),
        draw(st.sampled_from([None, column(tokens)])),
        request_ids=np.array(
            draw(st.lists(ids, min_size=count, max_size=count, unique=True)), dtype=np.int64
        ),
        parents=parents,
        tool_s=tool_s,
        sessions=draw(st.sampled_from([None, column(st.integers(-1, 9))])),
        blocks=blocks,
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@given(trace=traces())
def test_our_own_form_gives_a_trace_back(suffix: str, trace: Trace) -> None:
    from workloads.traces.writing import write  # noqa: PLC0415 - Parquet needs an optional extra

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trace{suffix}"
        write(trace, path)
        assert_equal(read(path), trace)


@given(trace=traces(), cuts=st.tuples(times, times))
def test_two_windows_side_by_side_are_the_whole(trace: Trace, cuts: tuple[float, float]) -> None:
    middle, end = sorted(cuts)
    end = max(end, 1e6) + 1
    parts = [window(trace, 0.0, middle), window(trace, middle, end)]
    assert sum(part.rows for part in parts) == trace.rows
    for part in parts:
        own = part.own_arrivals_s
        assert (own >= 0).all()
        assert (np.diff(own) >= 0).all()
        if part.parents is not None:
            assert (part.parents < np.arange(part.rows)).all()


@given(trace=traces(), data=st.data())
def test_rows_taken_out_are_those_rows(trace: Trace, data: st.DataObject) -> None:
    kept = np.flatnonzero(data.draw(st.lists(st.booleans(), min_size=trace.rows, max_size=trace.rows)))
    found = rows(trace, kept)
    np.testing.assert_array_equal(found.arrival_s, trace.arrival_s[kept])
    if trace.blocks is not None and found.blocks is not None:
        old, new = trace.blocks, found.blocks
        for place, row in enumerate(kept):
            expected = old.ids[old.offsets[row] : old.offsets[row + 1]]
            np.testing.assert_array_equal(new.ids[new.offsets[place] : new.offsets[place + 1]], expected)


@given(rows=st.lists(st.lists(small, max_size=5), min_size=1, max_size=8))
def test_shared_beginnings_are_counted_as_a_set_of_beginnings_does(rows: list[list[int]]) -> None:
    seen: set[tuple[int, ...]] = set()
    hits = 0
    for row in rows:
        starts = [tuple(row[: end + 1]) for end in range(len(row))]
        hits += sum(start in seen for start in starts)
        seen.update(starts)
    blocks = PrefixBlocks(
        np.cumsum([0, *map(len, rows)]), np.array([one for row in rows for one in row], dtype=np.int64), 16
    )
    total = sum(map(len, rows))
    assert sharing(blocks).seen_ratio == (hits / total if total else 0.0)


@given(trace=traces())
def test_figures_agree_with_literal_sums(trace: Trace) -> None:
    if not len(trace.own_arrivals_s):
        return
    found = statistics(trace)
    assert found.moments == len(set(trace.own_arrivals_s.tolist()))
    if trace.parents is not None:
        depths = []
        for parent in trace.parents.tolist():
            depths.append(0 if parent < 0 else depths[parent] + 1)
        assert roots_and_depths(trace.parents)[1].tolist() == depths


@given(
    gaps=st.lists(st.sampled_from([0.0, 0.5, 3.0]), min_size=1, max_size=40),
    ratio=st.floats(0.05, 1.0),
    scale=st.floats(0.1, 10.0),
    seed=st.integers(0, 99),
)
def test_a_spread_sample_at_another_rate_never_goes_back(
    gaps: list[float], ratio: float, scale: float, seed: int
) -> None:
    arrivals = TraceArrivals(
        arrivals_s=tuple(np.cumsum(gaps).tolist()),
        prompt_tokens=tuple(range(1, len(gaps) + 1)),
        sample_ratio=ratio,
        rate_scale=scale,
        spread_ticks=True,
    )
    found, recorded = arrivals.times_s(arrivals.most_tasks, Streams(seed)), arrivals.recorded(Streams(seed))
    assert (np.diff(found) >= 0).all()
    assert recorded.prompt_tokens is not None
    assert len(found) == len(recorded.prompt_tokens) == len(set(recorded.prompt_tokens))
    assert list(recorded.prompt_tokens) == sorted(recorded.prompt_tokens)


# Damage

SPLICES = st.sampled_from(
    [
        *(
            b"",
            b"\x00",
            b"\xff",
            b"\n",
            b"\r",
            b",",
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b"-",
            b"nan",
            b"1e309",
            b"null",
        ),
        *(
            b"9" * 400,
            b"1" * 20,
            b"[" * 2000,
            b"true",
            b"1_0",
            b" ",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b".5",
            b"0x1",
        ),
    ]
)


@st.composite
def damage(draw: st.DrawFn) -> tuple[float, int, bytes]:
    """Draw where a file is hurt (part of its length), how many bytes are lost, and what comes instead."""
    return draw(st.floats(0, 1)), draw(st.sampled_from([0, 0, 1, 2, 7, 60])), draw(SPLICES)


def hurt(content: bytes, wounds: list[tuple[float, int, bytes]]) -> bytes:
    for part, lost, splice in wounds:
        start = int(part * len(content))
        content = content[:start] + splice + content[start + lost :]
    return content


def read_or_refuse(path: Path, format_name: str = "auto") -> None:
    try:
        found = read(path, format_name)
    except TraceFormatError as refusal:
        assert str(refusal).startswith(str(path))  # noqa: PT017 - both outcomes are right
        return
    assert found.rows
    assert (np.diff(found.own_arrivals_s) >= 0).all()
    statistics(found)


many_wounds = st.lists(st.lists(damage(), min_size=1, max_size=4), min_size=TRIES, max_size=TRIES)


@pytest.mark.parametrize("name", PLAIN)
@given(wounds=many_wounds, packs=st.sampled_from([bytes, gzip.compress]))
def test_a_damaged_file_is_read_or_refused(
    name: str, wounds: list[list[tuple[float, int, bytes]]], packs: Callable[[bytes], bytes]
) -> None:
    content = packs(PLAIN[name][1].encode())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        for each in wounds:
            path.write_bytes(hurt(content, each))
            read_or_refuse(path)
            read_or_refuse(path, PLAIN[name][0])


@given(wounds=many_wounds)
def test_a_damaged_parquet_file_is_read_or_refused(wounds: list[list[tuple[float, int, bytes]]]) -> None:
    from workloads.traces.writing import write  # noqa: PLC0415 - Parquet needs an optional extra

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.parquet"
        write(Trace("kinesim", np.arange(50.0), np.arange(1, 51), np.arange(1, 51)), path)
        content = path.read_bytes()
        for each in wounds:
            path.write_bytes(hurt(content, each))
            read_or_refuse(path)


@given(wounds=st.lists(damage(), min_size=1, max_size=3), file=st.sampled_from(["trace.csv", "dataset.json"]))
def test_a_damaged_client_is_read_or_refused(wounds: list[tuple[float, int, bytes]], file: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = servegen(Path(name) / "clients")
        path = folder / f"chunk-4-{file}"
        path.write_bytes(hurt(path.read_bytes(), wounds))
        read_or_refuse(folder)
