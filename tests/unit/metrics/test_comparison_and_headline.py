from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_records import capacity, scenario, summary, two_tasks, with_arrivals

from simulator.metrics import compare_runs
from simulator.metrics.headline import times
from simulator.metrics.keeping_up import keeps_up
from simulator.metrics.measures import MEASURES, number

LOADED = scenario(engine={"latency": {"kind": "roofline", "layer_overhead_s": 0.0}})


def made(**changes: float) -> dict[str, Any]:
    """Return the summary of the made run with figures replaced, dots written as two underscores."""
    found = copy.deepcopy(summary(LOADED, two_tasks().records()))
    for path, value in changes.items():
        section, key = path.split("__")
        found[section][key] = value
    return found


def rates(*values: float) -> list[dict[str, Any]]:
    """Return one summary per seed that solves `values` tasks per second, faster by faster steps."""
    return [made(throughput__solved_tasks_per_s=v, throughput__output_tokens_per_s=84.0 * v) for v in values]


def parts(**seconds: float) -> dict[str, Any]:
    total = sum(seconds.values())
    return {
        name: {
            "seconds": value,
            "share_ratio": value / total,
            "bound_ratio": 1.0,
            "bound_by": "memory",
            "flops": 1.0,
            "hbm_bytes": 1.0,
            "peak_flops_per_s": 1.0,
        }
        for name, value in seconds.items()
    }


def with_parts(summaries: list[dict[str, Any]], **seconds: float) -> list[dict[str, Any]]:
    for found in summaries:
        found["hardware"]["parts"] = parts(**seconds)
    return summaries


def answer(runs: dict[str, list[dict[str, Any]]]) -> str:
    return str(compare_runs(runs, 0.95)["answer"])


def test_a_clear_winner_is_named_with_its_ratio_its_interval_and_the_reason() -> None:
    runs = {
        "dense": with_parts(rates(0.1, 0.2), attention=71.0, gate_up=29.0),
        "block_topk": with_parts(rates(0.3, 0.63), attention=4.0, gate_up=29.0),
    }
    assert answer(runs) == (
        "block_topk solves 3.07 times as many tasks per second as dense (2.25 to 4.19) on 2 x round, because "
        "reading KV takes 12% of the step time of block_topk and 71% of that of dense (optimistic bound: "
        "roofline step times)."
    )


def test_an_interval_that_includes_one_tells_no_difference() -> None:
    found = answer({"a": rates(0.1, 0.2, 0.3), "b": rates(0.2, 0.1, 0.35)})
    assert found.startswith("No difference can be told between b and a on 2 x round")
    assert "because" not in found


def test_one_seed_says_that_it_has_no_interval() -> None:
    found = answer({"a": rates(0.1), "b": rates(0.2)})
    assert "b solves 2.00 times as many tasks per second as a (one seed, no interval)" in found


def test_equal_runs_solve_exactly_as_many() -> None:
    assert answer({"a": rates(0.1), "b": rates(0.1)}).startswith("b solves exactly as many tasks per second")


def test_a_loser_is_said_to_lose() -> None:
    found = answer({"a": rates(0.2, 0.4), "b": rates(0.1, 0.2)})
    assert "b solves 0.500 times as many tasks per second as a (0.500 to 0.500)" in found


def test_the_best_of_several_variants_is_compared_with_the_first() -> None:
    found = answer({"a": rates(0.1), "b": rates(0.2), "c": rates(0.4), "d": rates(0.3)})
    assert found.startswith("c solves 4.00 times")


def test_a_win_by_fewer_tokens_is_explained_by_tokens() -> None:
    slow = [made(throughput__solved_tasks_per_s=0.1, throughput__output_tokens_per_s=1000.0)]
    thrifty = [made(throughput__solved_tasks_per_s=0.4, throughput__output_tokens_per_s=1000.0)]
    assert "because a solved task takes 2,500 output tokens instead of 10,000" in answer(
        {"all": slow, "early_stop": thrifty}
    )


