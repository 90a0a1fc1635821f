"""How far a simulated run is from a measured one: means, quantiles, single requests, the state over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from simulator.attention.work import FloatVector
from simulator.measured.agreement import UNIT, UNIT_WITHIN
from simulator.validate.sides import TIMES, RequestTimes, Side

LABELS: Final = {
    "ttft": "time to first token",
    "tpot": "time per output token",
    "itl": "time between tokens",
    "e2e": "end to end",
    "output_tokens_per_s": "output tokens/s",
    "requests_per_s": "requests/s",
    "in_flight": "requests in flight",
    "running": "running",
    "waiting": "waiting",
    "kv": "KV use",
}
"""What each quantity is called in tables."""

REQUEST_FIGURES: Final = ("median_error", "p90_error", "distance")
"""Figures of single requests: sizes of relative errors, and the distance of the two distributions."""

SERIES_FIGURES: Final = ("mean_error",)
FEWEST: Final = 6
"""Requests below which thirds say nothing."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity on both sides.

    Parameters
    ----------
    name : key of `LABELS`.
    figures : measured and simulated values by ``mean``, ``p50`` and so on.
    errors : further errors: `REQUEST_FIGURES` where single requests are known, `SERIES_FIGURES` over time.
    count : requests or moments that are compared; 0 where a summary is.
    """

    name: str
    figures: dict[str, tuple[float, float]]
    errors: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def error(self, figure: str) -> float | None:
        """Return the signed relative error of a figure; None where it is unknown or the measured one is 0."""
        if figure in self.errors:
            return self.errors[figure]
        if figure not in self.figures:
            return None
        measured, simulated = self.figures[figure]
        if measured == 0.0:
            return 0.0 if simulated == 0.0 else None
        return simulated / measured - 1.0

    @property
    def known(self) -> tuple[str, ...]:
        """Names of all figures."""
        return (*self.figures, *self.errors)


@dataclass(frozen=True, slots=True)
class Regime:
    """A third of the requests, by one property of the measured run.

    Parameters
    ----------
    name : what they share.
    count : requests.
    quantities : of ``ttft``, ``tpot`` and ``e2e``.
    """

    name: str
    count: int
    quantities: tuple[Quantity, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """All that is compared of two runs."""

    quantities: dict[str, Quantity]
    regimes: tuple[Regime, ...]
    notes: tuple[str, ...]


def compared(measured: Side, simulated: Side) -> Compared:
    """Return the errors of a simulated run.

    Parameters
    ----------
    measured, simulated : of the same requests in the same order, or summaries.

    Notes
    -----
    An error is simulated / measured - 1. Single requests are matched by their order. The distance is that of
    Wasserstein (the mean over all quantiles of how far the two are apart) over the measured mean.
    """
    found = [_times(name, measured, simulated) for name in TIMES]
    found += [_rate(name, measured, simulated) for name in ("output_tokens_per_s", "requests_per_s")]
    found += [_in_flight(measured, simulated), *_series(measured, simulated)]
    quantities = {one.name: one for one in found if one is not None and one.figures}
    return Compared(quantities, tuple(_regimes(measured, simulated)), tuple(_units(quantities)))


def _times(name: str, measured: Side, simulated: Side) -> Quantity | None:
    ours, theirs = simulated.stats.get(name), measured.stats.get(name)
    if ours is None or theirs is None:
        return None
    figures = {}
    if theirs.mean is not None and ours.mean is not None:
        figures["mean"] = (theirs.mean, ours.mean)
    percents = sorted(theirs.percentiles)
    exact = None if simulated.requests is None or name == "itl" else simulated.requests.of(name)
    for percent in percents:
        value = ours.percentiles.get(percent)
        if exact is not None:
            value = float(np.nanpercentile(exact, percent))
        if value is not None:
            figures[f"p{percent:g}"] = (theirs.percentiles[percent], value)
    if measured.requests is None or exact is None:
        return Quantity(name, figures)
    errors, count = single_errors(measured.requests.of(name), exact)
    return Quantity(name, figures, errors, count)


def single_errors(measured: FloatVector, simulated: FloatVector) -> tuple[dict[str, float], int]:
    """Return the errors of single requests and how many have one; those whose measured time is 0 have none.

    Examples
    --------
    >>> errors, count = single_errors(np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 4.0]))
    >>> round(errors["distance"], 4), count
    (0.0714, 3)
    """
    known = ~(np.isnan(measured) | np.isnan(simulated)) & (measured > 0.0)
    if not known.any():
        return {}, 0
    sizes = np.abs(simulated[known] / measured[known] - 1.0)
    median, p90 = (float(value) for value in np.percentile(sizes, (50.0, 90.0)))
    # Both have one value a request, so the quantiles pair in order.
    apart = np.abs(np.sort(simulated[known]) - np.sort(measured[known]))
    distance = float(apart.mean() / measured[known].mean())
    return {"median_error": median, "p90_error": p90, "distance": distance}, int(known.sum())


def _rate(name: str, measured: Side, simulated: Side) -> Quantity | None:
    theirs, ours = getattr(measured, name), getattr(simulated, name)
    return None if theirs is None or ours is None else Quantity(name, {"mean": (theirs, ours)})


def _in_flight(measured: Side, simulated: Side) -> Quantity | None:
    means = [_mean_in_flight(side.requests) for side in (measured, simulated)]
    if means[0] is None or means[1] is None:
        return None
    return Quantity("in_flight", {"mean": (means[0], means[1])})


def _mean_in_flight(requests: RequestTimes | None) -> float | None:
    """Return the mean over the run, by Little's law."""
    if requests is None or np.isnan(requests.start_s).any():
        return None
    span = float(np.max(requests.start_s + requests.e2e_s) - np.min(requests.start_s))
    return float(requests.e2e_s.sum()) / span if span > 0.0 else None


