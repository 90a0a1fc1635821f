"""The trace of a run follows the Trace Event Format, shows what the records hold, and stays small."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "validate"))
sys.path.insert(0, str(Path(__file__).parents[2] / "equivalence"))

from own_runs import OPEN, document
from scenario_space import scenarios

from simulator import load_scenario, simulate
from simulator.api import Result
from simulator.emit import perfetto, step_slices, tree_slices
from simulator.emit.lanes import Lanes
from simulator.errors import InfeasiblePlanError, SimulatorError
from simulator.scenario.schema import Scenario

Events = list[dict[str, Any]]
FIELDS = {
    "X": {"name", "ph", "ts", "dur", "pid", "tid", "args"},
    "C": {"name", "ph", "ts", "pid", "tid", "args"},
    "s": {"name", "ph", "ts", "pid", "tid", "cat", "id"},
    "f": {"name", "ph", "ts", "pid", "tid", "cat", "id", "bp"},
    "M": {"name", "ph", "ts", "pid", "tid", "args"},
}
"""What the format asks of each kind of event that is used, and no more."""


def ns(us: float) -> int:
    return round(us * 1000)


def trace(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("".join(perfetto.text(result)))
    return found


def check(found: dict[str, Any]) -> None:
    """Check a file against the format: fields, order, names of tracks, nesting, arrows."""
    assert set(found) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert found["displayTimeUnit"] in {"ms", "ns"}
    assert all(isinstance(text, str) for text in found["otherData"].values())
    events = found["traceEvents"]
    for event in events:
        assert set(event) == FIELDS[event["ph"]]
    timed = [event for event in events if event["ph"] != "M"]
    assert all(first["ts"] <= second["ts"] for first, second in pairwise(timed))
    check_names(events)
    check_arrows(timed, check_nesting(timed))


def check_names(events: Events) -> None:
    processes = {event["pid"] for event in events if event["name"] == "process_name"}
    threads = Counter(event["tid"] for event in events if event["name"] == "thread_name")
    assert set(threads.values()) <= {1}  # viewers may take the number of a thread alone
    assert {event["pid"] for event in events} == processes
    assert {event["tid"] for event in events if event["ph"] in "Xsf"} <= set(threads)


def check_nesting(timed: Events) -> dict[int, list[tuple[int, int]]]:
    """Check that slices of a track lie beside or inside one another; return them by track."""
    by_track: dict[int, list[tuple[int, int]]] = defaultdict(list)
    open_: dict[int, list[int]] = defaultdict(list)
    for event in timed:
        if event["ph"] != "X":
            continue
        start, end = ns(event["ts"]), ns(event["ts"]) + ns(event["dur"])
        assert end >= start
        ends = open_[event["tid"]]
        while ends and ends[-1] <= start:
            ends.pop()
        assert not ends or end <= ends[-1]
        ends.append(end)
        by_track[event["tid"]].append((start, end))
    return by_track


def check_arrows(timed: Events, slices: dict[int, list[tuple[int, int]]]) -> None:
    """Check that arrows have two ends, the first one first, each in a slice that is open there."""
    begun: dict[int, dict[str, Any]] = {}
    ended = 0
    for event in (event for event in timed if event["ph"] in "sf"):
        at = ns(event["ts"])
        assert any(start <= at and (at < end or start == end) for start, end in slices[event["tid"]])
        if event["ph"] == "s":
            assert event["id"] not in begun
            begun[event["id"]] = event
        else:
            ended += 1
            assert begun[event["id"]]["name"] == event["name"]
            assert event["bp"] == "e"
    assert ended == len(begun)


def trees() -> dict[str, Any]:
    raw = document(OPEN, max_sequences=6)
    raw["parallelism"] = {"dp": 2}
    raw["workload"]["strategy"] = {
        "kind": "beam_search", "beams": 1, "expansion": 2, "rounds": 2, "verifier_noise": 0.5,
    }  # fmt: skip
    return raw


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(load_scenario(trees()), token_times=True)


@pytest.fixture(scope="module")
def found(result: Result) -> dict[str, Any]:
    return trace(result)


def slices_of(found: dict[str, Any], *names: str) -> Events:
    """Return the slices of replicas, the requests' phases of the same names left out."""
    replicas = {event["pid"] for event in found["traceEvents"] if event["ph"] == "C"}
    events = [event for event in found["traceEvents"] if event["ph"] == "X" and event["pid"] in replicas]
    return [event for event in events if event["name"] in names]