def test_a_win_by_busier_replicas_is_explained_by_busy_time() -> None:
    idle = [made(throughput__solved_tasks_per_s=0.1, load__busy_ratio=0.3)]
    busy = [made(throughput__solved_tasks_per_s=0.3, load__busy_ratio=0.9)]
    busy[0]["throughput"]["output_tokens_per_s"] *= 3.0
    assert "its replicas are busy 90% of the time instead of 30%" in answer({"idle": idle, "busy": busy})


def batched(batch: float, rate: float) -> list[dict[str, Any]]:
    """Return a run with a mean batch, its speed in proportion to the rate of solved tasks."""
    found = with_parts(rates(rate), attention=71.0 * 0.1 / rate, overhead=29.0)
    found[0]["load"]["batch_sequences"]["mean"] = batch
    return found


@pytest.mark.parametrize(
    ("batch", "rate", "reason"),
    [
        (110.84, 0.24, "because its mean batch over all replicas is 222 against 100"),
        (60.0, 0.11, "because its mean batch over all replicas is 120 against 100"),
        (51.0, 0.2, "because reading KV takes"),
        (40.0, 0.2, "because reading KV takes"),
        (40.0, 0.09, "because its mean batch over all replicas is 80.0 against 100"),
    ],
    ids=["batch alone", "batch though slower", "mostly pace", "pace though thinner", "worse by batch"],
)
def test_the_batch_is_the_reason_where_it_moved_more_than_the_pace(
    batch: float, rate: float, reason: str
) -> None:
    assert reason in answer({"fcfs": batched(50.0, 0.1), "longest_first": batched(batch, rate)})


def test_replicas_of_another_number_are_not_compared_by_their_step_time() -> None:
    other = batched(50.0, 0.2)
    other[0]["plan"] = {**other[0]["plan"], "dp": 1, "tp": 2}
    assert "because" not in answer({"dp2": batched(25.0, 0.1), "tp2": other})


def test_no_part_is_blamed_that_did_not_change() -> None:
    runs = {"a": with_parts(rates(0.1), attention=1.0), "b": with_parts(rates(0.1), attention=1.0)}
    for found in runs["b"]:
        found["throughput"]["solved_tasks_per_s"] = 0.2
        found["throughput"]["output_tokens_per_s"] = 1e6
    assert "because" not in answer(runs)


def test_nothing_solved_gives_no_ratio() -> None:
    assert answer({"a": rates(0.1), "b": rates(0.0)}).startswith("b solves no task in the window: no ratio")
    assert answer({"a": rates(0.0), "b": rates(0.0)}).startswith("Neither a nor b solves a task")


def test_a_seed_that_solves_nothing_leaves_the_ratio_undefined() -> None:
    found = answer({"a": rates(0.1, 0.0), "b": rates(0.2, 0.1)})
    assert "cannot be compared: some seed solves no task" in found


def test_a_single_variant_is_told_by_its_rate_and_its_largest_part() -> None:
    found = answer({"dense": with_parts(rates(0.1, 0.2), attention=3.0, down=1.0)})
    assert found.startswith("dense solves 0.15 tasks per second (0 to 0.7853) on 2 x round")
    assert "most of the step time, 75%, goes to reading KV" in found


def test_unlimited_capacity_is_part_of_the_answer() -> None:
    unlimited = summary(LOADED, two_tasks().records(), capacity(limited=False))
    assert "KV capacity unlimited" in answer({"a": [unlimited]})
    assert "KV capacity unlimited for b" in answer({"a": rates(0.1), "b": [unlimited]})


def test_different_plans_are_not_said_to_be_one() -> None:
    wide = summary(scenario(parallelism={"tp": 2, "dp": 2}), two_tasks().records())
    assert "round" not in answer({"a": rates(0.1), "b": [wide]})


