"""A run written as its tool writes it reads back equal; a damaged file is read or refused, never a crash."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "measured"))

from bench_files import detailed, sglang, summary, vllm, write
from deployments import FEW, deployment

from simulator.calibrate.bench import calibrate_bench
from simulator.calibrate.points import check_points, points_of
from simulator.errors import SimulatorError
from simulator.measured import BenchRun, Requests, read_runs

LAYOUTS = {"vLLM bench serve": vllm, "sglang bench_serving": sglang}
PLAN = deployment("qwen3-8b")
times = st.floats(1e-3, 5.0)


@st.composite
def requests(draw: st.DrawFn) -> Requests:
    """Draw lists of requests of which at least one has a time per token."""
    count = draw(st.integers(1, 5))
    outputs = [draw(st.integers(2, 6)), *draw(st.lists(st.integers(1, 6), min_size=count, max_size=count))]
    failed = [False, *draw(st.lists(st.booleans(), min_size=count, max_size=count))]
    rows = [
        () if fails else tuple(draw(st.lists(times, min_size=output - 1, max_size=output - 1)))
        for output, fails in zip(outputs, failed, strict=True)
    ]
    starts = tuple(draw(st.lists(times, min_size=count + 1, max_size=count + 1)))
    return Requests(
        prompt_tokens=tuple(draw(st.lists(st.integers(1, 9), min_size=count + 1, max_size=count + 1))),
        output_tokens=tuple(0 if fails else output for output, fails in zip(outputs, failed, strict=True)),
        ttft_s=tuple(0.0 if fails else draw(times) for fails in failed),
        itl_s=tuple(rows),
        failed=tuple(failed),
        start_s=draw(st.sampled_from([None, starts])),
    )


@st.composite
def runs(draw: st.DrawFn) -> BenchRun:
    """Draw a run, half of them with lists."""
    run = summary(
        concurrency=draw(st.sampled_from([None, 1, 8])),
        tpot_s=draw(st.floats(1e-4, 1.0)),
        prompt=draw(st.integers(1, 10_000)),
        output=draw(st.integers(2, 10_000)),
        ttft_s=draw(times),
        rate=draw(st.sampled_from([math.inf, 0.5, 20.0])),
        model=draw(st.sampled_from(["Qwen/Qwen3-8B", "production"])),
    )
    return draw(st.sampled_from([run, detailed(replace(run, max_concurrency=None), draw(requests()))]))


def told(run: BenchRun, tool: str) -> dict[str, Any]:
    """Return what a file of `tool` keeps of a run, in a form that compares."""
    found = asdict(replace(run, tool=tool, path=Path("result.json")))
    if tool.startswith("sglang"):  # names no model, and failures only in lists
        found["model"] = None
    lists = found.pop("requests")
    del found["stats"]  # what `bench_files` writes besides means is told in the unit tests
    return {
        name: pytest.approx(value) if isinstance(value, float) else value for name, value in found.items()
    } | ({} if lists is None else {f"requests.{name}": value for name, value in lists.items()})


@pytest.mark.parametrize("tool", LAYOUTS)
@given(written=st.lists(runs(), min_size=1, max_size=3), indent=st.sampled_from([None, 1]))
@FEW
def test_a_run_reads_back_as_it_was_written(tool: str, written: list[BenchRun], indent: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "result.json", *map(LAYOUTS[tool], written), indent=indent)
        found = read_runs(path)
    assert [run.number for run in found] == list(range(1, len(written) + 1))
    for run, expected in zip(found, written, strict=True):
        placed = replace(expected, line=run.line, number=run.number)
        assert told(run, tool) == told(placed, tool)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a file with fields of any value, cut or overwritten somewhere."""
    run = draw(runs())
    found = draw(st.sampled_from(list(LAYOUTS.values())))(run)
    for field in draw(st.lists(st.sampled_from(list(found)), max_size=3)):
        found[field] = draw(anything)
    for field in draw(st.lists(st.sampled_from(list(found)), max_size=1)):
        del found[field]
    text = json.dumps(found).encode()
    start = draw(st.integers(0, len(text)))
    end = draw(st.sampled_from([start, start, start + 3, len(text)]))
    return text[:start] + draw(st.binary(max_size=3) if end > start else st.just(b"")) + text[end:]


@given(content=damaged())
@FEW
def test_a_damaged_file_is_read_or_refused_with_its_name(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        path.write_bytes(content)
        try:
            points = points_of(read_runs(path))
            check_points(points, PLAN)
            fit = calibrate_bench(PLAN.gpu.calibrations["vllm"], PLAN, points, "result.json")
        except SimulatorError as error:
            lines = str(error).splitlines()
            assert all(line.startswith(str(path)) or "the time per token is" in line for line in lines), lines
        else:
            assert all(math.isfinite(time) and time > 0.0 for time in fit.after_s)