def test_a_trace_follows_the_format(found: dict[str, Any]) -> None:
    check(found)


@settings(max_examples=40)
@given(scenario=scenarios())
def test_so_it_does_whatever_is_run(scenario: Scenario) -> None:
    try:
        ran = simulate(scenario, token_times=True)
    except InfeasiblePlanError:
        return
    check(trace(ran))


def test_steps_of_every_replica_are_those_of_the_records(found: dict[str, Any], result: Result) -> None:
    rows = slices_of(found, "decode", "prefill", "decode and prefill")
    steps = result.timeline
    assert len(rows) == len(steps)
    assert {row["pid"] for row in rows} == {1, 2}
    assert sum(row["args"]["steps"] for row in rows) == steps["steps"].sum()
    assert sum(row["args"]["prefill_tokens"] for row in rows) == steps["prefill_tokens"].sum()
    assert sum(ns(row["dur"]) for row in rows) == (steps["end_ns"] - steps["start_ns"]).sum()
    parts = [sum(us for name, us in row["args"].items() if name.endswith("_us")) for row in rows]
    told = [row["args"]["mean_step_us"] for row in rows]
    # The parts of its time add up to a row, rounding to nanoseconds aside.
    for row, part, mean in zip(rows, parts, told, strict=True):
        assert part - mean == pytest.approx(row["dur"], abs=0.001 * row["args"]["steps"])


def test_single_steps_lie_in_the_slice_of_their_row(found: dict[str, Any], result: Result) -> None:
    assert result.records.tokens is not None
    several = result.timeline[result.timeline["steps"] > 1]
    singles = slices_of(found, "step")
    assert len(singles) == several["steps"].sum()
    ends = {
        (end, replica + 1)
        for replica, of in enumerate(result.records.tokens.step_ends_ns)
        for end in of.tolist()
    }
    assert {(ns(one["ts"]) + ns(one["dur"]), one["pid"]) for one in singles} <= ends


def test_counters_stand_at_what_the_records_say(found: dict[str, Any], result: Result) -> None:
    counters = [event for event in found["traceEvents"] if event["ph"] == "C"]
    assert {event["name"] for event in counters} == {"batch", "KV", "requests"}
    trials = result.trials
    for event in (event for event in counters if event["name"] == "requests"):
        at, here = ns(event["ts"]), trials["replica"] == event["pid"] - 1
        sent, begun = trials["submitted_ns"] <= at, trials["started_ns"] <= at
        gone = trials["ended_ns"] <= at
        assert event["args"]["waiting"] == (here & sent & ~begun).sum()
        assert event["args"]["running"] == (here & begun & ~gone).sum()
    last = [event for event in counters if event["name"] == "batch"][-1]
    assert last["args"] == {"sequences": 0}
    peak = max(event["args"]["blocks"] for event in counters if event["name"] == "KV")
    assert 0.9 * result.timeline["kv_blocks"].max() < peak <= result.timeline["kv_blocks"].max()


def test_trees_are_nested_and_arrows_lead_to_children_and_steps(
    found: dict[str, Any], result: Result
) -> None:
    trials = result.trials
    nodes = [e for e in found["traceEvents"] if e["ph"] == "X" and e["name"].startswith("node ")]
    assert len(nodes) == len(trials)
    phases = Counter(e["name"] for e in found["traceEvents"] if e["ph"] == "X" and e["pid"] == 3)
    assert phases["queue"] == (trials["started_ns"] > trials["submitted_ns"]).sum()
    assert phases["prefill"] == len(trials)
    arrows = Counter(event["name"] for event in found["traceEvents"] if event["ph"] == "f")
    assert arrows == {"child": (trials["parent"] >= 0).sum(), "admitted": len(trials)}
    tasks = [e for e in found["traceEvents"] if e["ph"] == "X" and e["name"].startswith("task ")]
    assert {task["name"] for task in tasks} == {f"task {number}" for number in range(40)}
    whole = {task["name"]: task for task in tasks if task["args"]["lane"] == 1}
    ends = [ns(whole[f"task {n}"]["ts"]) + ns(whole[f"task {n}"]["dur"]) for n in range(40)]
    assert ends == result.tasks["ended_ns"].tolist()


