from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_records import (
    BANDWIDTH,
    IDLE,
    PEAK,
    PRICE,
    TDP,
    Made,
    bound,
    capacity,
    scenario,
    summary,
    two_tasks,
    with_arrivals,
    with_workload,
)

from simulator.metrics.hardware import bound_by
from simulator.metrics.tables import RunTables
from simulator.metrics.throughput import meets
from simulator.metrics.window import Window
from simulator.scenario.schema import ServiceLevel


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    return summary(scenario(), two_tasks().records())


def test_rates_count_what_ended_per_second_of_the_window(two: dict[str, Any]) -> None:
    assert two["window"] == {
        "asked": "auto",
        "kind": "whole",
        "start_s": 0.0,
        "end_s": 10.0,
        "seconds": 10.0,
        "unsettled": False,
        "run_end_s": 10.0,
        "tasks_arrived": 2,
    }
    rates = two["throughput"]
    assert (rates["tasks_per_s"], rates["solved_tasks_per_s"]) == (0.2, 0.1)
    # 20 x 2 + (2 + 2 completed prompts) + 10 x 4 = 84 tokens in 10 s on 2 GPUs.
    assert rates["output_tokens_per_s"] == pytest.approx(8.4)
    assert rates["output_tokens_per_s_per_gpu"] == pytest.approx(4.2)
    assert rates["prompt_tokens_per_s"] == 2.0


def test_times_are_differences_of_recorded_moments(two: dict[str, Any]) -> None:
    times = two["latency"]
    assert times["ttft_s"]["mean"] == pytest.approx((1.0 + 2.0 + 2.0 + 3.5) / 4)
    assert times["tpot_s"]["max"] == 0.5
    assert times["queueing_s"]["mean"] == pytest.approx((0.0 + 1.0 + 1.0 + 3.0) / 4)
    assert times["trial_s"]["p50"] == 4.0
    assert (times["task_s"]["p50"], times["task_s"]["max"]) == (4.0, 8.0)


def test_inter_token_latency_weighs_each_step_by_its_tokens(two: dict[str, Any]) -> None:
    itl = two["latency"]["itl_s"]
    assert itl["count"] == 20 * 2 + 1 * 2 + 10 * 4
    assert itl["mean"] == pytest.approx((40 * 0.1 + 2 * 1.0 + 40 * 0.8) / 82)
    assert (itl["p50"], itl["p99"], itl["max"]) == (0.8, 1.0, 1.0)


def test_load_is_weighted_by_time(two: dict[str, Any]) -> None:
    load = two["load"]
    assert load["batch_sequences"]["mean"] == pytest.approx((2 * 2 + 1 * 2 + 8 * 4) / 11)
    assert load["busy_ratio"] == pytest.approx(11 / 20)
    assert load["kv_occupancy_mean_ratio"] == pytest.approx((2 * 10 + 1 * 30 + 8 * 50) / 11 / 100)
    assert (load["kv_occupancy_max_ratio"], load["kv_tokens_max"], load["kv_bytes_max"]) == (
        0.5,
        800,
        50_000.0,
    )


def test_littles_law_holds_on_a_whole_run(two: dict[str, Any]) -> None:
    load, trials = two["load"], two["latency"]["trial_s"]
    arrivals_per_s = trials["count"] / two["window"]["seconds"]
    assert load["running_mean"] + load["waiting_mean"] == pytest.approx(arrivals_per_s * trials["mean"])
    queueing = two["latency"]["queueing_s"]
    assert load["waiting_mean"] == pytest.approx(arrivals_per_s * queueing["mean"])


def test_every_task_and_trial_is_counted_once_in_a_cut_run() -> None:
    made = Made()
    made.trial(0, 0.0, 0.0, 1.0, 3.0, correct=1)
    made.trial(0, 0.0, 0.0, 1.0, 3.0, state=3)
    made.trial(1, 1.0, 2.0, 3.0, -1)
    made.trial(1, 1.0, -1, -1, -1)
    made.trial(2, 4.0, -1, -1, -1)
    made.task(0.0, 3.0, solved=1).task(1.0, -1).task(4.0, -1)
    found = summary(scenario(), made.records(end=5.0, pending=7))
    assert found["conservation"]["tasks"] == {
        "submitted": 3,
        "finished": 1,
        "cancelled": 0,
        "running": 1,
        "waiting": 1,
        "conserved": True,
        "pending": 7,
    }
    assert found["conservation"]["trials"] == {
        "submitted": 5,
        "finished": 1,
        "cancelled": 1,
        "running": 1,
        "waiting": 2,
        "conserved": True,
    }
    assert found["window"]["end_s"] == 5.0
    assert any("cut at 5 s" in note for note in found["notes"])


