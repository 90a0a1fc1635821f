"""The base of every component: parameters and behaviour in one frozen, validated object.

A component is its own configuration (``docs/decisions/0002-component-is-its-configuration.md``):
YAML maps straight onto it by ``kind``, unknown keys and wrong types are refused, and NaN, infinity
and absurd magnitudes are refused by the ranges below.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field


class FrozenModel(BaseModel):
    """A frozen value object that refuses unknown keys, wrong types, NaN and infinity.

    Field descriptions start with the unit in square brackets, for example ``"[tokens] ..."``;
    ``kinesim list`` and the reference tables are generated from them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=False,
    )


# Ranges that refuse typing errors (a bandwidth in GB/s, a length in characters) rather than
# express taste; each bound is beyond anything served today, and all but that of lengths ten times so.
MOST_TOKENS: Final = 9_999_999
"""Longest prompt, output or context accepted, tokens, inline, in traces and in results: ten million and more
are taken for a slip, such as a total in place of a mean."""

Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
TokensOrZero = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
CountOrZero = Annotated[int, Field(ge=0, le=10_000_000)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(gt=0.0, le=1e9)]
SecondsOrZero = Annotated[float, Field(ge=0.0, le=1e9)]
Dollars = Annotated[float, Field(ge=0.0, le=1e6)]

OneLine = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text without control characters: what is printed on a terminal must not steer it."""
