"""KV budgets that a strategy may give its trials."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from simulator.frozen import Tokens


def _ascending(budgets_tokens: tuple[int, ...]) -> tuple[int, ...]:
    if any(low >= high for low, high in pairwise(budgets_tokens)):
        wanted = list(dict.fromkeys(sorted(budgets_tokens)))
        message = f"KV budgets {list(budgets_tokens)} do not ascend; allowed: {wanted}"
        raise ValueError(message)
    return budgets_tokens


Ladder = Annotated[tuple[Tokens, ...], Field(strict=False, max_length=16), AfterValidator(_ascending)]
"""KV budgets in ascending order, tokens; empty: trials have the budget of the scenario's attention."""