def test_quality_counts_solved_tasks_and_k_of_the_trials(two: dict[str, Any]) -> None:
    quality = two["quality"]
    assert quality["solving_rate"]["estimate"] == 0.5
    assert [(row["k"], row["estimate"]) for row in quality["coverage"]] == [(1, 0.25), (2, 0.5)]
    assert quality["output_tokens_per_solved_task"] == 44
    assert quality["trials_per_task"] == 2.0


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({"kind": "long_cot"}, True),
        ({"kind": "best_of_n", "trials": 2}, True),
        ({"kind": "best_of_n", "trials": 2, "stop_at_first_success": True}, False),
        ({"kind": "self_consistency", "trials": 2}, True),
        ({"kind": "adaptive", "first_wave": 1, "wave": 1, "max_trials": 3}, False),
        ({"kind": "beam_search", "beams": 1, "expansion": 1, "rounds": 2}, False),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_whether_coverage_is_told_depends_on_the_strategy_and_not_on_luck(
    strategy: dict[str, Any], *, told: bool
) -> None:
    made = Made()
    made.trial(0, 0.0, 0.0, 1.0, 2.0, correct=1).trial(1, 0.0, 0.0, 1.0, 2.0, correct=1)
    made.task(0.0, 2.0, solved=1).task(0.0, 2.0, solved=1)
    coverage = summary(with_workload(strategy=strategy), made.records())["quality"]["coverage"]
    assert (coverage is not None) is told


def test_no_coverage_is_told_of_a_run_in_which_no_task_ended() -> None:
    made = Made().trial(0, 0.0, 0.0, 1.0, -1).task(0.0, -1)
    assert summary(scenario(), made.records(end=5.0))["quality"]["coverage"] is None


def test_coverage_takes_powers_of_two_and_all_trials() -> None:
    made = Made()
    for n in range(6):
        made.trial(0, 0.0, 0.0, 1.0, 2.0, correct=int(n < 2))
    made.task(0.0, 2.0, solved=1)
    coverage = summary(scenario(), made.records())["quality"]["coverage"]
    assert [row["k"] for row in coverage] == [1, 2, 4, 6]
    # 1 - C(4, k) / C(6, k): the chance that k of 6 trials miss both correct ones.
    assert [row["estimate"] for row in coverage] == pytest.approx([1 / 3, 1 - 6 / 15, 1 - 1 / 15, 1.0])


def test_goodput_asks_every_trial_and_the_task() -> None:
    records = two_tasks().records()
    tables = RunTables.of(records)
    assert meets(tables, ServiceLevel(ttft_s=2.0)).tolist() == [True, False]
    assert meets(tables, ServiceLevel(task_s=8.0)).tolist() == [True, True]
    assert meets(tables, ServiceLevel(tpot_s=0.2)).tolist() == [True, False]
    level = {"slo": {"ttft_s": 2.0}}
    goodput = summary(scenario(report=level), records)["goodput"]
    assert (goodput["tasks_per_s"], goodput["met_ratio"], goodput["solved_tasks_per_s"]) == (0.1, 0.5, 0.1)


def test_a_trial_that_was_cancelled_before_it_was_late_breaks_no_limit() -> None:
    made = Made()
    made.trial(0, 0.0, 0.0, 1.0, 2.0, correct=1)
    made.trial(0, 0.0, 1.5, -1, 2.0, state=3)
    made.trial(0, 0.0, 1.5, 1.9, 2.0, state=3)
    made.task(0.0, 2.0, solved=1)
    assert meets(RunTables.of(made.records()), ServiceLevel(ttft_s=1.0)).tolist() == [True]


def test_goodput_is_not_defined_without_limits(two: dict[str, Any]) -> None:
    assert two["goodput"] is None


