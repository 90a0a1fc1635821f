"""What requests find cached of the prompts of others, counted by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import constant_steps, scenario, tasks, workload

from simulator import simulate
from simulator.engine.records import TRIAL_COLUMNS, column
from simulator.engine.run import run_scenario
from simulator.invariants import check_run
from simulator.scenario.schema import Scenario


def cached(asked: Scenario) -> list[int]:
    """Return the prompt tokens that each trial finds cached; both engines agree, and all invariants hold."""
    run = run_scenario(asked, seed=1)
    check_run(asked, 1, run)
    return [int(tokens) for tokens in column(run.records.trials, TRIAL_COLUMNS, "cached_tokens")]


def seconds_apart(prompts: list[int], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts
    """Return recorded arrivals that have all ended before the next one comes."""
    rows = range(len(prompts))
    return {
        "kind": "trace",
        "arrivals_s": [float(row) for row in rows],
        "prompt_tokens": prompts,
        "output_tokens": [10 for _ in rows],
        **more,
    }


def replayed(prompts: list[int], *, engine: dict[str, Any] | None = None, **more: Any) -> Scenario:  # noqa: ANN401 - raw parts
    parts = {
        "shared_prefix_tokens": more.pop("shared_prefix_tokens", 0),
        "strategy": {"kind": "recorded" if "follow_ups" in more else "long_cot"},
    }
    load = workload(tasks=tasks(len(prompts)), arrivals=seconds_apart(prompts, **more), **parts)
    return scenario(load, engine={"latency": constant_steps()} | (engine or {}))


def test_the_summary_says_how_much_of_the_prompts_was_found() -> None:
    found = simulate(replayed([150, 150, 101, 400], shared_prefix_tokens=100), seed=1).summary
    assert found["load"]["cached_prompt_ratio"] == 3 * 96 / 801


def test_a_system_prompt_is_computed_once() -> None:
    # 100 tokens are six full blocks of 16 and a part of the seventh, which nobody keeps.
    assert cached(replayed([150, 150, 101, 400], shared_prefix_tokens=100)) == [0, 96, 96, 96]


def test_prompts_no_longer_than_the_system_prompt_do_not_begin_with_it() -> None:
    assert cached(replayed([150, 100, 30, 101], shared_prefix_tokens=100)) == [0, 0, 0, 96]


def test_trials_find_the_system_prompt_and_then_their_own() -> None:
    load = workload(
        tasks=tasks(2, 150),
        arrivals={"kind": "trace", "arrivals_s": [0.0, 1.0]},
        strategy={"kind": "best_of_n", "trials": 2},
        shared_prefix_tokens=100,
    )
    # The second trials come in the step of the first: they share the block that the prompt's end cuts too.
    assert cached(scenario(load, engine={"latency": constant_steps()})) == [0, 149, 96, 149]


def test_segments_are_found_as_far_as_prompts_begin_alike() -> None:
    forest = {"parents": [-1, 0, 0], "end_tokens": [64, 128, 96], "tasks": [1, 2, 1, 0, -1]}
    assert cached(replayed([200, 96, 128, 100, 100], prefixes=forest)) == [0, 64, 127, 64, 0]


def test_nothing_is_found_where_the_server_does_not_look() -> None:
    kv = {"capacity": "unlimited", "prefix_sharing": False}
    forest = {"parents": [-1], "end_tokens": [64], "tasks": [0, 0]}
    assert cached(replayed([200, 96], prefixes=forest, engine={"kv": kv})) == [0, 0]
    assert cached(replayed([200, 200], shared_prefix_tokens=64, engine={"kv": kv})) == [0, 0]


@pytest.mark.parametrize(("blocks", "found"), [(20, 64), (18, 64), (17, 0)])
def test_what_others_need_the_blocks_for_is_evicted_last_released_first(blocks: int, found: int) -> None:
    # 4 blocks are shared, 8 more are the first prompt's own. The second request takes 14 blocks.
    forest = {"parents": [-1], "end_tokens": [64], "tasks": [0, -1, 0]}
    kv = {"blocks": blocks, "watermark_ratio": 0.0}
    assert cached(replayed([192, 215, 192], prefixes=forest, engine={"kv": kv})) == [0, 0, found]


def test_a_recorded_turn_that_drops_text_shares_what_its_blocks_say() -> None:
    forest = {"parents": [-1, 0], "end_tokens": [32, 64], "tasks": [1, 1], "follow_ups": [0]}
    turns = {"tasks": [0], "parents": [0], "tool_s": [0.0], "prompt_tokens": [50], "output_tokens": [5]}
    # The turn of 50 tokens begins with the first 32 of its parent; the other task with 64.
    assert cached(replayed([70, 70], prefixes=forest, follow_ups=turns)) == [0, 32, 64]


def test_what_is_recorded_and_what_is_said_of_all_prompts_exclude_each_other() -> None:
    forest = {"parents": [-1], "end_tokens": [64], "tasks": [0, 0]}
    with pytest.raises(
        ValueError, match="shared_prefix_tokens is 10, but arrivals record which prompts begin"
    ):
        replayed([200, 96], prefixes=forest, shared_prefix_tokens=10)


def test_a_segment_longer_than_its_prompt_is_refused_with_its_row() -> None:
    forest = {"parents": [-1], "end_tokens": [97], "tasks": [0, 0]}
    with pytest.raises(
        ValueError, match=r"prefixes.tasks, row 1: segment 0 ends at 97 tokens, the prompt has 96"
    ):
        replayed([200, 96], prefixes=forest)