def served(task_s: float, *, arrived: int, ended: int, window_s: float = 100.0) -> dict[str, Any]:
    """Return the summary of a steady window with open arrivals."""
    chosen = with_arrivals({"kind": "poisson", "rate_per_s": 1.0})
    found = copy.deepcopy(summary(chosen, two_tasks().records()))
    found["window"] |= {"kind": "steady", "tasks_arrived": arrived}
    found["throughput"] |= {"tasks_ended": ended, "tasks_per_s": ended / window_s}
    found["latency"]["task_s"]["mean"] = task_s
    return found


KEEPING_UP = "All variants keep up with the arrivals on 2 x round, so their rates say nothing; "


def test_open_arrivals_that_all_keep_up_with_are_told_by_task_time() -> None:
    found = answer({name: [served(s, arrived=100, ended=98)] for name, s in (("a", 4.0), ("b", 2.0))})
    assert found.startswith(KEEPING_UP)
    assert "b answers a task in 0.500 times the time that a takes" in found


def test_luck_at_the_ends_of_a_short_window_is_not_falling_behind() -> None:
    # 24 tasks end in 100 s and take 50 s, so 12 are under way at each end: two counts that differ by luck,
    # six within 1.645 x sqrt(24) = 8.1.  Of tasks that take 2 s half a one is.
    assert keeps_up([served(50.0, arrived=30, ended=24)])
    assert not keeps_up([served(2.0, arrived=30, ended=24)])
    lucky, unlucky = served(2.0, arrived=27, ended=30), served(2.0, arrived=33, ended=27)
    assert not keeps_up([unlucky])
    assert keeps_up([lucky, unlucky])  # the seeds of a plan are judged together
    slow = {"a": [served(50.0, arrived=30, ended=24)], "b": [served(25.0, arrived=30, ended=29)]}
    assert answer(slow).startswith(KEEPING_UP)


def test_a_closed_loop_or_a_whole_run_never_keeps_up() -> None:
    closed = served(4.0, arrived=100, ended=100)
    closed["plan"]["arrivals"] = "closed_loop"
    whole = served(4.0, arrived=100, ended=100)
    whole["window"]["kind"] = "whole"
    assert not keeps_up([closed])
    assert not keeps_up([served(4.0, arrived=100, ended=100), whole])


def test_the_intervals_of_one_run_are_kept() -> None:
    metrics = compare_runs({"a": rates(0.1)}, 0.95)["variants"]
    assert isinstance(metrics, dict)
    rate = metrics["a"]["metrics"]["quality.solving_rate.estimate"]
    assert rate["method"] == "wilson"
    assert rate["samples"] == 2


def test_proportions_of_several_seeds_are_pooled() -> None:
    metrics = compare_runs({"a": rates(0.1, 0.2, 0.3)}, 0.95)["variants"]
    assert isinstance(metrics, dict)
    rate = metrics["a"]["metrics"]["quality.solving_rate.estimate"]
    assert (rate["samples"], rate["estimate"], rate["method"]) == (6, 0.5, "wilson")


@pytest.mark.parametrize(
    ("section", "key"),
    [("load", "kv_occupancy_max_ratio"), ("load", "kv_tokens_max"), ("load", "batch_sequences.max")],
)
def test_a_maximum_over_seeds_is_the_largest_without_an_interval(section: str, key: str) -> None:
    seeds = [made(), made(), made()]
    for summary_of_seed, value in zip(seeds, (0.25, 0.75, 0.5), strict=True):
        table, _, last = key.rpartition(".")
        place = summary_of_seed[section][table] if table else summary_of_seed[section]
        place[last] = value
    variants = compare_runs({"a": seeds}, 0.95)["variants"]
    assert isinstance(variants, dict)
    row = variants["a"]["metrics"][f"{section}.{key}"]
    assert (row["estimate"], row["low"], row["high"]) == (0.75, None, None)
    assert (row["samples"], row["method"]) == (3, "largest of the seeds")


def test_every_maximum_is_the_largest_of_the_seeds() -> None:
    largest = {m.path for m in MEASURES if m.over_seeds == "max"}
    assert largest == {m.path for m in MEASURES if "max" in m.path.replace("_", ".").split(".")}


