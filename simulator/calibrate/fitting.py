"""Robust fits of positive numbers to durations, in logarithms, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.hardware.calibration import Bound, Fitted

Vector = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

CORNER: Final = 0.05
"""Relative error up to which a row counts by its square; beyond, outliers count by their size."""

NEAR: Final = 1e-3
"""Part of a bound within which a number is at it: solvers stop a little before."""

DIGITS: Final = 4
"""Significant digits that are kept: more would be noise, and would differ between machines."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of predictions: rows, and quantiles of |predicted / measured - 1| and of the signed ratio."""

    rows: int
    median_ratio: float
    p90_ratio: float
    bias_ratio: float

    @classmethod
    def of(cls, predicted: Vector, measured: Vector) -> Errors | None:
        """Return the errors, or None without rows."""
        if not len(measured):
            return None
        signed = predicted / measured - 1.0
        size = np.abs(signed)
        return cls(
            len(measured), float(np.median(size)), float(np.percentile(size, 90)), float(np.median(signed))
        )


def fit(
    predict: Callable[[Vector], Vector],
    measured: Vector,
    *,
    starts: Sequence[Sequence[float]],
    lower: Sequence[float],
    upper: Sequence[float],
) -> tuple[tuple[float, ...], float]:
    """Return the numbers whose predictions are nearest to `measured`, rounded, and the cost.

    Parameters
    ----------
    predict : durations from a vector of numbers, s.
    measured : durations, s.
    starts : where to begin; the best end wins.
    lower, upper : bounds of each number, positive.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415 - an extra, and slow to import

    bounds = np.log(np.array(lower)), np.log(np.array(upper))
    target = np.log(measured)

    def residuals(logs: Vector) -> Vector:
        difference: Vector = np.log(predict(np.exp(logs))) - target
        return difference

    ends = [
        least_squares(
            residuals,
            np.clip(np.log(np.array(start)), *bounds),
            bounds=bounds,
            loss="soft_l1",
            f_scale=CORNER,
            max_nfev=400,
        )
        for start in starts
    ]
    best = min(ends, key=lambda end: float(end.cost))
    return tuple(rounded(float(number)) for number in np.exp(best.x)), float(best.cost)


def fit_and_judge(
    predict: Callable[[Vector, Mask], Vector],
    measured: Vector,
    out: Mask,
    *,
    source: str,
    starts: Sequence[Sequence[float]],
    lower: Sequence[float],
    upper: Sequence[float],
    names: Sequence[str],
) -> tuple[tuple[float, ...], float, Fitted]:
    """Return the numbers fitted to the rows not held `out`, the cost, and the error on those that are.

    Parameters
    ----------
    predict : durations of the masked rows from a vector of numbers, s.
    measured : durations of all rows, s.
    out : which rows the fit must not see.
    source : table behind the rows.
    starts, lower, upper : as in `fit`.
    names : what the numbers are called; more than there are numbers are ignored.
    """
    numbers, cost = fit(lambda x: predict(x, ~out), measured[~out], starts=starts, lower=lower, upper=upper)
    errors = Errors.of(predict(np.array(numbers), out), measured[out])
    ended = at_bound(dict(zip(names, zip(numbers, lower, upper, strict=True), strict=False)))
    return numbers, cost, fitted(source, int((~out).sum()), errors, ended)


def rounded(number: float) -> float:
    """Return `number` with `DIGITS` significant digits.

    Examples
    --------
    >>> rounded(0.000123456)
    0.0001235
    """
    return float(f"{number:.{DIGITS - 1}e}")


def at_bound(found: Mapping[str, tuple[float, float, float]]) -> dict[str, Bound]:
    """Return which numbers ended at a bound, and at which.

    Parameters
    ----------
    found : number, least and most by name; of positive numbers.

    Examples
    --------
    >>> at_bound({"a": (0.75, 0.75, 3.0), "b": (1.0, 0.75, 3.0), "c": (2.999, 0.75, 3.0)})
    {'a': 'least', 'c': 'most'}
    """
    ends: dict[str, Bound] = {}
    for name, (number, least, most) in found.items():
        if number <= least * (1.0 + NEAR):
            ends[name] = "least"
        elif number >= most * (1.0 - NEAR):
            ends[name] = "most"
    return ends


def fitted(
    source: str, train_rows: int, errors: Errors | None, ended: Mapping[str, Bound] | None = None
) -> Fitted:
    """Return the provenance of a fit; `ended`: numbers at a bound."""
    return Fitted(
        table=source,
        rows=train_rows,
        held_out_rows=errors.rows if errors else 0,
        median_error_ratio=rounded(errors.median_ratio) if errors else None,
        p90_error_ratio=rounded(errors.p90_ratio) if errors else None,
        at_bound=dict(ended or {}),
    )
