"""Tables as plain text, as wide as they need to be."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, columns: Sequence[str] = ()) -> str:
    """Return `rows` with their columns aligned, each line ending without blanks.

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
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
