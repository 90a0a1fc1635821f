"""The ledger of a plan as a table: every candidate, also those that cannot run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from simulator.planning.goals import KNOWN

if TYPE_CHECKING:
    from simulator.planning.answering import Answer


def ledger_table(answer: Answer) -> pd.DataFrame:
    """Return one row a candidate in the order in which they were first tried.

    Columns are its choices, ``seeds``, ``meets`` (all limits, in the mean), ``violation`` (sum of the parts
    by which limits are missed), ``reason`` (why it cannot run, or which limits it misses) and every figure.
    """
    rows = []
    for each in answer.ledger:
        missed = each.missed(answer.wanted.bounds)
        lacking = [f"has no {label}" for label in each.lacks(answer.wanted)]
        row: dict[str, Any] = {
            **each.candidate.labels,
            "seeds": each.seeds,
            "meets": each.meets(answer.wanted),
            "violation": None if each.reason else each.violation(answer.wanted.bounds),
            "reason": each.reason or "; ".join([*map(str, missed), *lacking]),
        }
        rows.append(row | {path: each.mean(path) for path in KNOWN})
    return pd.DataFrame(rows)
