"""How the tables of experts spread their tokens: what the GPU that was timed had to compute.

The timings were taken under a power law, with the ranks of expert parallelism arranged so that the timed
one has the most rows. As the tables' collector describes it (aiconfigurator, ``collector/helper.py``):
popularities are drawn from a power law between 1 and 0.8 times the tokens, or between 0.01 and 2 where there
are no more rows than experts; rows in proportion to them are rounded and held to one per token; what
rounding lost goes to the experts with the fewest rows, what it added is taken from those with the most,
one rank after the other.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from simulator.calibrate.fitting import Vector

ALPHA: Final = 1.01
DRAWS: Final = 8
"""Draws that are averaged."""

Load = tuple[float, float]
"""Distinct experts that are reached and rows that they compute, on the busiest rank."""


@cache
def power_law_load(count: int, active: int, tokens: int, ranks: int) -> Load:
    """Return the mean load of the busiest of `ranks`, the same on every machine.

    Parameters
    ----------
    count, active : experts, and how many a token is sent to.
    tokens : tokens of the step.
    ranks : GPUs of expert parallelism.

    Examples
    --------
    >>> power_law_load(128, 8, 1, 1)
    (8.0, 8.0)
    """
    random = np.random.Generator(np.random.PCG64([count, active, tokens, ranks]))
    loads = [_draw(random.random(count), active, tokens, ranks) for _ in range(DRAWS)]
    distinct, rows = np.mean(loads, axis=0)
    return float(distinct), float(rows)


def _draw(uniform: Vector, active: int, tokens: int, ranks: int) -> Load:
    low, high = (1.0, 0.8 * tokens) if tokens * active > len(uniform) else (0.01, 2.0)
    power = 1.0 - ALPHA
    popularity = (low**power + (high**power - low**power) * uniform) ** (1.0 / power)
    wanted = tokens * active
    rows = np.round(popularity / popularity.sum() * wanted).clip(max=tokens).reshape(ranks, -1)
    missing, rank = int(wanted - rows.sum()), 0
    step = 1 if missing > 0 else -1
    while missing:
        own = rows[rank % ranks]
        expert = own.argmin() if missing > 0 else own.argmax()
        if 0 <= own[expert] + step <= tokens:
            own[expert] += step
            missing -= step
        rank += 1
    busiest = rows[rows.sum(axis=1).argmax()]
    return float((busiest > 0).sum()), float(busiest.sum())
