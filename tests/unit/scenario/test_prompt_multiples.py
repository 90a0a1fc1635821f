"""Parts of a prompt that end at multiples: by hand, against a walk through the prompt, and in a run."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "equivalence"))

from scenario_space import TINY_LINEAR, node

from simulator.engine.run import run_scenario
from simulator.engine.sequence import Sequence
from simulator.errors import ScenarioError
from simulator.scenario.loader import load_scenario


def waiting(known: int, remaining: int) -> Sequence:
    view = cast("Any", SimpleNamespace(prompt_tokens=known, generated_tokens=0))
    none = cast("Any", None)
    sequence = Sequence(view, none, none, none, none, (), None)
    sequence.remaining_prefill = remaining
    return sequence


@pytest.mark.parametrize(
    ("known", "past", "budget", "expected"),
    [
        (4104, 0, 8192, 3696),  # seven multiples of 528 first,
        (4104, 3696, 8192, 408),  # then what is beyond the last one, as vLLM 0.20 logged it
        (1056, 0, 8192, 1056),  # a whole multiple ends at once
        (4104, 0, 1000, 528),  # a smaller budget ends earlier
        (4104, 100, 1000, 956),  # a cached start of another length is made up for
        (4104, 528, 300, 0),  # nothing where no multiple fits
        (400, 0, 300, 300),  # a prompt below the first multiple is cut anywhere
    ],
)
def test_parts_of_a_prompt_by_hand(known: int, past: int, budget: int, expected: int) -> None:
    assert waiting(known, known - past).chunk_tokens(budget, 528) == expected


@given(
    known=st.integers(1, 500), multiple=st.integers(1, 60), more=st.integers(0, 200), past=st.integers(0, 499)
)
def test_all_parts_but_the_last_end_at_multiples_and_make_up_the_prompt(
    known: int, multiple: int, more: int, past: int
) -> None:
    sequence = waiting(known, max(1, known - past))
    while sequence.remaining_prefill:
        tokens = sequence.chunk_tokens(multiple + more, multiple)
        assert 0 < tokens <= multiple + more
        sequence.remaining_prefill -= tokens
        end = known - sequence.remaining_prefill
        assert end % multiple == 0 or end > known - known % multiple


@given(known=st.integers(1, 500), past=st.integers(0, 499), budget=st.integers(1, 600))
def test_a_multiple_of_one_cuts_where_the_budget_ends(known: int, past: int, budget: int) -> None:
    remaining = max(1, known - past)
    assert waiting(known, remaining).chunk_tokens(budget, 1) == min(budget, remaining)


def scenario(**engine: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "hardware": node(),
        "model": {"preset": TINY_LINEAR},
        "engine": {"max_sequences": 4, "max_batched_tokens": 512, **engine},
        "workload": {
            "tasks": {"kind": "synthetic", "count": 3, "prompt_tokens": 100},
            "arrivals": {"kind": "closed_loop", "concurrency": 1},
            "lengths": {"kind": "constant", "tokens": 5},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "strategy": {"kind": "long_cot"},
            "max_tokens": 20,
        },
    }


def test_a_run_computes_a_prompt_up_to_its_last_multiple_and_then_the_rest() -> None:
    records = run_scenario(load_scenario(scenario(prefill_multiple_tokens=32)), seed=0).records
    tokens = [int(new) for new in records.step_rows().prefill_tokens if new]
    assert tokens == [96, 4] * 3


def test_a_step_that_cannot_hold_a_multiple_beside_the_batch_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"512 is below max_sequences 4 \+ prefill_multiple_tokens 509"):
        load_scenario(scenario(prefill_multiple_tokens=509))
