"""The least cost at a solving rate, over settings of a strategy and mixtures of two.

Settings solve different shares of the tasks, so they cannot be compared one by one.  A mixture gives one
part of the tasks one setting and the rest another, at random: cost and solving rate lie between the two.
To leave a part of the tasks alone costs nothing and solves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import nan
from typing import NamedTuple


class Spent(NamedTuple):
    """What a setting spends on a task and what part of the tasks it solves.

    Parameters
    ----------
    cost : of a task on average, any unit.
    rate : solving rate, from 0 to 1.
    """

    cost: float
    rate: float


def least_cost(settings: Iterable[Spent], rate: float) -> float:
    """Return the least mean cost of a task at a solving rate; NaN where no mixture reaches it.

    Examples
    --------
    >>> least_cost([Spent(2.0, 0.5), Spent(6.0, 0.7)], 0.6)
    4.0
    >>> least_cost([Spent(2.0, 0.5), Spent(6.0, 0.7)], 0.25)
    1.0
    """
    points = [Spent(0.0, 0.0), *settings]
    found = [
        _mixed(low, high, rate) for low, high in product(points, points) if low.rate <= rate <= high.rate
    ]
    return min(found, default=nan)


def _mixed(low: Spent, high: Spent, rate: float) -> float:
    if high.rate == low.rate:
        return min(low.cost, high.cost)
    share = (rate - low.rate) / (high.rate - low.rate)
    return low.cost + share * (high.cost - low.cost)
