"""Tables as plain text, as wide as they need to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WIDEST: Final = 60
"""Widest cell that a column makes room for."""


def aligned(rows: Sequence[Sequence[str]], *, columns: Sequence[str] = ()) -> str:
    """Return `rows` with their columns aligned, each line ending without blanks.

    A cell wider than `WIDEST` pushes the rest of its own line only.

    Examples
    --------
    >>> print(aligned([("a", "1"), ("long", "2")], columns=("name", "n")))
    name  n
    a     1
    long  2
    """
    table = [tuple(columns), *rows] if columns else list(rows)
    if not table:
        return ""
    widths = [
        max((len(row[place]) for row in table if len(row[place]) <= WIDEST), default=0)
        for place in range(len(table[0]))
    ]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
