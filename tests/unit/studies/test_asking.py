"""A study from Python: its frame by its name, and what is refused."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import simulator.studies
from simulator.errors import ScenarioError, UnknownNameError
from simulator.studies import STUDIES, Budget, Study, run_study
from simulator.studies import asking as module


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Budget]:
    """Return the budgets that a study of one row is run with."""
    budgets = []

    def run(budget: Budget) -> pd.DataFrame:
        budgets.append(budget)
        return pd.DataFrame({"seed": [0], "unsettled": [True]})

    study = Study("capacity", "Why?", "quickstart", run, lambda _: [], lambda _: "So.")
    monkeypatch.setattr(module, "chosen", lambda names: [study] if names == ["capacity"] else [])
    return budgets


def test_a_study_is_run_with_what_is_asked(asked: list[Budget]) -> None:
    def tell(done: int, runs: int) -> None:
        del done, runs

    found = run_study("capacity", seeds=2, workers=3, quick=True, progress=tell)
    assert asked == [Budget(2, 3, True, tell)]  # noqa: FBT003 - in the order of its fields
    assert found.table["seed"].to_list() == [0]
    assert found.text.startswith("So.\nIn 1 of 1 runs")


def test_the_frame_is_that_of_the_study_itself() -> None:
    found = run_study("per-layer", seeds=1, quick=True)
    pd.testing.assert_frame_equal(found.table, STUDIES["per-layer"].run(Budget(seeds=1, quick=True)))


def test_an_unknown_study_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no study 'adaptiv'; did you mean adaptive\?"):
        run_study("adaptiv")


@pytest.mark.parametrize("given", [{"seeds": 0}, {"workers": 0}, {"seeds": True}, {"workers": 1.5}])
def test_wrong_counts_are_refused_before_anything_runs(asked: list[Budget], given: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match="must be a whole number from 1 on"):
        run_study("capacity", **given)
    assert asked == []


def test_all_studies_at_once_are_refused_with_every_other_fault() -> None:
    with pytest.raises(ScenarioError) as raised:
        run_study("all", seeds=0)
    assert [fault.partition(":")[0] for fault in raised.value.faults] == ["seeds", "name"]


def test_an_unknown_name_of_the_package_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = simulator.studies.nothing
