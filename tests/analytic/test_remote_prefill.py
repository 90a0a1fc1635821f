"""Prompts that another server computes: their KV takes room here, but no time and no tokens but the last."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import MILLISECOND, scenario, tables_of, tasks, workload

PROMPT, OUTPUT, TASKS = 3000, 65, 24


def load(**parts: Any) -> dict[str, Any]:  # noqa: ANN401 - raw parts of a document
    lengths = {"kind": "constant", "tokens": OUTPUT}
    return workload(tasks=tasks(TASKS, PROMPT), lengths=lengths, **parts)


@pytest.mark.parametrize(("prefill", "computed"), [("local", PROMPT), ("remote", 1)])
def test_a_prompt_costs_its_last_token_alone(prefill: str, computed: int) -> None:
    tables = tables_of(scenario(load(), engine={"prefill": prefill}))
    assert tables.steps["prefill_tokens"].sum() == TASKS * computed
    assert set(tables.trials["cached_tokens"]) == {PROMPT - computed}
    # The last token attends to the whole prompt, however it came.
    pairs = PROMPT if prefill == "remote" else PROMPT * (PROMPT + 1) // 2
    assert tables.steps["prefill_attended_tokens"].sum() == TASKS * pairs


def test_all_sequences_start_in_the_first_step() -> None:
    tables = tables_of(scenario(load(), engine={"prefill": "remote", "max_batched_tokens": 512}))
    assert set(tables.trials["first_token_ns"]) == {MILLISECOND}
    assert set(tables.trials["ended_ns"]) == {OUTPUT * MILLISECOND}


def test_their_keys_and_values_take_room() -> None:
    # 192 blocks of 16 tokens hold one sequence of 3,000 + 64 tokens and no second one.
    engine = {"prefill": "remote", "kv": {"blocks": 192}}
    tables = tables_of(scenario(load(max_tokens=OUTPUT), engine=engine))
    ends = sorted(tables.trials["ended_ns"])
    assert ends == [OUTPUT * MILLISECOND * (place + 1) for place in range(TASKS)]


def test_what_was_written_here_is_computed_again_after_a_preemption() -> None:
    # Two sequences of 188 blocks are admitted (1 % stays free) and grow to 192: the later one gives way.
    engine = {"prefill": "remote", "kv": {"blocks": 2 * 188 + 4}}
    tables = tables_of(scenario(load(max_tokens=OUTPUT), engine=engine))
    assert tables.trials["preemptions"].sum() > 0
    again = tables.steps["prefill_tokens"].sum() - TASKS
    assert 0 < again < TASKS * OUTPUT
