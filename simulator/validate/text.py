"""Errors as tables of text, for the terminal, the page and the document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.validate.errors import ALL, ErrorFigures, Group, left_out
from simulator.validate.predictions import Validation

NONE: Final = "-"


def heads(columns: Sequence[str], *, by_tp: bool = False) -> tuple[str, ...]:
    """Return the heads of the table."""
    errors = [head for column in columns for head in (f"{column}: median", "p90", "bias")]
    return ("gpu", "engine", "model", *(("tp",) if by_tp else ()), "runs", "judged", *errors)


def table(found: Sequence[Group], columns: Sequence[str], *, by_tp: bool = False) -> list[tuple[str, ...]]:
    """Return a row of text under each of `heads` for every group."""
    return [
        (
            *(group.gpu, group.engine, group.model, *((group.tp,) if by_tp else ())),
            *(str(group.rows), str(group.judged_rows)),
            *(cell for column in columns for cell in cells(group.errors.get(column))),
        )
        for group in found
    ]


def cells(errors: ErrorFigures | None) -> tuple[str, str, str]:
    """Return median, 90th percentile and bias as text."""
    if errors is None:
        return NONE, NONE, NONE
    return f"{errors.median_error_ratio:.1%}", f"{errors.p90_error_ratio:.1%}", f"{errors.bias_ratio:+.1%}"


def notes(validation: Validation) -> list[str]:
    """Return what a reader of the table has to know, a sentence each."""
    lines = ["Judged are runs that no fit has seen; bias below 0: predicted too fast."]
    meanings = {
        "not_believable": "cannot have been measured as described (rules in simulator.calibrate.runs)",
        "infeasible": "do not fit the memory by our count",
        "without_peer": "have no prediction of the peer and stand apart",
    }
    counts = left_out(validation)
    return lines + [f"Left out: {counts[why]} runs {text}." for why, text in meanings.items() if counts[why]]


def name_of(group: Group) -> str:
    """Return a group's name in a sentence."""
    if group.gpu == ALL:
        return "all runs"
    return f"`{group.model}` on `{group.gpu}` under {group.engine}"
