"""What every study rests on: points run alike in any number of processes, means and ratios by seed."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from simulator.api import Result, simulate
from simulator.errors import InfeasiblePlanError, UnknownNameError
from simulator.metrics.intervals import paired_ratio, t_interval
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import Scenario
from simulator.studies import Budget, mean_over_seeds, ratio_over_seeds, run_points, variants_of
from simulator.studies.points import Point
from simulator.studies.questions import STUDIES, chosen

SMALL = {"workload.tasks.repeats": 1, "workload.arrivals.concurrency": 10}
MEASURES = {
    "solved_per_s": "throughput.solved_tasks_per_s",
    "selection_s": "hardware.parts.selection.seconds",
}
ROWS = pd.DataFrame(
    {
        "model": ["a", "a", "a", "a", "b", "b"],
        "attention": ["dense", "dense", "sparse", "sparse", "dense", "dense"],
        "speed": [1.0, 2.0, 3.0, 5.0, 4.0, math.nan],
    }
)


def points() -> list[Point]:
    return list(variants_of(load_scenario("quickstart", overrides=SMALL), model="qwen3-8b"))


def test_rows_are_those_of_the_runs_by_themselves() -> None:
    frame = run_points(points(), MEASURES, Budget(seeds=2))
    assert list(frame.columns) == ["model", "variant", "seed", *MEASURES, "infeasible", "unsettled"]
    assert frame["unsettled"].all()  # ten tasks in progress, thirty in all
    assert list(frame["variant"]) == ["dense", "dense", "block_topk", "block_topk"]
    assert list(frame["seed"]) == [0, 1, 0, 1]
    one = simulate(load_scenario("quickstart", overrides=SMALL).variants["block_topk"], seed=1).summary
    assert frame["solved_per_s"].iloc[3] == one["throughput"]["solved_tasks_per_s"]
    assert frame["selection_s"].iloc[3] == one["hardware"]["parts"]["selection"]["seconds"]
    assert math.isnan(frame["selection_s"].iloc[0])


def test_processes_change_nothing() -> None:
    told: list[tuple[int, int]] = []
    alone = run_points(
        points(), MEASURES, Budget(seeds=1, progress=lambda done, total: told.append((done, total)))
    )
    pd.testing.assert_frame_equal(alone, run_points(points(), MEASURES, Budget(seeds=1, workers=2)))
    assert told == [(1, 2), (2, 2)]


def test_a_budget_of_one_seed_keeps_the_rest() -> None:
    budget = Budget(seeds=5, workers=2, quick=True)
    assert budget.of_one_seed == Budget(seeds=1, workers=2, quick=True)


def test_a_point_that_turns_out_not_to_fit_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(scenario: Scenario, *, seed: int) -> Result:
        if scenario.model.attention.kind == "dense":
            message = f"no room for seed {seed}"
            raise InfeasiblePlanError(message)
        return simulate(scenario, seed=seed)

    monkeypatch.setattr("simulator.studies.points.simulate", no_room)
    frame = run_points(points(), MEASURES, Budget(seeds=1))
    assert math.isnan(frame["solved_per_s"].iloc[0])
    assert list(frame["infeasible"]) == ["no room for seed 0", ""]
    assert frame["solved_per_s"].iloc[1] > 0


def test_means_leave_out_points_with_a_missing_seed() -> None:
    found = mean_over_seeds(ROWS, ["model", "attention"], "speed")
    assert list(found["estimate"]) == [1.5, 4.0]
    expected = t_interval([3.0, 5.0], 0.95)
    assert (found["low"].iloc[1], found["high"].iloc[1]) == (expected.low, expected.high)


def test_ratios_are_paired_by_seed() -> None:
    found = ratio_over_seeds(ROWS, ["model", "attention"], "speed", to={"attention": "dense"})
    assert list(found["attention"]) == ["dense", "sparse"]
    expected = paired_ratio([1.0, 2.0], [3.0, 5.0], 0.95)
    assert expected is not None
    row = found.iloc[1]
    assert (row["estimate"], row["low"], row["high"]) == (expected.estimate, expected.low, expected.high)


def test_studies_are_chosen_once_and_in_order() -> None:
    names = list(STUDIES)
    assert [study.name for study in chosen([names[1], names[0], names[1]])] == names[:2]
    assert [study.name for study in chosen(["all"])] == names


def test_all_unknown_studies_are_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'overlp'; did you mean overlap\?.*'nothing'"):
        chosen(["overlp", "overlap", "nothing"])


@pytest.mark.parametrize("name", list(STUDIES))
def test_the_scenario_of_a_study_loads(name: str) -> None:
    assert load_scenario(STUDIES[name].scenario).variants
