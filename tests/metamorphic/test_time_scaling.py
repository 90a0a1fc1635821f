"""Faster hardware or a faster clock changes every time by the same factor and nothing else."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from changed import ROOFLINE, UNTIMED, Document, changed, documents_with, tables_of

TIMES = ("submitted_ns", "started_ns", "first_token_ns", "ended_ns")

PEAKS = ("hbm_bandwidth_bytes_per_s", "link_bandwidth_bytes_per_s")
FLOORS = ("allreduce_floor_s", "layer_overhead_s")
OVERHEADS = ("step_overhead_s", "sequence_overhead_s")


def on_hardware_twice_as_fast(document: Document) -> Document:
    faster = copy.deepcopy(document)
    gpu = faster["hardware"]["gpu"]
    for figure in (*gpu["peak_flops_per_s"].values(), *(gpu[name] for name in PEAKS)):
        figure["value"] *= 2
    for name in FLOORS:
        if gpu.get(name) is not None:  # not measured on every GPU
            gpu[name]["value"] /= 2
    latency = faster["engine"]["latency"]
    latency.update({name: latency[name] / 2 for name in OVERHEADS if name in latency})
    return faster


@given(document=documents_with(UNTIMED | {"engine.latency": ROOFLINE}))
def test_twice_the_hardware_takes_half_the_time(document: Document) -> None:
    slow, fast = tables_of(document), tables_of(on_hardware_twice_as_fast(document))
    for name in set(slow.trials) - set(TIMES):
        assert slow.trials[name].tolist() == fast.trials[name].tolist()
    assert slow.steps["steps"].tolist() == fast.steps["steps"].tolist()
    # Every step is rounded to a nanosecond, up to half of one away; doubled, up to a whole one.
    rounding_ns = 1.5 * int(slow.steps["steps"].sum())
    for name in TIMES:
        assert np.abs(slow.trials[name] - 2 * fast.trials[name]).max() <= rounding_ns


@st.composite
def on_a_coarse_clock(draw: st.DrawFn) -> tuple[Document, Document, int]:
    """Draw a scenario whose times are whole microseconds, and the same on a slower clock."""
    factor = draw(st.integers(2, 7))
    count = draw(st.integers(1, 8))
    arrivals_us = sorted(draw(st.lists(st.integers(0, 5000), min_size=count, max_size=count)))
    step_us, token_us = draw(st.sampled_from([(100, 0), (350, 3), (7, 1)]))
    horizon_us = draw(st.sampled_from([None, None, 2000, 7350]))
    verdict_us = draw(st.sampled_from([None, (0, 0), (100, 0), (1234, 3)]))

    def clocked(seconds: float) -> dict[str, Any]:
        return {
            "engine.latency": {
                "kind": "constant",
                "step_s": step_us * seconds,
                "sequence_s": token_us * seconds,
                "prefill_token_s": token_us * seconds,
            },
            "workload.tasks.count": count,
            "workload.arrivals": {"kind": "trace", "arrivals_s": [us * seconds for us in arrivals_us]},
            "workload.verifier": verdict_us
            and {"seconds_per_trial": verdict_us[0] * seconds, "seconds_per_token": verdict_us[1] * seconds},
            "report.horizon_s": None if horizon_us is None else horizon_us * seconds,
        }

    document = draw(documents_with({}))
    return changed(document, clocked(1e-6)), changed(document, clocked(factor * 1e-6)), factor


@given(drawn=on_a_coarse_clock())
def test_a_slower_clock_stretches_every_time(drawn: tuple[Document, Document, int]) -> None:
    document, slower, factor = drawn
    fast, slow = tables_of(document), tables_of(slower)
    for table in ("steps", "trials", "tasks"):
        before, after = getattr(fast, table), getattr(slow, table)
        for name in before:
            scale = factor if name.endswith("_ns") else 1
            expected = np.where(before[name] < 0, before[name], before[name] * scale)
            assert after[name].tolist() == expected.tolist()
    assert slow.end_ns == factor * fast.end_ns
    assert slow.pending_tasks == fast.pending_tasks
