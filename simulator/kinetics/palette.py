"""One colour per model in all figures, those of the paper's claims and those of the studies."""

from __future__ import annotations

from typing import Final

from simulator.errors import UnknownNameError, suggest

ORDER: Final = ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b", "qwen3-14b", "qwen3-32b")
"""The dense models of the paper in the order of their colours, smallest first."""


def place_of(model: str) -> int:
    """Return the position of a model's colour (`Series.place`), the same in every figure.

    Raises
    ------
    UnknownNameError
        If the paper has no such dense model; names the nearest.

    Examples
    --------
    >>> place_of("qwen3-0.6b"), place_of("qwen3-32b")
    (0, 5)
    """
    if model not in ORDER:
        message = f"no colour for model {model!r}; {suggest(model, list(ORDER))}"
        raise UnknownNameError(message)
    return ORDER.index(model)
