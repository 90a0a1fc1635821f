"""What the five lines say holds, where nothing is solved, nothing ends, or the load sets the rate."""

from __future__ import annotations

from typing import Any

import pytest
from small_runs import small

from simulator import explain
from simulator.explaining.explanation import Explanation
from simulator.explaining.explanation_text import render_explanation

OVERLOADED = {
    "workload.arrivals": {"kind": "poisson", "rate_per_s": 50.0},
    "workload.tasks.count": 30,
    "workload.lengths.tokens": 2048,
    "engine.max_sequences": 16,
}


def explained(**changes: Any) -> Explanation:  # noqa: ANN401 - values of a scenario
    return explain(small(**changes))


def test_a_window_in_which_no_task_ends_does_not_make_the_rate_zero() -> None:
    # All thirty are solved, but the last one arrives long before the first ends.
    lines = explained(**OVERLOADED).lines
    assert "solves 0 tasks/s" not in lines[0]
    assert "tasks/s by its output tokens (no task ends in the window)" in lines[0]
    assert "the solved tasks/s" in lines[2]


def test_what_is_full_bounds_the_batch() -> None:
    assert "(bounded by engine.max_sequences)" in explained(**OVERLOADED).lines[0]
    assert "(bounded by the load: hardly a trial waits)" in explained().lines[0]
    tight = {"workload.lengths.tokens": 8192, "workload.tasks.count": 12, "hardware": "l40s-8"}
    tight |= {"engine.kv.hbm_utilisation_ratio": 0.42}
    assert "(bounded by KV memory)" in explained(**tight).lines[0]


def test_blocks_that_are_given_are_doubled_instead_of_memory_that_does_not_matter() -> None:
    tight = {"engine.kv.blocks": 200, "workload.lengths.tokens": 1024, "workload.tasks.count": 12}
    found = explained(**tight)
    assert "(bounded by engine.kv.blocks)" in found.lines[0]
    gains = found.doubled.set_index("resource")["gain"]
    assert gains["kv_blocks"] > 1.1
    assert "hbm_capacity" not in gains


@pytest.mark.parametrize("seed", [12, 24])
def test_few_seeds_of_few_arrivals_do_not_make_a_node_fall_behind(seed: int) -> None:
    # A few tasks more at the end of a window than at its beginning are a tenth of all that arrive in it.
    found = explained(
        **{
            "workload.arrivals": {"kind": "poisson", "rate_per_s": 1.0},
            "workload.tasks.count": 24,
            "workload.lengths": {"kind": "lognormal", "median_tokens": 900.0, "log_sigma": 0.6},
            "report.seeds": 2,
            "seed": seed,
        }
    )
    assert found.target == ("latency.task_s.mean", True)
    assert "the arrivals set this rate" in found.lines[0]
    assert "twice the HBM bandwidth: 1." in found.lines[2]


def test_a_node_that_falls_behind_is_not_said_to_keep_up() -> None:
    assert explained(**OVERLOADED).target[0] != "latency.task_s.mean"


def test_users_that_think_long_set_the_rate_and_time_counts() -> None:
    found = explained(
        **{
            "workload.arrivals": {"kind": "closed_loop", "concurrency": 2, "think_time_s": 50.0},
            "workload.tasks.count": 24,
        }
    )
    assert "the load sets this rate" in found.lines[0]
    assert "as fast an answer" in found.lines[2]
    assert "are idle 9" in found.lines[1]


def test_a_constant_step_time_is_told_to_be_why_nothing_helps() -> None:
    found = explained(
        **{
            "engine.latency": {"kind": "constant", "step_s": 0.01},
            "workload.arrivals": {"kind": "closed_loop", "concurrency": 2},
            "workload.tasks.count": 20,
        }
    )
    assert found.lines[1].startswith("GPUs spend 100% on steps of constant time and are idle 0% of the time")
    assert "the step time is constant, whatever the hardware" in found.lines[2]


def test_where_nothing_is_solved_the_table_shows_the_figure_that_counts() -> None:
    found = explained(**{"workload.outcomes.solve_probability": 0.0})
    assert "solves none of the" in found.lines[0]
    assert "the tasks/s" in found.lines[2]
    table = render_explanation(found).partition("What doubling does")[2].splitlines()
    assert table[1].split() == ["tasks/s", "task", "time"]
    assert " - " not in table[2]


def test_a_run_that_was_cut_before_anything_ended_claims_nothing() -> None:
    found = explained(**{"report.horizon_s": 0.001})
    assert found.lines == [
        "scenario ends no task in the window on 1 x b200-sxm, with no step that ended; no task was answered.",
        "GPUs spend next to no time stepping and are idle 100% of the time.",
        "What would help cannot be told: no throughput is known for every seed.",
        "So what would not help is not known either.",
        "The steps have no operations to bound.",
    ]
    assert "What doubling does: no figure is known for every seed" in render_explanation(found)


def test_a_run_that_was_cut_before_a_task_ended_has_no_empty_places() -> None:
    found = explained(**{"report.horizon_s": 0.4})
    assert "ends no task in the window" in found.lines[0]
    assert "the output tokens/s" in found.lines[2]
    assert not any(" - " in line or "(-)" in line or line.endswith(" -.") for line in found.lines)


def test_tables_keep_their_columns_together_and_to_the_width() -> None:
    found = explained(**{"model.preset": "qwen3.6-35b-a3b", "workload.tasks.count": 2})
    text = render_explanation(found)
    heads = [line for line in text.splitlines() if "GFLOP" in line]
    assert [line.split()[-1] for line in heads] == ["source"]
    assert "S states" in text
    assert max(map(len, text.splitlines())) <= 100