def _series(measured: Side, simulated: Side) -> list[Quantity]:
    if measured.series is None or simulated.series is None:
        return []
    found = []
    for name, column in (("running", "running"), ("waiting", "waiting"), ("kv", "kv_ratio")):
        theirs, ours = (np.array(getattr(side.series, column)) for side in (measured, simulated))
        known = ~(np.isnan(theirs) | np.isnan(ours))
        if not known.any():
            continue
        theirs, ours = theirs[known], ours[known]
        figures = {"mean": (float(theirs.mean()), float(ours.mean()))}
        for percent in (50, 90):
            figures[f"p{percent}"] = (
                float(np.percentile(theirs, percent)),
                float(np.percentile(ours, percent)),
            )
        figures["max"] = (float(theirs.max()), float(ours.max()))
        mean = float(theirs.mean())
        errors = {"mean_error": float(np.abs(ours - theirs).mean()) / mean} if mean else {}
        found.append(Quantity(name, figures, errors, int(known.sum())))
    return found


def _regimes(measured: Side, simulated: Side) -> list[Regime]:
    """Return thirds by prompt length, and by requests in flight when each was sent."""
    theirs, ours = measured.requests, simulated.requests
    if theirs is None or ours is None or len(theirs.prompt_tokens) < FEWEST:
        return []
    properties = [("prompt", theirs.prompt_tokens, "tokens")]
    if not np.isnan(theirs.start_s).any():
        properties.append(("in flight", theirs.in_flight(), "requests"))
    found = []
    for name, values, unit in properties:
        low, high = np.quantile(values, (1.0 / 3.0, 2.0 / 3.0), method="inverted_cdf")
        for chosen in (values <= low, (values > low) & (values <= high), values > high):
            if not chosen.any() or chosen.all():
                continue
            label = f"{name} {values[chosen].min():g} to {values[chosen].max():g} {unit}"
            pairs = [_part(name_, theirs, ours, chosen) for name_ in ("ttft", "tpot", "e2e")]
            quantities = tuple(one for one in pairs if one is not None)
            found.append(Regime(label, int(chosen.sum()), quantities))
    return found


def _part(name: str, measured: RequestTimes, simulated: RequestTimes, chosen: FloatVector) -> Quantity | None:
    theirs, ours = measured.of(name)[chosen], simulated.of(name)[chosen]
    errors, count = single_errors(theirs, ours)
    if not count:
        return None
    known = ~(np.isnan(theirs) | np.isnan(ours))
    figures = {"mean": (float(theirs[known].mean()), float(ours[known].mean()))}
    return Quantity(name, figures, errors, count)


def _units(quantities: dict[str, Quantity]) -> list[str]:
    """Return a note for every mean that is as far off as a unit."""
    found = []
    for name, quantity in quantities.items():
        measured, simulated = quantity.figures.get("mean", (0.0, 0.0))
        size = max(measured, simulated) / max(1e-300, min(measured, simulated)) if measured > 0.0 else 0.0
        if UNIT / UNIT_WITHIN <= size <= UNIT * UNIT_WITHIN and not math.isinf(size):
            found.append(
                f"{LABELS[name]} is {measured:.4g} measured and {simulated:.4g} simulated, {size:.3g} times "
                "apart: is it in the unit that its name says?"
            )
    return found
