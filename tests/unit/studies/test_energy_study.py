"""Energy: identities between power, time and energy, and what is compared with what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from simulator.studies import energy
from simulator.studies.study import Budget


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy, "LOADS", (1, 2, 4))
        patch.setattr(energy, "BUDGETS", {128: 128, 1_024: 16})
        return energy.run(Budget(seeds=1, quick=True))


def test_energy_is_power_over_solved_tasks_per_second(frame: pd.DataFrame) -> None:
    # One GPU in each of these plans.
    assert frame["joules"].to_numpy() == pytest.approx((frame["watts"] / frame["solved_per_s"]).to_numpy())


def test_carbon_is_energy_times_grid_and_building(frame: pd.DataFrame) -> None:
    assert (frame["kg_co2e"] / frame["joules"]).to_numpy() == pytest.approx(
        np.full(len(frame), 0.445 * 1.54 / 3.6e6)
    )


def test_idle_shares_are_those_of_each_gpu(frame: pd.DataFrame) -> None:
    idle = (frame["idle_share"] * frame["watts"]).groupby(frame["gpu"]).agg(["min", "max"])
    assert idle.loc["B200"].tolist() == pytest.approx([187.0, 187.0])
    assert idle.loc["H100"].tolist() == pytest.approx([115.0, 115.0])


def test_budgets_are_run_at_the_largest_load_and_the_ends_at_all(frame: pd.DataFrame) -> None:
    loads = frame[frame["gpu"] == "B200"].groupby("attention")["in_progress"].agg(list).to_dict()
    assert loads == {"dense": [2, 4], "block top-k 1024": [2, 4], "block top-k 128": [4]}


def test_sparse_attention_saves_more_eflops_than_energy_and_the_answer_says_so(frame: pd.DataFrame) -> None:
    saved = energy.savings(frame)
    point = {"gpu": "B200", "model": "qwen3-8b", "in_progress": 4}
    figures = {}
    for name, rows in saved.items():
        row = rows[(rows[list(point)] == pd.Series(point)).all(axis=1)]
        figures[name] = float(row["estimate"].iloc[0])
        assert f"{name} {figures[name]:.2f}" in energy.answer(frame)
    pair = frame[(frame["gpu"] == "B200") & (frame["in_progress"] == 4)].set_index("attention")
    assert figures["energy"] == pytest.approx(pair.loc["dense", "joules"] / pair.loc[energy.MAIN, "joules"])
    assert figures["eFLOPs, decode"] > figures["eFLOPs, executed"] > figures["energy"] > 1.0


def test_charts_hold_every_model_gpu_and_budget(frame: pd.DataFrame) -> None:
    by_load, by_budget, saved = energy.charts(frame)
    assert by_load.names == ("B200, dense", "B200, block top-k 1024", "H100, dense", "H100, block top-k 1024")
    assert by_budget.panels[0].x.categories == ("dense", "128", "1024")
    assert [panel.title for panel in saved.panels] == ["B200", "H100"]
    dense = frame[(frame["gpu"] == "B200") & (frame["attention"] == "dense")]
    assert by_load.panels[0].series[0].y == pytest.approx((dense["joules"] / 1e3).tolist())


def test_the_largest_model_takes_two_of_the_smaller_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "LOADS", (16,))
    monkeypatch.setattr(energy, "BUDGETS", {})
    tp = {(p.labels["gpu"], p.labels["model"]): p.scenario.parallelism.tp for p in energy._points(Budget())}
    assert {pair for pair, gpus in tp.items() if gpus == 2} == {("H100", "qwen3-32b")}
    assert len(tp) == 6
