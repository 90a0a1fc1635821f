"""Two ways to say the same give the same records; more hardware or a smaller budget never costs time."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from changed import (
    ROOFLINE,
    UNLIMITED,
    UNTIMED,
    WITHOUT_CANCELLATION,
    Document,
    changed,
    documents_with,
    records_of,
    same,
    tables_of,
)

from simulator.engine.records import TRIAL_COLUMNS

ONE_TRIAL = st.sampled_from([{"kind": "long_cot"}, {"kind": "best_of_n", "trials": 1}])


@given(document=documents_with({"workload.strategy": ONE_TRIAL, "workload.shared_prefix_tokens": 0}))
def test_sharing_a_prompt_with_nobody_changes_nothing(document: Document) -> None:
    one, other = (records_of(changed(document, {"engine.kv.prefix_sharing": on})) for on in (True, False))
    assert same(one, other)


@given(document=documents_with({"engine.kv.block_tokens": st.sampled_from([1, 4, 16])}))
def test_a_pool_too_large_to_fill_is_unlimited(document: Document) -> None:
    kv = {name: value for name, value in document["engine"]["kv"].items() if name != "blocks"}
    unlimited = records_of(changed(document, {"engine.kv": kv | {"capacity": "unlimited"}}))
    huge = records_of(changed(document, {"engine.kv": kv | {"capacity": "auto", "blocks": 10_000_000}}))
    assert same(unlimited, huge)


@given(
    document=documents_with({"workload.strategy": WITHOUT_CANCELLATION, "report.horizon_s": None}),
    sharing=st.booleans(),
)
def test_chunks_of_prompts_do_not_change_what_is_computed(document: Document, *, sharing: bool) -> None:
    document = changed(document, {"engine.kv": UNLIMITED | {"prefix_sharing": sharing}})
    chunked, whole = (
        tables_of(changed(document, {"engine.max_batched_tokens": tokens})) for tokens in (16, 100_000)
    )
    for name in ("task", "node", "output_tokens", "correct", "answer"):
        assert chunked.trials[name].tolist() == whole.trials[name].tolist()
    assert chunked.steps["prefill_ends"].sum() == whole.steps["prefill_ends"].sum()
    if not sharing:
        for name in ("prefill_tokens", "prefill_attended_tokens", "attended_tokens"):
            assert chunked.steps[name].sum() == whole.steps[name].sum()


SPARSE = {
    "topk": lambda budget: {"kind": "topk", "kv_budget_tokens": budget},
    "block_topk": lambda budget: {"kind": "block_topk", "kv_budget_tokens": budget, "block_tokens": 8},
    "sliding_window": lambda budget: {"kind": "sliding_window", "window_tokens": budget, "sink_tokens": 4},
}


@given(
    kind=st.sampled_from(["topk", "block_topk"]),
    budget=st.sampled_from([16, 48, 2048]),
    document=documents_with({}),
    first=st.integers(1, 3),
)
def test_trials_with_the_budget_that_the_attention_has_anyway_change_no_step(
    kind: str, budget: int, document: Document, first: int
) -> None:
    waves = {"kind": "adaptive", "first_wave": first, "wave": 2, "max_trials": 5, "give_up_tokens": 400}
    document = changed(document, {"model.attention": SPARSE[kind](budget)})
    own, ladder = (
        records_of(changed(document, {"workload.strategy": waves | more}))
        for more in ({}, {"kv_budgets_tokens": [budget]})
    )
    assert own.steps.tolist() == ladder.steps.tolist()
    assert own.tasks.tolist() == ladder.tasks.tolist()
    budgets = TRIAL_COLUMNS.index("kv_budget_tokens")
    assert (
        np.delete(own.trials, budgets, axis=1).tolist() == np.delete(ladder.trials, budgets, axis=1).tolist()
    )
    assert set(ladder.trials[:, budgets].tolist()) <= {budget}
    assert set(own.trials[:, budgets].tolist()) <= {0}


@given(
    kind=st.sampled_from(sorted(SPARSE)),
    document=documents_with(UNTIMED | {"engine.latency": ROOFLINE}),
)
def test_a_larger_budget_is_never_faster(kind: str, document: Document) -> None:
    """INV-10: more context never makes a step faster."""
    small, large = (
        tables_of(changed(document, {"model.attention": SPARSE[kind](budget)})) for budget in (16, 96)
    )
    assert small.steps["steps"].tolist() == large.steps["steps"].tolist()
    for name in ("started_ns", "first_token_ns", "ended_ns"):
        assert (large.trials[name] >= small.trials[name]).all()


@given(kind=st.sampled_from(["topk", "sliding_window"]), document=documents_with({}))
def test_a_budget_beyond_every_context_is_dense(kind: str, document: Document) -> None:
    """INV-11, for the kinds whose selection costs nothing."""
    sparse, dense = (
        records_of(changed(document, {"model.attention": attention}))
        for attention in (SPARSE[kind](4096), {"kind": "dense"})
    )
    assert same(sparse, dense)


@given(
    document=documents_with(
        {
            "parallelism": {"tp": 1},
            "engine.router": {"kind": "round_robin"},
            "engine.kv": UNLIMITED,
            "engine.scheduler": {"kind": "fcfs"},
            "workload.tasks.prompt_tokens": st.sampled_from([1, 33, 64]),
            "workload.tasks.count": st.integers(1, 40),
            "workload.arrivals": {"kind": "all_at_once"},
            "workload.lengths": st.builds(lambda n: {"kind": "constant", "tokens": n}, st.integers(1, 60)),
            "workload.strategy": {"kind": "long_cot"},
            "report.horizon_s": None,
        }
    ),
    replicas=st.integers(1, 7),
)
def test_one_replica_more_never_serves_equal_tasks_later(document: Document, replicas: int) -> None:
    fewer, more = (records_of(changed(document, {"parallelism.dp": dp})) for dp in (replicas, replicas + 1))
    assert more.end_ns <= fewer.end_ns


@st.composite
def permuted_traces(draw: st.DrawFn) -> tuple[Document, Document, list[int]]:
    """Draw tasks in groups that arrive together, and the same tasks in another order within the groups."""
    groups = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    times = [0.001 * group for group, size in enumerate(groups) for _ in range(size)]
    sizes = st.lists(st.integers(1, 60), min_size=len(times), max_size=len(times))
    prompts, outputs = draw(sizes), draw(sizes)
    order: list[int] = []
    for size in groups:
        order += draw(st.permutations(range(len(order), len(order) + size)))

    def trace(rows: list[int]) -> dict[str, Any]:
        return {
            "kind": "trace",
            "arrivals_s": times,
            "prompt_tokens": [prompts[row] for row in rows],
            "output_tokens": [outputs[row] for row in rows],
        }

    roomy = {
        "parallelism": {"tp": 1, "dp": 1},
        "engine.scheduler": {"kind": "fcfs"},
        "engine.kv": UNLIMITED,
        "engine.max_sequences": 100,
        "engine.max_batched_tokens": 100_000,
        "workload.tasks.count": len(times),
        "workload.strategy": {"kind": "long_cot"},
        "workload.arrivals": trace(list(range(len(times)))),
        "report.horizon_s": None,
    }
    document = draw(documents_with(roomy))
    return document, changed(document, {"workload.arrivals": trace(order)}), order


@given(drawn=permuted_traces())
def test_the_order_of_simultaneous_tasks_does_not_matter_where_there_is_room(
    drawn: tuple[Document, Document, list[int]],
) -> None:
    document, permuted, order = drawn
    one, other = tables_of(document), tables_of(permuted)
    for name in one.steps:
        assert other.steps[name].tolist() == one.steps[name].tolist()
    for name in ("arrival_ns", "ended_ns", "nodes", "prompt_tokens", "output_tokens"):
        assert other.tasks[name].tolist() == one.tasks[name][order].tolist()


@given(
    document=documents_with(
        {
            "engine.scheduler": {"kind": "priority"},
            "workload.tasks": {"kind": "synthetic", "count": 8, "prompt_tokens": 20},
            "workload.arrivals": {"kind": "all_at_once"},
            "workload.lengths": {"kind": "constant", "tokens": 17},
            "workload.strategy": {"kind": "long_cot"},
            "parallelism.dp": 1,
        }
    ),
    priorities=st.permutations(range(8)),
)
def test_the_most_urgent_of_equal_tasks_changes_nothing_but_their_names(
    document: Document, priorities: list[int]
) -> None:
    falling = list(range(7, -1, -1))
    before, after = (
        tables_of(changed(document, {"workload.priorities": order})) for order in (falling, priorities)
    )
    places = [falling.index(priority) for priority in priorities]
    assert after.tasks["ended_ns"].tolist() == before.tasks["ended_ns"][np.array(places)].tolist()
    assert after.end_ns == before.end_ns
