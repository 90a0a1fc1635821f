"""Times and rates that no server has: most likely the unit is another one, and then the user is asked.

Nothing is turned into another unit here; a factor of 1000 between two fields of one file is found by
`agreement` and `summaries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

Fault = Callable[[str, str], None]
"""Called with the name of a field and what is wrong with it."""


def doubt(quantity: str, value: float | None, *, only_most: bool = False) -> str | None:
    """Return what to ask about a value, or None where it is plausible, 0 or not known.

    Examples
    --------
    >>> doubt("ttft", 4e4)
    '40000 s is not in [0.0001, 10000] s: is it in another unit than its name says? write it in that'
    >>> doubt("ttft", 0.3)
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
    asked = "is it in another unit than its name says? write it in that"
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
