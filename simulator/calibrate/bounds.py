"""Numbers of a fit that ended at a bound, in words: with what would settle each of them.

Such a number is no measurement: what was measured asks for less or more than can be, because another number
took its share, because too little of it was in the measurements, or because something else ran.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.calibrate.steps import BLOCK_RATES
from simulator.calibrate.unknowns import bounds_of, fastest_read
from simulator.hardware import Calibration
from simulator.hardware.calibration import Fitted

SETTLED_BY: Final = {
    "kernel_ratio": "few sequences with short contexts beside many, so that products are most of the time",
    "attention_ratio": "many sequences with long contexts beside short ones",
    "allreduce_ratio": "several numbers of GPUs, and many sequences at once",
    "prompt_ratio": "more prompt tokens, of several lengths",
    "layer_s": "models of several depths",
    "step_s": "one sequence with a short context",
    "sequence_s": "many sequences with short contexts",
    "block_bytes_per_s": "few sequences of which one is much longer than the others",
}
"""Measurements that tell a number from the others, by what it is multiplied with in a step."""


ROUNDING: Final = 2e-3
"""Of fitted numbers, which are kept to four digits."""

BAD_MEDIAN: Final = 0.25
"""Median error on what a user's fit has not seen from which it is no description of the server; that of the
shipped fits to serving runs is at most 12 %."""


def own_warnings(calibration: Calibration) -> list[str]:
    """Return what is doubtful of a user's own fit, a sentence each.

    Parameters
    ----------
    calibration : fitted to steps or benchmark results.
    """
    return [*_far_off(calibration), *_beyond_the_memory(calibration), *own_bounds(calibration)]


def _beyond_the_memory(calibration: Calibration) -> list[str]:
    """Return a sentence where decode attention would read faster than the data sheet, as one factor may."""
    if calibration.serving is None:
        return []
    ratio = fastest_read(calibration) / calibration.serving.attention_ratio
    if ratio <= 1.0 + ROUNDING:
        return []
    told = (
        f"decode attention would read {ratio:.2f} times as fast as the data sheet of {calibration.gpu} "
        "allows: is it another GPU, or another model or format?"
    )
    return [told]


def _far_off(calibration: Calibration) -> list[str]:
    """Return a sentence where the fit misses what it has not seen."""
    by = calibration.serving.fitted if calibration.serving else None
    if by is None or by.median_error_ratio is None or by.median_error_ratio <= BAD_MEDIAN:
        return []
    told = (
        f"the fit is {by.median_error_ratio:.0%} off in the median on the {by.held_out_rows} measurements "
        "that it has not seen: they contradict one another, or another GPU, engine, model or format ran"
    )
    return [told]


def own_bounds(calibration: Calibration) -> list[str]:
    """Return a sentence for each number of a user's own fit that ended at a bound.

    Parameters
    ----------
    calibration : fitted to steps or benchmark results; its kernel numbers are others' and are left out.
    """
    return [
        f"{name} is {number:.4g}{_unit(name)}, the {end} that the fit allows ({allowed}): not measured. "
        f"Measure {SETTLED_BY[name]}; or is it another GPU, engine, model or format?"
        for name, number, end, allowed in _of_own(calibration)
    ]


def _of_own(calibration: Calibration) -> Iterator[tuple[str, float, str, str]]:
    serving, split = calibration.serving, calibration.split
    if serving is not None:
        bounds = bounds_of(calibration)
        for name, end in serving.fitted.at_bound.items():
            yield name, float(getattr(serving, name)), end, _range(*bounds[name], name)
    if split is not None:
        for name, end in split.fitted.at_bound.items():
            yield name, split.block_bytes_per_s, end, _range(BLOCK_RATES[0], BLOCK_RATES[-1], name)


def _range(least: float, most: float, name: str) -> str:
    return f"{least:.4g} to {most:.4g}{_unit(name)}"


def _unit(name: str) -> str:
    """Return the unit that ends a name, as it is written behind a number."""
    return " bytes/s" if name.endswith("_bytes_per_s") else " s" if name.endswith("_s") else ""


def table_bounds(fits: list[tuple[str, str, Fitted]]) -> list[str]:
    """Return a sentence for each operation of public tables of which numbers ended at a bound.

    Parameters
    ----------
    fits : operation, what of it, and its provenance.
    """
    return [
        f"{' '.join(filter(None, (name, of)))}: at a bound of the fit, so not measured: {by.bounds_told()}; "
        "timings of other shapes or loads would tell"
        for name, of, by in fits
        if by.at_bound
    ]
