"""Results of benchmark tools, read into one form: who was asked for what, how fast, and how sure that is.

A tool is a file here with a `Reader` in `READERS`. Which GPU and engine ran is in none of these files;
who compares them with something says so.
"""

from __future__ import annotations

from simulator.measured.bench import BenchRun, Requests
from simulator.measured.in_flight import Known, first_token_seconds, requests_in_flight, token_seconds
from simulator.measured.reading import READERS, Reader, read_runs

__all__ = [
    "READERS",
    "BenchRun",
    "Known",
    "Reader",
    "Requests",
    "first_token_seconds",
    "read_runs",
    "requests_in_flight",
    "token_seconds",
]
