"""Random scenarios and changes of them: a document in, a changed copy or the records of its run out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "equivalence"))

from scenario_space import documents

from simulator.engine.records import RunRecords
from simulator.engine.run import run_scenario
from simulator.errors import InfeasiblePlanError
from simulator.metrics.tables import RunTables
from simulator.scenario.schema import Scenario

Document = dict[str, Any]


EQUALLY_HARD = {"kind": "fixed", "solve_probability": 0.3}


def changed(document: Document, changes: Mapping[str, object]) -> Document:
    """Return `document` with the values at some dotted paths replaced; the original stays as it is."""
    result = document
    for path, value in changes.items():
        result = _replaced(result, path.split("."), value)
    return result


def _replaced(table: Document, path: list[str], value: object) -> Document:
    first, *rest = path
    return {**table, first: _replaced(table[first], rest, value) if rest else value}


def documents_with(changes: Mapping[str, st.SearchStrategy[Any] | object]) -> st.SearchStrategy[Document]:
    """Draw random documents with the values at some dotted paths fixed, or drawn otherwise.

    Tasks are equally hard: quantiles of other difficulties take longer than the runs.
    """
    changes = {"workload.outcomes": EQUALLY_HARD, **changes}
    fixed = {path: v if isinstance(v, st.SearchStrategy) else st.just(v) for path, v in changes.items()}
    return st.builds(changed, documents(), st.fixed_dictionaries(fixed))


def records_of(document: Document) -> RunRecords:
    """Run a document; a plan that does not fit is no example."""
    scenario = Scenario.model_validate(document)
    try:
        return run_scenario(scenario, seed=scenario.seed).records
    except InfeasiblePlanError:
        assume(condition=False)
        raise


def tables_of(document: Document) -> RunTables:
    """Run a document and return its records by column."""
    return RunTables.of(records_of(document))


def same(one: RunRecords, other: RunRecords) -> bool:
    """Say whether two runs left the same records."""
    return (
        one.steps.tolist() == other.steps.tolist()
        and one.trials.tolist() == other.trials.tolist()
        and one.tasks.tolist() == other.tasks.tolist()
        and (one.end_ns, one.pending_tasks) == (other.end_ns, other.pending_tasks)
    )


ROOFLINE = st.sampled_from(
    [
        {"kind": "roofline"},
        {"kind": "roofline", "combine": "max_of_sum"},
        {"kind": "roofline", "combine": "additive"},
        {"kind": "roofline", "step_overhead_s": 1e-4, "sequence_overhead_s": 1e-5},
    ]
)
"""Latencies that depend on the hardware."""

TOGETHER = st.sampled_from(
    [{"kind": "all_at_once"}, {"kind": "closed_loop", "concurrency": 3, "think_time_s": 0.0}]
)
"""Arrivals that the clock does not time."""

UNTIMED = {
    "parallelism.dp": 1,
    "workload.arrivals": TOGETHER,
    # A verdict comes between steps: how many are over by then depends on how long they take.
    "workload.verifier": None,
    "report.horizon_s": None,
}
"""Fixes what the clock times: one replica then decides by the order of its steps alone."""

WITHOUT_CANCELLATION = st.sampled_from(
    [
        {"kind": "long_cot"},
        {"kind": "best_of_n", "trials": 4},
        {"kind": "self_consistency", "trials": 3},
    ]
)
"""Strategies whose nodes do not depend on when others finish."""

UNLIMITED = {"block_tokens": 16, "watermark_ratio": 0.0, "capacity": "unlimited"}
"""A KV cache that never runs dry."""
