"""Rates that no server has seen: most likely the times are of another unit, and then the user is asked."""

from __future__ import annotations

from typing import Final

from workloads.traces.table import Trace

LEAST_ROWS: Final = 50
"""Requests below which a rate says nothing: three requests may be days apart, or made up."""

LEAST_RATE_PER_S: Final = 1e-2
MOST_RATE_PER_S: Final = 1e3
"""Assumed: public traces have 0.06 to 75 requests/s, so that a factor of 1000 is outside in most cases."""


def doubt(trace: Trace) -> str | None:
    """Return what to ask about the times of a trace, or None where they are plausible.

    Examples
    --------
    >>> import numpy as np
    >>> doubt(Trace("kinesim", np.arange(100) * 90.0)) is None
    True
    >>> doubt(Trace("kinesim", np.arange(100) * 3000.0))
    '100 requests over 297000 s are 0.0003367 a second, fewer than any trace has: is the unit of time right?'
    """
    own = trace.own_arrivals_s
    span_s = float(own[-1] - own[0]) if len(own) else 0.0
    if len(own) < LEAST_ROWS or not span_s:  # all at once is a load of its own
        return None
    rate = len(own) / span_s
    if LEAST_RATE_PER_S <= rate <= MOST_RATE_PER_S:
        return None
    size = "fewer" if rate < LEAST_RATE_PER_S else "more"
    told = f"{len(own):,} requests over {span_s:.6g} s are {rate:.4g} a second, {size} than any trace has"
    return f"{told}: is the unit of time right?"
