"""A run that is cut is the beginning of the whole run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from changed import Document, changed, documents_with, tables_of

from simulator.metrics.tables import Columns, RunTables

SUMS = ("steps", "attended_tokens", "read_tokens", "index_entries")
"""Columns that grow with the steps of a row."""


def boundaries_ns(steps: Columns) -> list[int]:
    """Return every end of a step, where the steps of a row took equally long."""
    found: set[int] = set()
    for start, end, count in zip(
        *(steps[name].tolist() for name in ("start_ns", "end_ns", "steps")), strict=True
    ):
        if (end - start) % count == 0:
            found.update(range(start, end + 1, (end - start) // count))
    return sorted(found - {0})


def time_of_cut_ns(whole: RunTables, share: float, *, at_boundary: bool) -> int:
    """Return a time in the run, any or one at which a step ends."""
    if not at_boundary:
        return 1 + int(share * whole.end_ns)
    boundaries = boundaries_ns(whole.steps)
    return boundaries[int(share * len(boundaries))]


def check_steps(whole: RunTables, cut: RunTables, replica: int, horizon_ns: int) -> None:
    full = {name: values[whole.steps["replica"] == replica] for name, values in whole.steps.items()}
    part = {name: values[cut.steps["replica"] == replica] for name, values in cut.steps.items()}
    complete = int((full["end_ns"] < horizon_ns).sum())
    rest = len(part["end_ns"]) - complete
    assert rest in (0, 1)
    for name in full:
        assert part[name][:complete].tolist() == full[name][:complete].tolist()
    if not rest:
        return
    # The row that the cut falls into has its steps up to there.
    assert full["start_ns"][complete] == part["start_ns"][-1] < part["end_ns"][-1] < horizon_ns
    assert full["decode_sequences"][complete] == part["decode_sequences"][-1]
    for name in SUMS:
        assert part[name][-1] <= full[name][complete]
    assert part["steps"][-1] < full["steps"][complete]


def check_trials(whole: RunTables, cut: RunTables, horizon_ns: int) -> None:
    came = whole.trials["submitted_ns"] < horizon_ns
    assert cut.trials["submitted_ns"].tolist() == whole.trials["submitted_ns"][came].tolist()
    for name in ("started_ns", "first_token_ns", "ended_ns"):
        times = whole.trials[name][came]
        assert cut.trials[name].tolist() == np.where(times < horizon_ns, times, -1).tolist()
    ended = (cut.trials["ended_ns"] >= 0).tolist()
    for name in ("task", "node", "parent", "replica", "output_tokens", "state", "correct", "preemptions"):
        before, after = whole.trials[name][came], cut.trials[name]
        assert after[ended].tolist() == before[ended].tolist()


def check_tasks(whole: RunTables, cut: RunTables, horizon_ns: int) -> None:
    arrived = whole.tasks["arrival_ns"] < horizon_ns
    assert cut.pending_tasks == (~arrived).sum()
    assert cut.tasks["task"].tolist() == whole.tasks["task"][arrived].tolist()
    ends = whole.tasks["ended_ns"][arrived]
    assert cut.tasks["ended_ns"].tolist() == np.where(ends < horizon_ns, ends, -1).tolist()
    ended = cut.tasks["ended_ns"] >= 0
    assert cut.tasks["solved"][ended].tolist() == whole.tasks["solved"][arrived][ended].tolist()
    assert cut.end_ns == horizon_ns


@given(
    document=documents_with({"report.horizon_s": None}),
    share=st.floats(0.0, 1.0, exclude_max=True),
    at_boundary=st.booleans(),
)
def test_a_cut_run_is_the_beginning_of_the_whole_run(
    document: Document, share: float, *, at_boundary: bool
) -> None:
    whole = tables_of(document)
    horizon_ns = time_of_cut_ns(whole, share, at_boundary=at_boundary)
    cut = tables_of(changed(document, {"report.horizon_s": horizon_ns / 1e9}))
    for replica in range(3):
        check_steps(whole, cut, replica, horizon_ns)
    check_trials(whole, cut, horizon_ns)
    check_tasks(whole, cut, horizon_ns)