def test_all_of_a_small_run_is_shown_and_said(found: dict[str, Any], result: Result) -> None:
    about = found["otherData"]
    assert about["steps"].startswith(f"all {result.timeline['steps'].sum()} steps of the run, in ")
    assert about["tasks"] == f"all 40 tasks with {len(result.trials)} requests"
    assert "merged" not in about["steps"]


def test_a_long_run_is_cut_as_the_file_says(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (step_slices, perfetto):
        monkeypatch.setattr(module, "MOST_SLICES", 60)
        monkeypatch.setattr(module, "MOST_STEPS", 100)
        monkeypatch.setattr(module, "MOST_MOMENTS", 50)
    for module in (tree_slices, perfetto):  # type: ignore[assignment] # modules have no common type
        monkeypatch.setattr(module, "MOST_NODES", 30)
    cut = trace(result)
    check(cut)
    rows = slices_of(cut, "decode", "prefill", "decode and prefill", "merged")
    assert 50 < len(rows) <= 60
    assert sum(row["args"]["steps"] for row in rows) == result.timeline["steps"].sum()
    assert sum(row["args"]["prefill_tokens"] for row in rows) == result.timeline["prefill_tokens"].sum()
    assert 0 < len(slices_of(cut, "step")) <= 100
    kinds = Counter(event["name"] for event in cut["traceEvents"])
    assert 25 < kinds["KV"] <= 50
    nodes = [e for e in cut["traceEvents"] if e["ph"] == "X" and e["name"].startswith("node ")]
    assert 15 < len(nodes) <= 30
    about = cut["otherData"]
    assert "of at most 60" in about["steps"]
    assert "consecutive rows of a replica share one, called merged, to which no arrows lead" in about["steps"]
    merged = {event["ts"] for event in slices_of(cut, "merged")}
    ends = [e["ts"] for e in cut["traceEvents"] if e["ph"] == "f" and e["name"] == "admitted"]
    assert ends
    assert min(merged) > max(ends)
    assert "the first 100 single steps, until" in about["steps"]
    assert about["tasks"].startswith(
        f"{len(nodes)} of {len(result.trials)} requests, at most 30: those of one"
    )
    names = [e["args"]["name"] for e in cut["traceEvents"] if e["name"] == "process_name"]
    assert names[-1].startswith("tasks: one in ")


def test_a_run_of_100000_steps_is_a_file_that_a_viewer_opens() -> None:
    raw = document({"kind": "poisson", "rate_per_s": 100.0}, latency={"kind": "constant", "step_s": 0.00125})
    raw["workload"]["tasks"]["count"] = 14_000
    raw["workload"]["lengths"] = {"kind": "lognormal", "median_tokens": 30.0, "log_sigma": 0.8}
    long = simulate(load_scenario(raw), token_times=True)
    steps = long.timeline
    assert steps["steps"].sum() > 100_000
    # More rows and requests than are shown one by one.
    assert len(steps) > step_slices.MOST_SLICES
    assert len(long.trials) > tree_slices.MOST_NODES
    text = "".join(perfetto.text(long))
    assert len(text) < 50e6
    cut = json.loads(text)
    check_nesting([event for event in cut["traceEvents"] if event["ph"] != "M"])
    assert len(cut["traceEvents"]) < 300_000
    rows = slices_of(cut, "decode", "prefill", "decode and prefill", "merged")
    assert len(rows) <= step_slices.MOST_SLICES
    assert sum(row["args"]["steps"] for row in rows) == steps["steps"].sum()


def test_a_run_that_kept_no_times_of_tokens_is_refused() -> None:
    plain = simulate(load_scenario(trees()))
    with pytest.raises(SimulatorError, match="token_times=True"):
        next(perfetto.text(plain))


def test_lanes_are_taken_again_once_they_are_free() -> None:
    lanes = Lanes()
    assert [lanes.place(*span) for span in ((0, 5), (0, 0), (0, 3), (1, 9), (3, 4), (5, 6))] == [
        0,
        1,
        2,
        1,
        2,
        0,
    ]
    assert lanes.count == 3