def test_a_figure_that_a_seed_lacks_is_not_averaged_over_the_others() -> None:
    lacking = rates(0.1, 0.2)
    lacking[1]["cost"]["usd_per_solved_task"] = None
    compared = compare_runs({"a": rates(0.1, 0.2), "b": lacking}, 0.95)
    variants, against = compared["variants"], compared["against_reference"]
    assert isinstance(variants, dict)
    assert isinstance(against, dict)
    assert variants["a"]["metrics"]["cost.usd_per_solved_task"] is not None
    assert variants["b"]["metrics"]["cost.usd_per_solved_task"] is None
    assert against["b"]["cost.usd_per_solved_task"] is None


def test_bounds_stay_where_the_figure_can_be() -> None:
    metrics = compare_runs({"a": rates(0.01, 0.9)}, 0.95)["variants"]
    assert isinstance(metrics, dict)
    for row in metrics["a"]["metrics"].values():
        assert row is None or row["low"] is None or row["low"] >= 0.0
    busy = [made(load__busy_ratio=0.9), made(load__busy_ratio=1.0)]
    variants = compare_runs({"a": busy}, 0.95)["variants"]
    assert isinstance(variants, dict)
    assert variants["a"]["metrics"]["load.busy_ratio"]["high"] == 1.0


def test_differences_and_ratios_are_paired_by_seed() -> None:
    against = compare_runs({"a": rates(0.1, 0.2), "b": rates(0.2, 0.3)}, 0.95)["against_reference"]
    assert isinstance(against, dict)
    row = against["b"]["throughput.solved_tasks_per_s"]
    assert row["difference"]["low"] == pytest.approx(0.1)
    assert row["difference"]["high"] == pytest.approx(0.1)
    assert row["ratio"]["estimate"] == pytest.approx(3.0**0.5)


def test_parts_are_averaged_over_seeds_and_absent_ones_took_no_time() -> None:
    runs = [*with_parts(rates(0.1), attention=1.0, selection=1.0), *with_parts(rates(0.1), attention=2.0)]
    variants = compare_runs({"a": runs}, 0.95)["variants"]
    assert isinstance(variants, dict)
    table = variants["a"]["parts"]
    assert {name: part["share_ratio"] for name, part in table.items()} == {
        "attention": 0.75,
        "selection": 0.25,
    }
    assert table["attention"]["seconds_per_output_token"] == pytest.approx(1.5 / 84)


def test_notes_say_which_variants_they_are_about() -> None:
    unlimited = summary(LOADED, two_tasks().records(), capacity(limited=False))
    notes = compare_runs({"a": rates(0.1), "b": [unlimited]}, 0.95)["notes"]
    assert isinstance(notes, list)
    assert {n["note"][:9]: n["variants"] for n in notes} == {
        "Optimisti": ["a", "b"],
        "Power of ": ["a", "b"],
        "The parts": ["a", "b"],
        "KV capaci": ["b"],
    }


@pytest.mark.parametrize("runs", [{"a": []}, {"a": rates(0.1), "b": rates(0.1, 0.2)}])
def test_variants_need_equally_many_runs(runs: dict[str, list[dict[str, Any]]]) -> None:
    with pytest.raises(ValueError, match="the same number of runs, at least one; got"):
        compare_runs(runs, 0.95)


def test_a_comparison_is_json_without_nan() -> None:
    json.dumps(compare_runs({"a": rates(0.1, 0.0), "b": rates(0.2, 0.3)}, 0.95), allow_nan=False)


def test_a_figure_that_no_summary_has_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"load\.nothing"):
        number({"load": 1.0}, "load.nothing")


def test_a_figure_of_a_section_that_is_undefined_is_undefined() -> None:
    assert number(made(), "goodput.met_ratio") is None


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.0, "1.00"), (0.0123, "0.0123"), (99.96, "100"), (250.0, "250"), (12.345, "12.3")]
)
def test_ratios_have_three_digits(ratio: float, text: str) -> None:
    assert times(ratio) == text
