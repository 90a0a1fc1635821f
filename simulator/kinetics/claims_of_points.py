"""Claims about the paper's fits by cost, checked against the points that they were fitted to.

The growth per doubled cost that is printed follows from a printed exponent (`claims_of_memory`), which is no
evidence that the exponent is that of the points.  Here the points are fitted again: ten of tokens, and four
KV budgets, each the best over a range of costs (Qwen3-8B, AIME24, Best-of-N, top-k; digitised).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from simulator.kinetics.accuracy import published
from simulator.kinetics.claims import Claim, Sources
from simulator.kinetics.claims_of_cost import READ_RATIO
from simulator.kinetics.ratios import Fit, power_law

Numbers = NDArray[np.float64]
PRINTED: Final = 0.005
PERCENT: Final = 100.0


def fit_of_tokens(tera: Numbers) -> Numbers:
    """Return the published fit of the best tokens by cost in Tera-eFLOPs."""
    found: Numbers = 91.68 * tera**0.80
    return found


def fit_of_budget(tera: Numbers) -> Numbers:
    """Return the published fit of the best KV budget, tokens, by cost in Tera-eFLOPs."""
    found: Numbers = 81.77 * tera**0.25 - 212.0
    return found


def points() -> tuple[Numbers, Numbers]:
    """Return costs, Tera-eFLOPs, and best tokens, shape (10,) each."""
    found = published().optimum
    return np.array(found.tera_eflops), np.array(found.tokens)


def middles() -> tuple[Numbers, Numbers]:
    """Return the geometric middle of the costs of each observed budget, and the budget, shape (4,) each."""
    found = published().optimum
    ends = np.array([found.budget_from_tera_eflops, found.budget_to_tera_eflops])
    return np.sqrt(ends[0] * ends[1]), np.array(found.budget_tokens, dtype=np.float64)


def _refitted(fit: Fit) -> Callable[[Sources], float]:
    """Return the growth of tokens per doubled cost from the points."""
    return lambda _: float(2.0 ** power_law(*points(), fit=fit)[1])


def _off(_: Sources) -> float:
    """Return the largest difference of the published fit of tokens from its points, percent."""
    tera, tokens = points()
    return float(PERCENT * np.abs(fit_of_tokens(tera) / tokens - 1.0).max())


def _budgets_refitted(_: Sources) -> float:
    return float(2.0 ** power_law(*middles(), fit="log")[1])


def _nearest_budget(place: int) -> Callable[[Sources], float]:
    """Return the observed budget that the published fit is nearest to, by ratio, amid the costs of one."""

    def ours(_: Sources) -> float:
        tera, budgets = middles()
        fitted = float(fit_of_budget(tera)[place])
        return float(budgets[np.abs(np.log(budgets / fitted)).argmin()])

    return ours


_FITS: Final[tuple[tuple[str, Fit, str], ...]] = (
    ("logarithms", "log", "0.720"),
    ("tokens", "linear", "0.742"),
)
"""How the points may be fitted, in words and by name, and the exponent that this gives."""

REFITTED: Final = (
    *(
        Claim(
            "fits",
            f"doubled cost, AIME24: more tokens, from the ten points, fitted in {told}",
            1.74,
            "x",
            PRINTED,
            f"the points that 91.68 x^0.80 is of, digitised; exponent {exponent}",
            _refitted(fit),
            because="the points rise less steeply than the published fit; how that was fitted is not printed",
            by="curve",
        )
        for told, fit, exponent in _FITS
    ),
    Claim(
        "fits",
        "AIME24: largest difference of the published fit of tokens from its ten points",
        0.0,
        "%",
        PERCENT * READ_RATIO,
        "points read to 5 %",
        _off,
        "at most",
        because="the points scatter, from 35.7K to 26.8K tokens near 1,000 Tera-eFLOPs; their best power "
        "law, in logarithms, is off by 30 % at its worst",
        by="their own figures",
    ),
    Claim(
        "fits",
        "doubled cost, AIME24: larger KV budget, from the four observed budgets",
        1.18,
        "x",
        PRINTED,
        "power law in logarithms through 64, 128, 256 and 512, each amid the costs at which it was the best",
        _budgets_refitted,
        because="eight times the budget over 21 times the cost; 1.18 is the growth of budget + 212",
        by="curve",
    ),
    *(
        Claim(
            "fits",
            f"AIME24: budget by the published fit amid the costs at which {budget} was the best",
            budget,
            "tokens",
            0.0,
            f"81.77 x^0.25 - 212 is {fitted} there; ours: the observed budget nearest to that, by ratio",
            _nearest_budget(place),
            because=because,
            by="their own figures",
        )
        for place, (budget, fitted, because) in enumerate(
            (
                (64, 96, "the fit is above 80 tokens at all costs at which 64 was the best"),
                (128, 158, ""),
                (256, 229, ""),
                (512, 443, ""),
            )
        )
    ),
)
