"""INV-9: what nobody can know yet changes nothing yet."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from changed import Document, changed, documents_with, records_of, same, tables_of

# Predicted lengths are noise around hidden ones by intent, so no scheduler that reads them is here.
SCHEDULERS = st.sampled_from(["fcfs", "shortest_first", "task_affine", "priority"]).map(lambda k: {"kind": k})
BLIND = documents_with(
    {
        "engine.scheduler": SCHEDULERS,
        "workload.max_tokens": 200,
        "workload.length_prediction": None,
        "report.horizon_s": None,
    }
)
CONSTANT = {"kind": "constant", "tokens": 17}
SPREAD = {"kind": "empirical", "values": [1, 3, 40, 90]}


def cut(document: Document, horizon_ns: int) -> Document:
    return changed(document, {"report.horizon_s": horizon_ns / 1e9})


@given(document=BLIND)
def test_lengths_change_nothing_until_a_trial_reaches_the_shorter_one(document: Document) -> None:
    # The longest quarter of the trials writes 120 tokens in one run and 200 in the other.
    shorter, longer = (
        changed(document, {"workload.lengths": {"kind": "empirical", "values": [3, 17, 60, longest]}})
        for longest in (120, 200)
    )
    trials = tables_of(shorter).trials
    reached = trials["ended_ns"][(trials["output_tokens"] == 120) & (trials["ended_ns"] >= 0)]
    assume(len(reached))
    first_difference_ns = int(reached.min())
    assert same(records_of(cut(shorter, first_difference_ns)), records_of(cut(longer, first_difference_ns)))


@given(document=BLIND, lengths=st.sampled_from([CONSTANT, SPREAD]))
def test_correctness_changes_nothing_until_a_trial_has_finished(
    document: Document, lengths: Document
) -> None:
    wrong, mixed = (
        changed(
            document,
            {
                "workload.lengths": lengths,
                "workload.outcomes": {"kind": "fixed", "solve_probability": chance},
            },
        )
        for chance in (0.0, 0.5)
    )
    ends = tables_of(wrong).trials["ended_ns"]
    first_end_ns = int(ends[ends >= 0].min())
    assert same(records_of(cut(wrong, first_end_ns)), records_of(cut(mixed, first_end_ns)))
