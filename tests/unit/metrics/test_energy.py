"""Energy from fitted power, and the carbon of the site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).parent))

from made_records import BANDWIDTH, IDLE, PEAK, TDP, Made, bound, scenario, summary, two_tasks

from simulator.scenario.schema import Scenario

POWER: dict[str, Any] = {
    "memory_exponent": 1.2,
    "compute_exponent": 6.0,
    "measured_on": "another",
    "memory_fitted": {"table": "made up", "rows": 10, "held_out_rows": 0},
    "compute_fitted": {"table": "made up", "rows": 10, "held_out_rows": 0},
}
CHECKED = {
    "table": "made-up runs",
    "rows": 12,
    "median_error_ratio": 0.07,
    "p90_error_ratio": 0.2,
    "bias_ratio": -0.03,
}


def with_power(power: dict[str, Any], **parts: Any) -> Scenario:  # noqa: ANN401 - raw parts of a document
    hardware = scenario().model_dump(mode="json", by_alias=True)["hardware"]
    return scenario(hardware=hardware | {"gpu": hardware["gpu"] | {"power": power}}, **parts)


def sited(grid: float, pue: float) -> Scenario:
    source = "made up for tests"
    site = {
        "grid_kg_co2e_per_kwh": {"value": grid, "source": source},
        "pue": {"value": pue, "source": source},
    }
    return scenario(report={"site": site})


def test_fitted_power_is_taken_row_by_row_where_the_profile_has_it() -> None:
    records = two_tasks().records()
    chosen = with_power(POWER)
    parts = bound(chosen).parts(records.step_rows()).values()
    seconds = np.array([2.0, 1.0, 8.0])
    compute = np.sum([part.flops / PEAK for part in parts], axis=0) / seconds
    memory = np.sum([part.hbm_bytes / BANDWIDTH for part in parts], axis=0) / seconds
    dynamic = (TDP - IDLE) * ((1.0 - np.exp(-1.2 * memory - 6.0 * compute)) * seconds).sum()
    energy = summary(chosen, records)["energy"]
    assert energy["joules"] == pytest.approx(2 * IDLE * 10.0 + dynamic)
    assert energy["assumption"].startswith("fitted: ")
    assert "another" in energy["assumption"]


def test_no_load_draws_more_than_the_limit() -> None:
    made = Made()
    made.step(0.0, 1.0, replica=0, decode_sequences=1, attended_tokens=10**15, read_tokens=10**15)
    made.trial(0, 0.0, 0.0, 0.5, 1.0).task(0.0, 1.0, solved=1)
    chosen = with_power(POWER | {"memory_exponent": 50.0}, parallelism={"tp": 1, "dp": 1})
    assert summary(chosen, made.records())["energy"]["joules"] == pytest.approx(TDP)
    weak = with_power(POWER | {"memory_exponent": 0.5}, parallelism={"tp": 1, "dp": 1})
    assert IDLE < summary(weak, made.records())["energy"]["joules"] < TDP


def test_a_note_says_what_power_rests_on_and_how_far_off_it_was() -> None:
    records = two_tasks().records()

    def note(chosen: Scenario) -> str:
        return next(n for n in summary(chosen, records)["notes"] if n.startswith("Power"))

    assert "assumed: linear in the busier" in note(scenario())
    assert "not compared with serving runs" in note(with_power(POWER))
    checked = note(with_power(POWER | {"checked": CHECKED}))
    assert "12 measured serving runs" in checked
    assert "7% off in the median and 20% at the 90th percentile" in checked


def test_carbon_is_energy_times_the_overhead_of_the_site_and_the_grid() -> None:
    energy = summary(sited(0.36, 1.25), two_tasks().records())["energy"]
    assert energy["kg_co2e"] == pytest.approx(energy["joules"] * 1.25 * 0.36 / 3.6e6)
    # One of the two tasks is solved.
    assert energy["kg_co2e_per_solved_task"] == energy["kg_co2e"]
    assert "0.36 kg CO2e/kWh (made up for tests) x PUE 1.25" in energy["carbon_source"]


def test_the_site_changes_carbon_and_nothing_else() -> None:
    records = two_tasks().records()
    here, there = summary(sited(0.4, 1.5), records), summary(sited(0.04, 1.0), records)
    assert there["energy"]["kg_co2e"] == pytest.approx(here["energy"]["kg_co2e"] / 15.0)
    for found in (here, there):
        for figure in ("kg_co2e", "kg_co2e_per_solved_task", "carbon_source"):
            del found["energy"][figure]
    assert here == there


def test_without_known_utilisation_there_is_neither_energy_nor_carbon_nor_a_note_of_power() -> None:
    chosen = scenario(engine={"latency": {"kind": "constant", "step_s": 0.1}})
    found = summary(chosen, two_tasks().records())
    energy = found["energy"]
    assert energy["joules"] is energy["kg_co2e"] is energy["kg_co2e_per_solved_task"] is None
    assert not any(note.startswith("Power") for note in found["notes"])


@pytest.mark.parametrize(
    ("grid", "pue", "match"), [(445.0, 1.5, "445 is outside 0 to 5 kg"), (0.4, 0.9, "0.9 is outside 1 to 5")]
)
def test_grams_for_kilograms_and_a_site_that_makes_energy_are_refused(
    grid: float, pue: float, match: str
) -> None:
    with pytest.raises(ValidationError, match=match):
        sited(grid, pue)
