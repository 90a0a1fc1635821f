"""Every study runs, draws and answers; what two of them make of a table is checked by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from simulator.kinetics.palette import ORDER, place_of
from simulator.studies import adaptive, hardware, overlap
from simulator.studies.adaptive import FIXED, LUCKY, ORACLE, TRIALS
from simulator.studies.drawing import short
from simulator.studies.questions import STUDIES
from simulator.studies.study import Budget, Study

# Under coverage they take twice as long; their lines are run by tests of their own.
TESTED_ELSEWHERE = ("threshold", "lengths", "prefix", "adaptive", "energy")
MARKED = [
    pytest.param(name, marks=[pytest.mark.no_cover] if name in TESTED_ELSEWHERE else []) for name in STUDIES
]


@pytest.fixture(scope="module", params=MARKED)
def quick(request: pytest.FixtureRequest) -> tuple[Study, pd.DataFrame]:
    """Return a study and what a quick run of it gives; tests of the same follow one another."""
    study = STUDIES[request.param]
    return study, study.run(Budget(seeds=2, quick=True))


@pytest.mark.slow
def test_a_quick_run_answers_and_draws(quick: tuple[Study, pd.DataFrame]) -> None:
    study, frame = quick
    charts = study.charts(frame)
    assert len({chart.name for chart in charts}) == len(charts) > 0
    assert all(chart.name.startswith(study.name) for chart in charts)
    drawn = [series for chart in charts for panel in chart.panels for series in panel.series]
    assert all(len(series.x) == len(series.y) > 0 for series in drawn)
    of_model = {short(model): place_of(model) for model in ORDER}
    for one in drawn:
        size = one.name.partition(",")[0]
        assert one.place == of_model.get(size, one.place)
    assert study.answer(frame).endswith(".")
    assert "nan" not in study.answer(frame)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("quick", ["adaptive"], indirect=True)
def test_a_quick_run_puts_the_bounds_above_what_servers_reach(quick: tuple[Study, pd.DataFrame]) -> None:
    _, frame = quick
    for loss in adaptive.LOSSES:
        best = {
            family: adaptive.costs(frame, loss, family, 0.55, "gpu_s_per_task")[0]
            for family in (FIXED, TRIALS, ORACLE, LUCKY)
        }
        assert best[LUCKY] < best[ORACLE] < best[TRIALS] < best[FIXED]


def test_the_gain_of_a_doubling_is_over_the_node_as_it_is() -> None:
    rates = {"dense": {"": 2.0, "bandwidth": 3.0}, "block_topk": {"": 8.0, "bandwidth": 10.0}}
    rows = [
        ("qwen3-8b", "roofline", attention, doubled, seed, rate * (1 + seed))
        for attention, found in rates.items()
        for doubled, rate in found.items()
        for seed in (0, 1)
    ]
    frame = pd.DataFrame(rows, columns=[*hardware.BY, "seed", "solved_per_s"])
    found = hardware.gains(frame)
    assert list(found["doubled"]) == ["HBM bandwidth"] * 2
    assert list(found["estimate"]) == pytest.approx([1.5, 1.25])
    assert "8B, dense: twice the HBM bandwidth 1.50 (1.50 to 1.50)." in hardware.answer(frame)


def test_the_ways_to_combine_are_compared_with_the_larger_of_each_operation() -> None:
    larger, summed, overlapped = overlap.COMBINED.values()
    rates = {larger: (2.0, 6.0), summed: (1.5, 3.0), overlapped: (2.5, 10.0)}
    rows = [
        ("qwen3-8b", attention, combined, seed, rate)
        for combined, (dense, sparse) in rates.items()
        for attention, rate in (("dense", dense), ("block_topk", sparse))
        for seed in (0, 1)
    ]
    frame = pd.DataFrame(rows, columns=["model", "attention", "combined", "seed", "solved_per_s"])
    assert list(overlap.sparse_gain(frame)["estimate"]) == pytest.approx([3.0, 2.0, 4.0])
    text = overlap.answer(frame)
    assert "sum, solved tasks/s over the larger of each operation: dense 0.75 (0.75 to 0.75) for 8B" in text
    assert "block top-k 0.50 (0.50 to 0.50) for 8B; the gain of block top-k over dense 0.67 (0.67" in text
    assert "larger of all, solved tasks/s over the larger of each operation: dense 1.25 (1.25" in text
