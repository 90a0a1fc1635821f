"""Files of other tools, told apart by their content, so that a refusal can name them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

OBJECTS: Final = {
    "AIPerf, request by request": {"metadata", "metrics"},
    "AIPerf or GenAI-Perf": {"time_to_first_token", "input_config"},
    "InferenceX": {"hw", "framework", "precision"},
    "LLMServingSim": {"queued_ts", "first_token_ts"},
    "OpenTelemetry spans": {"resourceSpans"},
    "guidellm": {"benchmarks"},
    "kinesim calibrate": {"graph_batches", "decode_attention"},
    "the PyTorch profiler": {"traceEvents"},
}
"""Fields by which the objects of a tool are known."""

TEXTS: Final = {
    "# HELP ": "a server's /metrics, not a benchmark",
    "Metric,": "a table of AIPerf or GenAI-Perf",
    "sequences,": "a table of decode steps, which --from reads",
}
"""Beginnings of texts that are no JSON."""


def object_of(fields: Collection[str]) -> str | None:
    """Return the tool that writes objects with these fields, if one is known."""
    return next((tool for tool, marks in OBJECTS.items() if marks <= set(fields)), None)


def text_of(text: str) -> str | None:
    """Return what a text that is no JSON looks like, if that is known."""
    return next((what for start, what in TEXTS.items() if text.startswith(start)), None)
