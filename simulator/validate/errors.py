"""Errors of predictions by GPU, engine, model and GPUs per replica."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from simulator.validate.predictions import ANOTHER_MODEL, CALIBRATED, COLUMNS, PEER, Prediction, Validation

ALL: Final = "all"

FEWEST_RUNS: Final = 20
"""Runs from which a group is compared by name with the peer."""


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
    """Runs that have something in common.

    Parameters
    ----------
    gpu, engine, model, tp : whose runs; ``all`` for every one.
    rows : runs with predictions.
    judged_rows : those of them that no fit behind the predictions has seen.
    errors : by column, on the judged runs; empty where there are none.
    """

    gpu: str
    engine: str
    model: str
    tp: str
    rows: int
    judged_rows: int
    errors: dict[str, ErrorFigures]


def groups(validation: Validation, *, by_tp: bool = False) -> list[Group]:
    """Return a group for each GPU, engine and model that occurs, sorted, and one of all runs at the end.

    Judged are the runs of configurations that were held out of the fits.

    Parameters
    ----------
    validation : predictions.
    by_tp : a group for each number of GPUs per replica too.
    """
    return _grouped(
        validation.predictions, validation.columns, by_tp=by_tp, judged=lambda one: one.run.held_out
    )


def groups_without_peer(validation: Validation) -> list[Group]:
    """Return the groups of the runs that the other predictor says nothing of."""
    runs, columns = validation.without_peer, COLUMNS
    return _grouped(runs, columns, by_tp=False, judged=lambda one: one.run.held_out) if runs else []


def other_model_groups(validation: Validation) -> list[Group]:
    """Return the groups of models whose runs were predicted by what other models show; all are judged."""
    told = [one for one in validation.predictions if ANOTHER_MODEL in one.tpot_s]
    columns = (ANOTHER_MODEL, *validation.columns[1:])
    return _grouped(told, columns, by_tp=False, judged=lambda _: True) if told else []


def compared_groups(validation: Validation) -> list[Group]:
    """Return the groups with enough runs to be compared with the other predictor by name."""
    return [group for group in groups(validation)[:-1] if group.rows >= FEWEST_RUNS and group.errors]


def peer_is_better(group: Group) -> tuple[bool, bool]:
    """Return whether the other predictor is nearer in the median, and at the 90th percentile."""
    ours, peer = group.errors[CALIBRATED], group.errors[PEER]
    return (
        peer.median_error_ratio < ours.median_error_ratio,
        peer.p90_error_ratio < ours.p90_error_ratio,
    )


def _grouped(
    predictions: Sequence[Prediction],
    columns: Sequence[str],
    *,
    by_tp: bool,
    judged: Callable[[Prediction], bool],
) -> list[Group]:
    found: dict[tuple[str, str, str, int], list[Prediction]] = {}
    for one in predictions:
        run = one.run
        found.setdefault((run.gpu, run.engine, run.model, run.tp if by_tp else 0), []).append(one)

    def group(gpu: str, engine: str, model: str, tp: str, members: Sequence[Prediction]) -> Group:
        counted = [one for one in members if judged(one)]
        errors = {name: figures([one.error_ratio(name) for one in counted]) for name in columns if counted}
        return Group(gpu, engine, model, tp, len(members), len(counted), errors)

    parts = [group(*key[:3], str(key[3]) if by_tp else ALL, found[key]) for key in sorted(found)]
    return [*parts, group(ALL, ALL, ALL, ALL, predictions)]


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


def left_out(validation: Validation) -> dict[str, int]:
    """Return how many runs have no part in the errors, by reason."""
    reasons = {
        "not_believable": validation.not_believable,
        "infeasible": validation.infeasible,
        "without_peer": validation.without_peer,
    }
    return {reason: len(runs) for reason, runs in reasons.items()}


def to_json(validation: Validation) -> dict[str, Any]:
    """Return groups and counts as plain values."""
    return {
        "columns": list(validation.columns),
        "left_out": left_out(validation),
        "groups": [asdict(group) for group in groups(validation)],
        "groups_by_tp": [asdict(group) for group in groups(validation, by_tp=True)[:-1]],
        "groups_without_peer": [asdict(group) for group in groups_without_peer(validation)],
        "other_models": [asdict(group) for group in other_model_groups(validation)],
    }
