"""The least cost at a solving rate, over settings of a strategy and mixtures of two.

Settings solve different shares of the tasks, so they cannot be compared one by one.  A mixture gives one
part of the tasks one setting and the rest another, at random: cost and solving rate lie between the two.
To leave a part of the tasks alone costs nothing and solves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import nan
from typing import Final, NamedTuple


class Spent(NamedTuple):
    """What a setting spends on a task and what part of the tasks it solves.

    Parameters
    ----------
    cost : of a task on average, any unit.
    rate : solving rate, from 0 to 1.
    """

    cost: float
    rate: float


class Mixture(NamedTuple):
    """One setting for a part of the tasks, another for the rest.

    Parameters
    ----------
    low, high : positions of the settings; None leaves tasks alone.
    share : part of the tasks that get `high`, from 0 to 1.
    """

    low: int | None
    high: int | None
    share: float

    def of(self, settings: Sequence[Spent]) -> Spent:
        """Return what it spends and solves where the settings do what is given."""
        low, high = (_LEFT_ALONE if one is None else settings[one] for one in (self.low, self.high))
        return Spent(
            low.cost + self.share * (high.cost - low.cost), low.rate + self.share * (high.rate - low.rate)
        )


_LEFT_ALONE: Final = Spent(0.0, 0.0)


def cheapest(settings: Sequence[Spent], rate: float) -> Mixture | None:
    """Return the mixture that costs least at a solving rate; None where none reaches it."""
    rates = {None: 0.0} | {place: one.rate for place, one in enumerate(settings)}
    found = [
        Mixture(low, high, _share(rates[low], rates[high], rate))
        for low, high in product(rates, rates)
        if rates[low] <= rate <= rates[high]
    ]
    return min(found, key=lambda one: one.of(settings).cost, default=None)


def least_cost(settings: Sequence[Spent], rate: float) -> float:
    """Return the least mean cost of a task at a solving rate; NaN where no mixture reaches it.

    Examples
    --------
    >>> least_cost([Spent(2.0, 0.5), Spent(6.0, 0.7)], 0.6)
    4.0
    >>> least_cost([Spent(2.0, 0.5), Spent(6.0, 0.7)], 0.25)
    1.0
    """
    mixture = cheapest(settings, rate)
    return nan if mixture is None else mixture.of(settings).cost


def _share(low: float, high: float, rate: float) -> float:
    """Return how far `rate` is from `low` to `high`; where they are one, either will do."""
    return 0.0 if high == low else (rate - low) / (high - low)