def test_parts_sum_to_the_recorded_time_when_it_is_the_models() -> None:
    chosen = scenario(engine={"latency": {"kind": "roofline", "layer_overhead_s": 1e-3}})
    rows = two_tasks().records().step_rows()
    seconds = np.sum([part.seconds for part in bound(chosen).parts(rows).values()], axis=0)
    made = Made()
    made.step(0.0, float(seconds[0]), replica=0, steps=20, decode_sequences=2, read_tokens=800)
    made.steps[0] = tuple(
        800 if name in {"attended_tokens", "read_tokens"} else value
        for name, value in zip(RunTables.of(two_tasks().records()).steps, made.steps[0], strict=True)
    )
    made.trial(0, 0.0, 0.0, 0.0, 1.0).task(0.0, float(seconds[0]), solved=1)
    hardware = summary(chosen, made.records())["hardware"]
    assert hardware["attributed_ratio"] == pytest.approx(1.0, abs=1e-7)
    assert sum(part["share_ratio"] for part in hardware["parts"].values()) == pytest.approx(1.0)
    assert sum(part["seconds"] for part in hardware["parts"].values()) == pytest.approx(
        float(seconds[0]), rel=1e-7
    )
    assert hardware["parts"]["overhead"]["bound_by"] == "latency"
    assert hardware["parts"]["overhead"]["bound_ratio"] is None


def test_utilisation_is_work_over_peak_and_time(two: dict[str, Any]) -> None:
    chosen, records = scenario(), two_tasks().records()
    parts = bound(chosen).parts(records.step_rows()).values()
    flops = sum(float(part.flops.sum()) for part in parts)
    hbm_bytes = sum(float(part.hbm_bytes.sum()) for part in parts)
    hardware = two["hardware"]
    assert hardware["mfu_busy_ratio"] == pytest.approx(flops / (11.0 * PEAK))
    assert hardware["mfu_window_ratio"] == pytest.approx(flops / (20.0 * PEAK))
    assert hardware["mbu_busy_ratio"] == pytest.approx(hbm_bytes / (11.0 * BANDWIDTH))


def test_energy_is_idle_power_and_the_busier_of_compute_and_memory(two: dict[str, Any]) -> None:
    parts = bound(scenario()).parts(two_tasks().records().step_rows()).values()
    compute = sum(part.flops / PEAK for part in parts)
    memory = sum(part.hbm_bytes / BANDWIDTH for part in parts)
    busy = float(np.maximum(compute, memory).sum())
    energy = two["energy"]
    assert energy["joules"] == pytest.approx(2 * IDLE * 10.0 + (TDP - IDLE) * busy)
    assert energy["joules"] > 2 * IDLE * 10.0
    assert energy["joules_per_solved_task"] == energy["joules"]
    assert energy["joules_per_output_token"] == pytest.approx(energy["joules"] / 84)
    assert energy["assumption"].startswith("assumed")


def test_a_step_cannot_be_more_than_fully_busy() -> None:
    made = Made()
    huge = 10**15
    made.step(0.0, 1.0, replica=0, decode_sequences=1, attended_tokens=huge, read_tokens=huge)
    made.trial(0, 0.0, 0.0, 0.5, 1.0).task(0.0, 1.0, solved=1)
    energy = summary(scenario(parallelism={"tp": 1, "dp": 1}), made.records())["energy"]
    assert energy["joules"] == pytest.approx(TDP)


def test_all_gpus_of_a_tensor_parallel_replica_draw_power() -> None:
    made = Made()
    made.step(0.0, 1.0, replica=0, decode_sequences=1, attended_tokens=10**15, read_tokens=10**15)
    made.trial(0, 0.0, 0.0, 0.5, 1.0).task(0.0, 1.0, solved=1)
    energy = summary(scenario(parallelism={"tp": 2, "dp": 2}), made.records())["energy"]
    # One replica of two GPUs is fully busy, the other idle.
    assert energy["joules"] == pytest.approx(2 * TDP + 2 * IDLE)
    assert energy["mean_watts_per_gpu"] == pytest.approx((TDP + IDLE) / 2)


def test_rent_is_paid_busy_or_not(two: dict[str, Any]) -> None:
    assert two["cost"]["usd"] == pytest.approx(2 * PRICE * 10.0 / 3600.0)
    assert two["cost"]["usd_per_solved_task"] == two["cost"]["usd"]


def test_eflops_are_the_papers_sum_over_the_recorded_work(two: dict[str, Any]) -> None:
    architecture = scenario().model.architecture
    decoded = 20 * 2 + 1 * 2 + 10 * 4
    flops = 2.0 * architecture.active_parameters * decoded + 4.0 * 4 * 64 * 2 * 1600
    kv_bytes = 2 * 2 * 64 * 2 * 2.0 * 1600
    kinetics = two["kinetics"]
    assert kinetics["ridge_flops_per_byte"] == 1000.0
    assert kinetics["decode_eflops_per_task"] == pytest.approx((flops + 1000.0 * kv_bytes) / 2)
    assert kinetics["gpu_seconds_per_task"] == pytest.approx((flops + 1000.0 * kv_bytes) / 2 / PEAK)
    assert kinetics["executed_eflops_per_task"] > kinetics["decode_eflops_per_task"]


