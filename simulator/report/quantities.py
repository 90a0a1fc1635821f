"""Numbers for people: one unit for a whole row, four digits, thousands separated.

Nothing here is used to calculate: inside the code quantities stay in SI base units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from simulator.metrics.measures import Unit

MISSING: Final = "-"
"""What stands for a figure that is undefined."""

LADDERS: Final[Mapping[Unit | Literal["bytes", "flops_per_s"], tuple[tuple[float, str], ...]]] = (
    MappingProxyType(
        {
            "per_s": ((1.0, ""),),
            "ratio": ((0.01, "%"),),
            "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
            "tokens_per_s": ((1.0, ""),),
            "tokens": ((1.0, ""),),
            "joules": ((1e6, "MJ"), (1e3, "kJ"), (1.0, "J"), (1e-3, "mJ")),
            "watts": ((1.0, "W"),),
            "kg_co2e": ((1.0, "kg CO2e"), (1e-3, "g CO2e"), (1e-6, "mg CO2e")),
            "usd": ((1.0, "USD"), (1e-2, "US cents")),
            "count": ((1.0, ""),),
            "eflops": ((1e12, "tera"), (1e9, "giga"), (1.0, "")),
            "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
            "flops_per_s": ((1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1.0, "FLOP/s")),
        }
    )
)
"""Units that people read, by SI unit, the largest first."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What to divide by, and the unit to write."""

    divisor: float
    unit: str


def scale_of(values: Iterable[float | None], unit: str) -> Scale:
    """Return the largest unit in which the largest of `values` is at least 1.

    Examples
    --------
    >>> scale_of([0.25, 0.003, None], "s")
    Scale(divisor=0.001, unit='ms')
    """
    ladder = next(steps for name, steps in LADDERS.items() if name == unit)
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    for divisor, name in ladder:
        if largest >= divisor:
            return Scale(divisor, name)
    return Scale(*ladder[0 if largest == 0.0 else -1])


def digits(value: float | None, count: int = 4) -> str:
    """Return `value` with `count` digits that matter, at most three below 0.1; whole numbers in full.

    Examples
    --------
    >>> digits(0.19630), digits(219.048), digits(24643.57), digits(8.0), digits(0.0098765), digits(None)
    ('0.1963', '219.0', '24,644', '8', '0.00988', '-')
    """
    if value is None:
        return MISSING
    if abs(value) >= 10.0 ** (count - 1) or value == int(value):
        return f"{value:,.0f}"
    return f"{value:#.{count if abs(value) >= 0.1 else min(count, 3)}g}"  # noqa: PLR2004 - narrow columns


def written(value: float | None, unit: str) -> str:
    """Return a single quantity with its unit.

    Examples
    --------
    >>> written(0.0066, "s"), written(1.5e9, "bytes"), written(0.5, "ratio")
    ('6.600 ms', '1.500 GB', '50 %')
    """
    if value is None:
        return MISSING
    scale = scale_of([value], unit)
    return f"{digits(value / scale.divisor)} {scale.unit}".rstrip()
