"""Results of benchmark tools, read into one form: who was asked for what, how fast, and how sure that is.

A tool is a file here with a `Reader` in `READERS`, or in `TEXT_READERS` where it writes no JSON. Which GPU
and engine ran is in few of these files; who compares them with something says so.
"""

from __future__ import annotations

from simulator.measured.bench import BenchRun, Requests, Series
from simulator.measured.in_flight import Known, first_token_seconds, requests_in_flight, token_seconds
from simulator.measured.reading import READERS, TEXT_READERS, Reader, read_measured, read_runs
from simulator.measured.statistics import Statistics, statistics_of

__all__ = [
    "READERS",
    "TEXT_READERS",
    "BenchRun",
    "Known",
    "Reader",
    "Requests",
    "Series",
    "Statistics",
    "first_token_seconds",
    "read_measured",
    "read_runs",
    "requests_in_flight",
    "statistics_of",
    "token_seconds",
]
