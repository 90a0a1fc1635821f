"""Files of other tools, told apart by their content, so that a refusal can name them."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

OBJECTS: Final = {
    "OpenTelemetry spans, which is not read yet": {"resourceSpans"},
    "kinesim calibrate, which is not read yet": {"graph_batches", "decode_attention"},
    "a trace, which holds no requests: kinesim trace shows those of the PyTorch profiler": {"traceEvents"},
}
"""What objects look like, and the fields by which they are known."""

TEXTS: Final = {
    "# HELP ": "a server's /metrics, not a benchmark",
    "sequences,": "a table of decode steps, which --from reads",
}
"""Beginnings of texts that are no JSON."""


def object_of(fields: Collection[str]) -> str | None:
    """Return what objects with these fields look like, if that is known."""
    return next((tool for tool, marks in OBJECTS.items() if marks <= set(fields)), None)


def text_of(text: str) -> str | None:
    """Return what a text that is no JSON looks like, if that is known."""
    known = next((what for start, what in TEXTS.items() if text.startswith(start)), None)
    semicolons = ";" in text.partition("\n")[0]
    return known or ("a table of columns separated by semicolons" if semicolons else None)


def array_of(text: str, name: str) -> str | None:
    """Return what to do with a JSON array; None where a text is none.

    Parameters
    ----------
    text : of the file, without blanks before it.
    name : of the file.
    """
    if not text.startswith("["):
        return None
    try:
        size = f" of {len(json.loads(text))}"
    except (ValueError, RecursionError):  # cut, or nested too deep
        size = ""
    return (
        f"is a JSON array{size}; runs stand one after the other, each an object in braces: "
        f"jq -c '.[]' {name} > runs.jsonl makes it so"
    )
