"""Errors by GPU, engine and model, as numbers and as a table.

Errors are of held-out runs only: the serving numbers of the calibrations were fitted to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from simulator.validate.silicon import Prediction, Validation

ALL: Final = "all"
NONE: Final = "-"


@dataclass(frozen=True, slots=True)
class ErrorFigures:
    """How far predictions are from measurements.

    Parameters
    ----------
    median_error_ratio : median of |predicted / measured - 1|.
    p90_error_ratio : its 90th percentile.
    bias_ratio : median of predicted / measured - 1; below 0 the prediction is too fast.
    """

    median_error_ratio: float
    p90_error_ratio: float
    bias_ratio: float


@dataclass(frozen=True, slots=True)
class Group:
    """The runs of one GPU, engine and model, or all.

    Parameters
    ----------
    gpu, engine, model : whose runs; ``all`` for every one.
    rows : runs with predictions.
    held_out_rows : those that no fit has seen.
    errors : by column, on the held-out runs; empty where there are none.
    """

    gpu: str
    engine: str
    model: str
    rows: int
    held_out_rows: int
    errors: dict[str, ErrorFigures]


def groups(validation: Validation) -> list[Group]:
    """Return a group for each GPU, engine and model that occurs, sorted, and one of all runs at the end."""
    found: dict[tuple[str, str, str], list[Prediction]] = {}
    for prediction in validation.predictions:
        run = prediction.run
        found.setdefault((run.gpu, run.engine, run.model), []).append(prediction)
    parts = [_group(*key, found[key], validation.columns) for key in sorted(found)]
    return [*parts, _group(ALL, ALL, ALL, validation.predictions, validation.columns)]


def _group(
    gpu: str, engine: str, model: str, predictions: Sequence[Prediction], columns: Sequence[str]
) -> Group:
    judged = [prediction for prediction in predictions if prediction.run.held_out]
    errors = {column: figures([one.error_ratio(column) for one in judged]) for column in columns if judged}
    return Group(gpu, engine, model, len(predictions), len(judged), errors)


def figures(ratios: Sequence[float]) -> ErrorFigures:
    """Return the figures of signed errors; there must be at least one.

    Examples
    --------
    >>> figures([-0.5, 0.1, 0.2])
    ErrorFigures(median_error_ratio=0.2, p90_error_ratio=0.44, bias_ratio=0.1)
    """
    signed = np.array(ratios)
    sizes = np.abs(signed)
    median, p90, bias = np.median(sizes), np.quantile(sizes, 0.9), np.median(signed)
    return ErrorFigures(float(median), float(p90), float(bias))


def heads(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the heads of the table."""
    errors = [head for column in columns for head in (f"{column}: median", "p90", "bias")]
    return ("gpu", "engine", "model", "runs", "held out", *errors)


def table(found: Sequence[Group], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a row of text under each of `heads` for every group."""
    return [
        (
            *(group.gpu, group.engine, group.model, str(group.rows), str(group.held_out_rows)),
            *(cell for column in columns for cell in _cells(group.errors.get(column))),
        )
        for group in found
    ]


def _cells(errors: ErrorFigures | None) -> tuple[str, str, str]:
    if errors is None:
        return NONE, NONE, NONE
    return f"{errors.median_error_ratio:.1%}", f"{errors.p90_error_ratio:.1%}", f"{errors.bias_ratio:+.1%}"


def left_out(validation: Validation) -> dict[str, int]:
    """Return how many runs have no part in the errors, by reason."""
    reasons = {
        "not_believable": validation.not_believable,
        "infeasible": validation.infeasible,
        "without_peer": validation.without_peer,
    }
    return {reason: len(runs) for reason, runs in reasons.items()}


def notes(validation: Validation) -> list[str]:
    """Return what a reader of the table has to know, a sentence each."""
    lines = ["Errors are of held-out runs; bias below 0: predicted too fast."]
    meanings = {
        "not_believable": "cannot have been measured as described (rules in simulator.calibrate.runs)",
        "infeasible": "do not fit the memory by our count",
        "without_peer": "have no prediction of the peer",
    }
    counts = left_out(validation)
    return lines + [f"Left out: {counts[why]} runs {text}." for why, text in meanings.items() if counts[why]]


def to_json(validation: Validation, found: Sequence[Group]) -> dict[str, Any]:
    """Return groups and counts as plain values."""
    return {
        "columns": list(validation.columns),
        "left_out": left_out(validation),
        "groups": [asdict(group) for group in found],
    }
