"""A simulated run written in the format of a tool, so that what reads the tool's files reads it too.

One module a format; `simulator.emit.requests` says what of a run a list of requests can hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from simulator.api import Result
from simulator.emit import aiperf, own_form, vllm_bench
from simulator.emit.requests import Served, served_by

__all__ = ["FORMATS", "Format", "Served", "served_by"]


@dataclass(frozen=True, slots=True)
class Format:
    """A format in which a run can be written.

    Parameters
    ----------
    file : name that its files have by themselves.
    about : what it is, in a few words.
    text : returns the file in pieces, from a run and its requests.
    """

    file: str
    about: str
    text: Callable[[Result, Served], Iterator[str]]


FORMATS: Final = {
    "vllm-bench": Format(
        "vllm-bench.json", "vllm bench serve --save-result --save-detailed", vllm_bench.text
    ),
    "aiperf": Format("profile_export.jsonl", "AIPerf's records, a line a request", aiperf.text),
    "csv": Format("requests.csv", "our own form, a row a request", own_form.text),
}
"""Formats by the name that ``--emit`` knows them by."""