def test_replicated_kv_heads_count_once_in_the_papers_account() -> None:
    records = two_tasks().records()
    narrow = summary(scenario(parallelism={"tp": 1, "dp": 1}), records)["kinetics"]
    wide = summary(scenario(parallelism={"tp": 4, "dp": 1}), records)["kinetics"]
    assert wide["decode_eflops_per_task"] == narrow["decode_eflops_per_task"]
    assert wide["executed_eflops_per_task"] > narrow["executed_eflops_per_task"]


def test_a_run_that_solves_nothing_has_no_figures_per_solved_task() -> None:
    made = two_tasks()
    made.tasks[0] = (*made.tasks[0][:7], 0, *made.tasks[0][8:])
    found = summary(scenario(), made.records())
    assert found["throughput"]["solved_tasks_per_s"] == 0.0
    assert found["energy"]["joules_per_solved_task"] is None
    assert found["cost"]["usd_per_solved_task"] is None
    assert found["quality"]["output_tokens_per_solved_task"] is None
    assert any("No task was solved" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("compute_s", "memory_s", "bound_name"),
    [(2.0, 1.0, "compute"), (1.0, 2.0, "memory"), (0.0, 0.0, "latency")],
)
def test_the_longer_of_compute_and_memory_bounds_a_part(
    compute_s: float, memory_s: float, bound_name: str
) -> None:
    assert bound_by(compute_s, memory_s) == bound_name


def test_ends_count_once_in_windows_that_meet() -> None:
    ends = np.array([-1, 10, 20, 30])
    first, second = Window("whole", 0, 20), Window("whole", 20, 30)
    assert first.ends_inside(ends).tolist() == [False, True, True, False]
    assert second.ends_inside(ends).tolist() == [False, False, False, True]


def test_parts_of_a_record_in_windows_that_meet_make_up_the_whole() -> None:
    start, end = np.array([0, 15, 25, 7]), np.array([10, 25, 30, 7])
    shares = [Window("whole", a, b).shares(start, end) for a, b in ((0, 20), (20, 30))]
    assert shares[0].tolist() == [1.0, 0.5, 0.0, 1.0]
    assert (shares[0] + shares[1]).tolist() == [1.0] * 4


@pytest.mark.parametrize(
    "made",
    [Made(), Made().trial(0, 0.0, -1, -1, -1).task(0.0, -1)],
    ids=["nothing at all", "one task that waits"],
)
def test_a_run_in_which_nothing_ended_is_json_without_nan(made: Made) -> None:
    found = summary(scenario(), made.records(end=1.0, pending=1))
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert found["quality"]["solving_rate"] is None
    assert found["latency"]["task_s"]["mean"] is None
    assert found["hardware"]["mfu_busy_ratio"] is None
    assert any("No task ended" in note for note in found["notes"])


def test_an_instant_run_divides_by_no_zero() -> None:
    found = summary(scenario(), Made().records(end=0.0))
    assert found["throughput"]["tasks_per_s"] is None
    assert found["load"]["busy_ratio"] is None


def test_unlimited_capacity_is_marked_and_has_no_occupancy() -> None:
    found = summary(scenario(), two_tasks().records(), capacity(limited=False))
    assert found["load"]["kv_occupancy_max_ratio"] is None
    assert found["load"]["kv_tokens_max"] == 800
    assert found["plan"]["kv_capacity_tokens"] is None
    assert found["notes"][0].startswith("KV capacity is unlimited")


def test_a_constant_latency_has_no_utilisation_and_is_no_optimistic_bound() -> None:
    chosen = scenario(engine={"latency": {"kind": "constant", "step_s": 0.1}})
    found = summary(chosen, two_tasks().records())
    assert found["hardware"]["mbu_busy_ratio"] is None
    assert found["energy"]["joules"] is None
    assert found["hardware"]["parts"]["constant"]["share_ratio"] == 1.0
    assert not any("Optimistic" in note for note in found["notes"])
    assert any("Optimistic" in note for note in summary(scenario(), two_tasks().records())["notes"])


