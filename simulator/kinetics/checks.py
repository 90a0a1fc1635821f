"""Checks of what is given to the closed forms: whole numbers, positive numbers, words of a choice.

Numbers of numpy are as good as Python's, and are turned into them: theirs overflow and round earlier.  Truth
values and texts are no numbers.
"""

from __future__ import annotations

import math
from typing import Any, Final, get_args

import numpy as np

from simulator.errors import SimulatorError, suggest

_WHOLE: Final = (int, np.integer)
_NUMBER: Final = (*_WHOLE, float, np.floating)


def is_whole(value: object) -> bool:
    """Return whether `value` is a whole number of Python or numpy."""
    return isinstance(value, _WHOLE) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Return whether `value` is a real number of Python or numpy, infinite or none included."""
    return isinstance(value, _NUMBER) and not isinstance(value, bool)


def check_whole(name: str, value: int, *, least: int) -> int:
    """Return `value` as a whole number of Python, `least` or more.

    Raises
    ------
    SimulatorError
        If it is none, with what is allowed.
    """
    if not is_whole(value) or value < least:
        message = f"{name} {value!r}; allowed: a whole number, {least} or more"
        raise SimulatorError(message)
    return int(value)


def check_positive(name: str, value: float) -> float:
    """Return `value` as a number of Python, above 0 and finite.

    Raises
    ------
    SimulatorError
        If it is none, with what is allowed.
    """
    if not is_number(value) or not 0.0 < value < math.inf:
        message = f"{name} {value!r}; allowed: a number above 0"
        raise SimulatorError(message)
    return float(value)


def check_word(name: str, value: str, choice: Any) -> None:  # noqa: ANN401 - a Literal is no type
    """Refuse a word that is not one of `choice`, a Literal.

    Raises
    ------
    SimulatorError
        With the nearest word and all that are allowed.
    """
    if value not in get_args(choice):
        message = f"unknown {name} {value!r}; {suggest(str(value), get_args(choice))}"
        raise SimulatorError(message)
