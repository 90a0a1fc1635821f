"""Units of the simulation clock and the bounds that keep quantities sane.

Inside the code every quantity is in SI base units and says so in its name (``_s``, ``_bytes``,
``_flops_per_s``, ...).  The clock alone counts integer nanoseconds, so that sums are exact and do
not depend on their order (``docs/decisions/0001-integer-nanosecond-clock.md``).
"""

from __future__ import annotations

from typing import Final

NS_PER_S: Final = 1_000_000_000
"""Nanoseconds in a second."""

SECONDS_PER_HOUR: Final = 3600.0
"""Seconds in an hour, for prices quoted per hour."""

JOULES_PER_KWH: Final = 3.6e6
"""Joules in a kilowatt hour, for prices and carbon quoted per kWh."""


def to_ns(seconds: float) -> int:
    """Return `seconds` as whole nanoseconds, halves rounded to even.

    Parameters
    ----------
    seconds : a duration or a time, s.

    Examples
    --------
    >>> to_ns(1.5e-6)
    1500
    """
    return round(seconds * NS_PER_S)


def to_s(nanoseconds: int) -> float:
    """Return `nanoseconds` as seconds.

    Examples
    --------
    >>> to_s(1_500_000_000)
    1.5
    """
    return nanoseconds / NS_PER_S
