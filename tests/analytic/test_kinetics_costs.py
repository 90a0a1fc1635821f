"""What decoding N trials costs, in closed form and as the literal sum (Kinetics, arXiv 2506.05333).

The first token of a trial comes from its prompt, so n tokens take n - 1 decode steps, and the query of
decode step i attends to a context of prompt + i tokens.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from served import scenario, tables_of, tasks, workload

from simulator import simulate
from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario

TASKS, TRIALS, PROMPT, OUTPUT = 3, 5, 100, 301
CONTEXTS = range(PROMPT + 1, PROMPT + OUTPUT)
"""Contexts of the decode steps of one trial."""
DENSE_PAIRS = (OUTPUT - 1) * PROMPT + (OUTPUT - 1) * OUTPUT // 2


def best_of_n(attention: dict[str, Any], **engine: Any) -> Scenario:  # noqa: ANN401 - raw parts of a document
    return scenario(
        workload(
            tasks=tasks(TASKS, PROMPT),
            lengths={"kind": "constant", "tokens": OUTPUT},
            strategy={"kind": "best_of_n", "trials": TRIALS},
        ),
        attention=attention,
        engine=engine,
    )


def total(tables: RunTables, column: str) -> int:
    return int(tables.steps[column].sum())


def capped_pairs(cap: int) -> int:
    """Return sum of min(c, cap) over the contexts, for a cap among them."""
    below = cap - PROMPT
    return below * PROMPT + below * (below + 1) // 2 + (OUTPUT - 1 - below) * cap


def blocks_up_to(context: int, block: int) -> int:
    """Return the sum of ceil(c / block) for c from 1 to `context`."""
    whole, rest = divmod(context, block)
    return block * whole * (whole + 1) // 2 + rest * (whole + 1)


# One trial at a time, a few at a time, all at once: the cost does not depend on the batch.
@pytest.mark.parametrize("max_sequences", [1, 4, 512])
def test_dense_attention_attends_to_every_context_whole(max_sequences: int) -> None:
    assert sum(CONTEXTS) == DENSE_PAIRS
    tables = tables_of(best_of_n({"kind": "dense"}, max_sequences=max_sequences))
    assert total(tables, "attended_tokens") == TASKS * TRIALS * DENSE_PAIRS
    assert total(tables, "read_tokens") == TASKS * TRIALS * DENSE_PAIRS
    assert total(tables, "index_entries") == 0


@pytest.mark.parametrize("block", [1, 8, 16, 64])
@pytest.mark.parametrize("budget", [128, 256])
def test_block_topk_gathers_its_budget_and_scores_every_block(budget: int, block: int) -> None:
    attention = {"kind": "block_topk", "kv_budget_tokens": budget, "block_tokens": block}
    tables = tables_of(best_of_n(attention, max_sequences=4))
    gathered = sum(min(context, budget) for context in CONTEXTS)
    scored = sum(-(-context // block) for context in CONTEXTS)
    assert gathered == capped_pairs(budget)
    assert scored == blocks_up_to(PROMPT + OUTPUT - 1, block) - blocks_up_to(PROMPT, block)
    assert total(tables, "attended_tokens") == TASKS * TRIALS * gathered
    assert total(tables, "read_tokens") == TASKS * TRIALS * gathered
    assert total(tables, "index_entries") == TASKS * TRIALS * scored


@pytest.mark.parametrize(
    ("attention", "cap"),
    [
        ({"kind": "topk", "kv_budget_tokens": 150}, 150),
        ({"kind": "sliding_window", "window_tokens": 140, "sink_tokens": 4}, 144),
    ],
)
def test_oracle_topk_and_windows_attend_to_their_cap(attention: dict[str, Any], cap: int) -> None:
    tables = tables_of(best_of_n(attention))
    assert total(tables, "attended_tokens") == TASKS * TRIALS * capped_pairs(cap)
    assert total(tables, "index_entries") == 0


def test_a_shared_prompt_can_be_read_once_per_task_and_step() -> None:
    tables = tables_of(best_of_n({"kind": "dense", "prefix_reads": "once_per_family"}))
    own = sum(range(1, OUTPUT))
    assert total(tables, "read_tokens") == TASKS * ((OUTPUT - 1) * PROMPT + TRIALS * own)
    assert total(tables, "attended_tokens") == TASKS * TRIALS * DENSE_PAIRS


def test_eflops_per_task_are_the_papers_sum() -> None:
    kinetics = simulate(best_of_n({"kind": "dense"})).summary["kinetics"]
    # The tiny model: 2 layers, hidden 256, 4 query and 2 KV heads of 64, ffn 512, vocabulary 1000, tied.
    layer = 256 * (256 + 2 * 128) + 256 * 256 + 3 * 256 * 512 + 2 * 256
    parameters = 1000 * 256 + 2 * layer + 256
    flops = TRIALS * (2 * parameters * (OUTPUT - 1) + 4 * 256 * 2 * DENSE_PAIRS)
    hbm_bytes = TRIALS * DENSE_PAIRS * 2 * 2 * 128 * 2
    assert kinetics["decode_flops_per_task"] == flops
    assert kinetics["decode_bytes_per_task"] == hbm_bytes
    assert kinetics["decode_eflops_per_task"] == pytest.approx(flops + hbm_bytes * 2.25e15 / 8e12, rel=1e-12)
