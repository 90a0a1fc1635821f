"""A commented scenario to start from."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote

from simulator.errors import SimulatorError

LONGEST_NAME = 200
"""Longest name of a scenario, characters."""


def template(name: str) -> str:
    """Return the text of a scenario called `name`, a comment beside every choice; it loads as it is.

    Raises
    ------
    SimulatorError
        If `name` is empty, too long, begins with ``-``, or has characters that cannot be printed.
    """
    if not name.strip(".") or name.startswith("-") or len(name) > LONGEST_NAME or not name.isprintable():
        message = (
            f"{name!r} cannot name a scenario: give 1 to {LONGEST_NAME} printable characters, "
            "the first of them not a minus sign"
        )
        raise SimulatorError(message)
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    before, marker, after = text.partition("name: {name}")
    quoted = json.dumps(name, ensure_ascii=False)  # YAML reads what JSON quotes, and always as text
    return before.replace("{file}", quote(f"{name}.yaml")) + marker.replace("{name}", quoted) + after
