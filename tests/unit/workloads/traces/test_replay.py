"""A trace in a scenario: what is taken of it, how it is spread, sampled and scaled, whose lengths hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).parent))

from made_up import BURSTGPT_1, PLAIN, mooncake

from simulator.rng import Streams
from workloads import NodeRequest, RequestTree, Workload
from workloads.arrivals import TraceArrivals
from workloads.traces.replay import spread

INLINE: dict[str, Any] = {
    "kind": "trace",
    "arrivals_s": [0.5 * row for row in range(40)],
    "prompt_tokens": list(range(1, 41)),
    "output_tokens": list(range(101, 141)),
}


def workload(arrivals: dict[str, Any], strategy: dict[str, Any] | None = None, count: int = 1) -> Workload:
    return Workload.model_validate(
        {
            "tasks": {"kind": "synthetic", "count": count, "prompt_tokens": 9},
            "arrivals": arrivals,
            "lengths": {"kind": "constant", "tokens": 7},
            "outcomes": {"kind": "fixed", "solve_probability": 0.5},
            "strategy": strategy or {"kind": "long_cot"},
        }
    )


def from_file(folder: Path, text: str, **options: Any) -> TraceArrivals:  # noqa: ANN401 - any field
    path = folder / "trace.txt"
    path.write_text(text, encoding="utf-8")
    return TraceArrivals.model_validate({"path": str(path), **options})


def test_a_window_of_a_file_is_taken_and_begins_at_0(tmp_path: Path) -> None:
    found = from_file(tmp_path, PLAIN["azure 2024"][1], window_s=[0.5, 1.75])
    assert found.table[:3] == ((0.0,), (200,), (2,))


def test_an_empty_window_says_when_the_requests_are(tmp_path: Path) -> None:
    found = from_file(tmp_path, PLAIN["azure 2024"][1], window_s=[60.0, 90.0])
    with pytest.raises(Exception, match=r"no request in \[60, 90\) s; they are from 0 to 1.75 s"):
        found.times_s(1, Streams(1))


def test_what_is_too_long_is_left_out_and_told(tmp_path: Path) -> None:
    found = from_file(tmp_path, PLAIN["azure 2024"][1], longest_tokens=202)
    assert found.table.prompt_tokens == (100, 200)
    assert (
        found.table.about
        == "2 requests of trace.txt (azure); 1 left out: longer than 202 tokens, or after such a one"
    )


def test_turns_after_one_that_is_too_long_are_left_out_with_it(tmp_path: Path) -> None:
    found = from_file(tmp_path, PLAIN["llmservingsim"][1], longest_tokens=169)  # the second turn has 170
    assert found.table.follow_ups is None
    assert found.table.prompt_tokens == (50, 100)


def test_a_session_is_one_task_with_its_turns(tmp_path: Path) -> None:
    found = from_file(tmp_path, PLAIN["llmservingsim"][1])
    tasks = list(workload(found.model_dump(), {"kind": "recorded"}, count=2).tasks_iter(Streams(1)))
    assert [task.prompt_tokens for task in tasks] == [50, 100]
    assert tasks[0].turns == ()
    assert [tuple(turn) for turn in tasks[1].turns] == [(1, 0, 0.5, 150, ()), (2, 1, 0.25, 200, ())]


def test_a_file_tells_what_was_left_out_and_what_prompts_share(tmp_path: Path) -> None:
    assert from_file(tmp_path, BURSTGPT_1).table.about == (
        "2 requests of trace.txt (burstgpt); 1 left out: output of 0 tokens: the request failed"
    )
    about = from_file(tmp_path, PLAIN["bailian"][1]).table.about
    assert about is not None
    assert "28.6% of their prompt blocks begin as earlier prompts do" in about
    assert "turns of a session come at their recorded times" in about


def test_a_plain_file_of_our_own_has_nothing_to_tell(tmp_path: Path) -> None:
    assert from_file(tmp_path, "arrival_s\n0.5\n").table.about is None


def test_a_sample_keeps_rows_whole_and_in_order_and_depends_on_the_seed_alone() -> None:
    found = TraceArrivals.model_validate(INLINE | {"sample_ratio": 0.25})
    assert found.most_tasks == 10
    for seed in range(5):
        times, recorded = found.times_s(10, Streams(seed)), found.recorded(Streams(seed))
        rows = (times * 2).astype(int)
        assert (np.diff(rows) > 0).all()
        assert recorded.prompt_tokens == tuple((rows + 1).tolist())
        assert recorded.output_tokens == tuple((rows + 101).tolist())
        np.testing.assert_array_equal(times, found.times_s(10, Streams(seed)))
    assert (found.times_s(10, Streams(1)) != found.times_s(10, Streams(2))).any()


def test_a_scaled_rate_is_the_same_tasks_on_another_clock() -> None:
    plain, fast = (
        TraceArrivals.model_validate(INLINE),
        TraceArrivals.model_validate(INLINE | {"rate_scale": 4.0}),
    )
    np.testing.assert_allclose(fast.times_s(40, Streams(1)), plain.times_s(40, Streams(1)) / 4, rtol=1e-15)
    assert fast.recorded(Streams(1)) == plain.recorded(Streams(1))


def test_ticks_are_spread_up_to_the_next_one(tmp_path: Path) -> None:
    rows = [(3000 * (row // 50), 5, row + 1, [0]) for row in range(200)]
    ticks = from_file(tmp_path, mooncake(*rows))
    even = from_file(tmp_path, mooncake(*rows), spread_ticks=True)
    times = even.times_s(200, Streams(1))
    np.testing.assert_array_equal(np.floor(times / 3) * 3, ticks.times_s(200, Streams(1)))
    assert len(np.unique(times)) == 200
    assert (np.diff(times) >= 0).all()
    assert times[-1] < 12
    assert np.mean(times % 3) == pytest.approx(1.5, abs=4 * 3 / 12**0.5 / 200**0.5)  # four deviations
    assert even.recorded(Streams(1)).output_tokens == tuple(range(1, 201))


def test_a_gap_in_the_ticks_is_not_filled() -> None:
    arrivals = np.repeat([0.0, 3.0, 6.0, 60.0], 30)
    found = spread(arrivals, np.random.default_rng(1))
    assert found[89] < 9
    assert 60 <= found[-1] < 63


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [("recorded", [101, 101, 101]), ("first_trial", [101, 7, 7]), ("model", [7, 7, 7])],
)
def test_trials_have_the_outputs_that_were_asked_for(outputs: str, expected: list[int]) -> None:
    found = workload(INLINE | {"outputs": outputs}, {"kind": "best_of_n", "trials": 3}, count=40)
    draws, task = found.draws(Streams(1)), next(found.tasks_iter(Streams(1)))
    tree = RequestTree(task)
    nodes = [tree.add(NodeRequest(), max_tokens=1000) for _ in range(3)]
    assert [draws.outcome(tree, node).output_tokens for node in nodes] == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window_s": [0.0, 1.0]}, "window_s only with path: what to take from a file"),
        ({"format": "azure", "longest_tokens": 5}, "format, longest_tokens only with path"),
        ({"sample_ratio": 0.0}, "greater than 0"),
        ({"rate_scale": -1.0}, "greater than or equal to"),
        ({"outputs": "all"}, "'recorded', 'first_trial' or 'model'"),
        ({"path": "a.csv"}, "and not both"),
        ({"follow_ups": {"tasks": [40], "parents": [0]}}, "Field required"),
    ],
)
def test_options_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TraceArrivals.model_validate(INLINE | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": [0, 41], "parents": [0, 0]}, "follow_ups name task 41 of 40, counted from 0"),
        ({"tasks": [1, 0]}, "tasks must not decrease: 0 after 1"),
        ({"parents": [0, 2]}, "turn 2 of task 0 follows turn 2, which is no earlier one"),
        ({"tool_s": [1.0]}, "columns of different length"),
    ],
)
def test_follow_ups_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    columns: dict[str, Any] = {"tasks": [0, 0], "parents": [0, 1], "tool_s": [0.0, 1.0]}
    columns |= {"prompt_tokens": [1, 1], "output_tokens": [1, 1]}
    with pytest.raises(ValidationError, match=message):
        TraceArrivals.model_validate(INLINE | {"follow_ups": columns | change})


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"window_s \[2, 1\] ends before it begins"):
        TraceArrivals.model_validate({"path": "a.csv", "window_s": [2.0, 1.0]})


def test_a_context_of_recorded_turns_bounds_that_of_the_workload(tmp_path: Path) -> None:
    found = from_file(tmp_path, PLAIN["llmservingsim"][1])
    assert workload(found.model_dump(), {"kind": "recorded"}, count=2).max_context_tokens() == 230
    json.dumps(found.model_dump(mode="json"))
