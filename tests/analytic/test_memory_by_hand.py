"""Shared prompts, KV blocks and recomputation, counted by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import MILLISECOND, scenario, tables_of, tasks, workload

from simulator.scenario.schema import Scenario

# Contexts pass its budget on the way, where the fast engine starts a new macro step in the same row.
TOPK = {"kind": "topk", "kv_budget_tokens": 110}


def family(prompt: int, trials: int, output: int, *, count: int = 1, dp: int = 1, **engine: Any) -> Scenario:  # noqa: ANN401 - raw parts of a document
    return scenario(
        workload(
            tasks=tasks(count, prompt),
            lengths={"kind": "constant", "tokens": output},
            strategy={"kind": "best_of_n", "trials": trials},
        ),
        engine=engine,
        attention=TOPK,
        dp=dp,
    )


@pytest.mark.parametrize("prompt", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("max_batched_tokens", [24, 4096])
def test_a_task_computes_its_prompt_once_and_one_token_for_each_further_trial(
    prompt: int, max_batched_tokens: int
) -> None:
    served = family(prompt, 8, 20, count=3, max_batched_tokens=max_batched_tokens, max_sequences=24)
    tables = tables_of(served)
    assert tables.steps["prefill_tokens"].sum() == 3 * (prompt + 7)
    assert tables.trials["cached_tokens"].tolist() == 3 * ([0] + 7 * [prompt - 1])


def test_every_replica_computes_the_prompt_for_itself() -> None:
    tables = tables_of(family(100, 8, 20, dp=3, router={"kind": "round_robin"}))
    for replica, trials in enumerate([3, 3, 2]):
        computed = tables.steps["prefill_tokens"][tables.steps["replica"] == replica].sum()
        assert computed == 100 + trials - 1


def test_without_sharing_every_trial_computes_the_prompt() -> None:
    kv = {"capacity": "unlimited", "prefix_sharing": False}
    tables = tables_of(family(100, 8, 20, kv=kv))
    assert tables.steps["prefill_tokens"].sum() == 8 * 100


@pytest.mark.parametrize("block", [1, 16, 32])
@pytest.mark.parametrize(("prompt", "output"), [(100, 60), (96, 33), (15, 2), (5, 100)])
def test_trials_hold_the_full_blocks_of_their_prompt_once(block: int, prompt: int, output: int) -> None:
    trials = 6
    kv = {"capacity": "unlimited", "block_tokens": block}
    last = tables_of(family(prompt, trials, output, kv=kv)).steps["kv_blocks"][-1]
    shared = prompt // block
    # Keys and values of the last token are never written.
    own = -(-(prompt + output - 1) // block) - shared
    assert last == shared + trials * own


@pytest.mark.parametrize("block", [1, 16])
def test_without_sharing_trials_hold_their_whole_contexts(block: int) -> None:
    kv = {"capacity": "unlimited", "block_tokens": block, "prefix_sharing": False}
    last = tables_of(family(100, 6, 60, kv=kv)).steps["kv_blocks"][-1]
    assert last == 6 * -(-159 // block)


def test_a_preempted_trial_computes_its_prompt_and_its_output_again() -> None:
    # Two prompts of 16 tokens take one block each of a pool of four.  The step with context 17 gives each
    # a second block.  After 17 steps both know 33 tokens and need a third: the later one gives way.
    # The other needs four blocks up to its end, at 40 ms; the 33 tokens are computed again after it.
    kv = {"blocks": 4, "block_tokens": 16, "watermark_ratio": 0.0}
    served = scenario(
        workload(tasks=tasks(2, prompt_tokens=16), lengths={"kind": "constant", "tokens": 40}),
        engine={"kv": kv},
    )
    tables = tables_of(served)
    steps, trials = tables.steps, tables.trials
    assert trials["preemptions"].tolist() == [0, 1]
    assert steps["prefill_tokens"][steps["prefill_tokens"] > 0].tolist() == [32, 33]
    recomputed = steps["prefill_tokens"] == 33
    assert steps["start_ns"][recomputed].tolist() == [40 * MILLISECOND]
    assert steps["prefill_attended_tokens"][recomputed].tolist() == [33 * 34 // 2]
    assert trials["ended_ns"].tolist() == [40 * MILLISECOND, (40 + 40 - 17) * MILLISECOND]
    assert trials["first_token_ns"].tolist() == [MILLISECOND, MILLISECOND]
    assert steps["kv_blocks"].max() == 4


def test_the_watermark_keeps_a_newcomer_out_while_others_run() -> None:
    # Of ten blocks the first task takes three and grows to four; two are kept free by the watermark.
    kv = {"blocks": 10, "block_tokens": 16, "watermark_ratio": 0.2}
    served = scenario(
        workload(tasks=tasks(4, prompt_tokens=48), lengths={"kind": "constant", "tokens": 10}),
        engine={"kv": kv},
    )
    trials = tables_of(served).trials
    assert trials["started_ns"].tolist() == [0, 0, 10 * MILLISECOND, 10 * MILLISECOND]
