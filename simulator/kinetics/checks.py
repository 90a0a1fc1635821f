"""Checks of what is given to the closed forms: whole numbers, positive numbers, words of a choice."""

from __future__ import annotations

import math
from typing import Any, get_args

from simulator.errors import SimulatorError, suggest


def check_whole(name: str, value: int, *, least: int) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises
    ------
    SimulatorError
        With what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        message = f"{name} {value!r}; allowed: a whole number, {least} or more"
        raise SimulatorError(message)


def check_positive(name: str, value: float) -> None:
    """Refuse what is no positive number.

    Raises
    ------
    SimulatorError
        With what is allowed.
    """
    if not 0.0 < value < math.inf:
        message = f"{name} {value!r}; allowed: a number above 0"
        raise SimulatorError(message)


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