def test_parts_that_miss_the_recorded_time_are_noted(two: dict[str, Any]) -> None:
    assert two["hardware"]["attributed_ratio"] < 0.5
    assert any("parts of the step time miss it" in note for note in two["notes"])


def steady_run(tasks: int = 40) -> Made:
    """Return tasks that arrive every second and take 2 s each; every other one is solved."""
    made = Made()
    for n in range(tasks):
        made.trial(n, float(n), float(n), n + 0.5, n + 2.0).task(float(n), n + 2.0, solved=n % 2)
        made.step(float(n), n + 1.0, replica=0, steps=10, decode_sequences=2)
    return made


POISSON = {"kind": "poisson", "rate_per_s": 1.0}


def test_a_steady_window_leaves_out_warm_up_and_drain() -> None:
    found = summary(with_arrivals(POISSON), steady_run().records())
    assert found["window"]["kind"] == "steady"
    # Tasks take 2 s, and three task times are more than the tenth of the 39 s that the report asks for.
    assert found["window"]["start_s"] == pytest.approx(6.0)
    assert found["window"]["end_s"] == 39.0
    # Ends 7, 8, ..., 39: one a second.
    assert found["throughput"]["tasks_ended"] == 33
    assert found["window"]["tasks_arrived"] == 34
    # Tokens of the row that starts before the window count by the part inside it.
    assert found["throughput"]["output_tokens"] == pytest.approx(20 * 33)
    assert found["load"]["running_mean"] == pytest.approx(2.0)


@pytest.mark.parametrize(("ratio", "start"), [(0.1, 6.0), (0.25, 9.75)])
def test_the_longer_of_share_and_settling_is_left_out(ratio: float, start: float) -> None:
    asked = with_arrivals(POISSON)
    asked = asked.model_copy(update={"report": asked.report.model_copy(update={"warmup_ratio": ratio})})
    found = summary(asked, steady_run().records())
    assert found["window"]["start_s"] == pytest.approx(start)
    assert not any("settled" in note or "queue grows" in note for note in found["notes"])


def test_a_queue_that_grows_is_noted() -> None:
    made = Made()
    for n in range(200):
        # Arrivals every second, answers every two: the wait grows by a second a task.
        made.trial(n, float(n), float(n), 2.0 * n + 1.0, 2.0 * n + 2.0).task(float(n), 2.0 * n + 2.0)
    notes = summary(with_arrivals(POISSON), made.records())["notes"]
    assert any("the queue grows" in note for note in notes)


def test_a_long_steady_run_gives_an_interval_from_one_seed() -> None:
    found = summary(with_arrivals(POISSON), steady_run(300).records())["throughput"]
    interval = found["tasks_per_s_interval"]
    assert interval["method"] == "batch means"
    assert interval["samples"] == 20
    assert interval["low"] <= 1.0 <= interval["high"]
    assert interval["high"] - interval["low"] < 0.1


def test_a_batch_that_fills_and_drains_gives_no_interval_from_one_seed() -> None:
    found = summary(scenario(), steady_run(300).records())["throughput"]
    assert found["tasks_per_s_interval"] is None


def test_the_whole_run_can_be_asked_for() -> None:
    chosen = with_arrivals(POISSON, report={"window": "whole"})
    window = summary(chosen, steady_run().records())["window"]
    assert (window["kind"], window["start_s"], window["end_s"]) == ("whole", 0.0, 41.0)


def test_no_steady_part_in_a_burst_falls_back_and_says_so() -> None:
    made = Made().trial(0, 0.0, 0.0, 1.0, 2.0).task(0.0, 2.0)
    found = summary(scenario(report={"window": "steady"}), made.records())
    assert found["window"]["kind"] == "whole"
    assert any("no steady part" in note for note in found["notes"])


def test_a_cut_run_with_tasks_to_come_is_steady_to_its_end() -> None:
    found = summary(with_arrivals(POISSON), steady_run().records(end=45.0, pending=3))
    assert found["window"]["end_s"] == 45.0


def test_tasks_longer_than_the_arrivals_are_noted() -> None:
    made = Made()
    for n in range(4):
        made.trial(n, n / 10, n / 10, 1.0, 50.0).task(n / 10, 50.0)
    found = summary(with_arrivals(POISSON), made.records())
    assert any("may not have settled" in note for note in found["notes"])
    # The cohort is followed to its end nevertheless: a task's length does not decide whether it counts.
    assert found["latency"]["task_s"]["count"] == 2
