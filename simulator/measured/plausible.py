"""Times and rates that no server has: most likely the unit is another one, and then the user is asked.

Nothing is turned into another unit here; a factor of 1000 between two fields of one file is found by
`agreement` and `summaries`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from simulator.measured.bench import BenchRun


class Range(NamedTuple):
    """What is plausible, in s, tokens, tokens/s or requests/s."""

    least: float
    most: float
    unit: str


RANGES: Final = {
    "ttft": Range(1e-4, 1e4, "s"),
    "tpot": Range(5e-5, 10.0, "s"),
    "itl": Range(5e-5, 10.0, "s"),
    "e2e": Range(1e-4, 1e5, "s"),
    "output_tokens_per_s": Range(1e-6, 1e8, "tokens/s"),
    "requests_per_s": Range(1e-9, 1e6, "requests/s"),
    "prompt_tokens": Range(0.0, 9_999_999, "tokens"),
    "output_tokens": Range(0.0, 9_999_999, "tokens"),
}
"""Assumed: bounds beyond all public results (times per token of 0.3 ms to 1 s, first tokens of 10 ms to some
minutes), near enough that milliseconds taken for seconds, or the reverse, are outside in most files."""

RIGHT_OPTION: Final = "--units-are-right"
"""How a user says that values beyond `RANGES` are meant."""

_RIGHT: Final = ContextVar("units_are_right", default=False)

Fault = Callable[[str, str], None]
"""Called with the name of a field and what is wrong with it."""


@contextmanager
def units(*, right: bool) -> Iterator[None]:
    """Take times and rates as they are within this, where the user has said that their units are right.

    It is said once for a file and asked in every reader, row by row: no reader has to hand it on.
    """
    before = _RIGHT.set(right)
    try:
        yield
    finally:
        _RIGHT.reset(before)


def doubt(quantity: str, value: float | None, *, only_most: bool = False) -> str | None:
    """Return what to ask about a value, or None where it is plausible, 0 or not known.

    Lengths that no model takes are asked for whatever is said of units.

    Examples
    --------
    >>> doubt("ttft", 4e4).partition(": ")[0]
    '40000 s is not in [0.0001, 10000] s'
    >>> doubt("ttft", 0.3)
    >>> with units(right=True):
    ...     doubt("ttft", 4e4)
    """
    range_ = RANGES[quantity]
    if not value or value != value:  # noqa: PLR0124 - NaN differs from itself
        return None
    if value <= range_.most and (only_most or value >= range_.least):
        return None
    allowed = f"[{range_.least:g}, {range_.most:g}] {range_.unit}"
    if range_.unit == "tokens":
        told = f"{value:.9g} tokens are more than {range_.most:.9g}, which no model takes"
        return f"{told}: is it the total? mend it"
    if _RIGHT.get():
        return None
    asked = f"is it in another unit than its name says? write it in that; if it is right, say {RIGHT_OPTION}"
    return f"{value:.6g} {range_.unit} is not in {allowed}: {asked}"


def check_plausible(run: BenchRun, names: Mapping[str, str], fault: Fault) -> None:
    """Note the means and rates of a run that no server has.

    Parameters
    ----------
    run : as read.
    names : of the fields, by the names in `RANGES`.
    fault : notes one.
    """
    means = {"ttft": run.ttft_s, "tpot": run.tpot_s, "itl": run.itl_s, "e2e": run.e2e_s}
    means |= {"prompt_tokens": run.prompt_tokens, "output_tokens": run.output_tokens}
    means |= {"output_tokens_per_s": run.output_tokens_per_s, "requests_per_s": run.requests_per_s}
    for quantity, value in means.items():
        asked = doubt(quantity, value)
        if asked:
            fault(names.get(quantity, quantity), asked)
