"""A commented scenario to start from."""

from __future__ import annotations

from pathlib import Path


def template(name: str) -> str:
    """Return the text of a scenario called `name`, a comment beside every choice; it loads as it is."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    return text.replace("name: {name}", f"name: {_quoted(name)}").replace("{name}", name)


def _quoted(name: str) -> str:
    """Return `name` so that YAML reads it as text."""
    return name if name.replace("-", "").replace("_", "").isalpha() else "'" + name.replace("'", "''") + "'"
