"""Luck belongs to a task and a node: other trials, and when they stop, do not move it."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from changed import Document, changed, documents_with, tables_of

LUCK = ("task", "node", "prompt_tokens", "output_tokens", "truncated", "correct", "answer")


def best_of_n(trials: int, *, stop: bool = False) -> dict[str, object]:
    return {
        "workload.strategy": {"kind": "best_of_n", "trials": trials, "stop_at_first_success": stop},
        "report.horizon_s": None,
    }


@given(document=documents_with({}), trials=st.integers(1, 4), more=st.integers(1, 4))
def test_more_trials_leave_the_first_ones_as_they_were(document: Document, trials: int, more: int) -> None:
    few, many = (tables_of(changed(document, best_of_n(count))) for count in (trials, trials + more))
    first = many.trials["node"] < trials
    assert first.sum() == len(few.trials["node"])
    for name in LUCK:
        assert many.trials[name][first].tolist() == few.trials[name].tolist()
    assert (many.tasks["solved"] >= few.tasks["solved"]).all()


@given(document=documents_with({}), trials=st.integers(1, 6))
def test_an_early_stop_solves_the_same_tasks_for_no_more_tokens(document: Document, trials: int) -> None:
    early, full = (tables_of(changed(document, best_of_n(trials, stop=stop))) for stop in (True, False))
    assert early.tasks["solved"].tolist() == full.tasks["solved"].tolist()
    assert (early.tasks["output_tokens"] <= full.tasks["output_tokens"]).all()
    assert (early.trials["output_tokens"] <= full.trials["output_tokens"]).all()
    unsolved = full.tasks["solved"] == 0
    assert early.tasks["output_tokens"][unsolved].tolist() == full.tasks["output_tokens"][unsolved].tolist()


@given(document=documents_with({}), trials=st.integers(1, 6), first=st.integers(1, 6))
def test_waves_solve_what_all_trials_at_once_solve(document: Document, trials: int, first: int) -> None:
    waves = {"kind": "adaptive", "first_wave": min(first, trials), "wave": 2, "max_trials": trials}
    full = tables_of(changed(document, best_of_n(trials)))
    adaptive = tables_of(changed(document, best_of_n(trials) | {"workload.strategy": waves}))
    assert adaptive.tasks["solved"].tolist() == full.tasks["solved"].tolist()
    assert (adaptive.tasks["output_tokens"] <= full.tasks["output_tokens"]).all()


@given(
    document=documents_with({}),
    schedulers=st.permutations(["fcfs", "shortest_first", "task_affine", "priority"]),
    dp=st.integers(1, 3),
)
def test_hardware_and_policies_do_not_move_the_luck(
    document: Document, schedulers: list[str], dp: int
) -> None:
    one, other = (
        tables_of(changed(document, best_of_n(3) | {"engine.scheduler": {"kind": kind}, "parallelism.dp": n}))
        for kind, n in ((schedulers[0], 1), (schedulers[1], dp))
    )
    for name in LUCK:
        assert one.trials[name].tolist() == other.trials[name].tolist()
