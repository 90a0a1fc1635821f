"""Workload traces as their owners publish them, read into one form: who asked for how much, when.

A format is a file here with a `Reader` in `READERS`.  It says by what it knows a file (header or first
lines, never the name), reads it in chunks into arrays, and says what it left out and why.  Everything
after that (statistics, conversion, windows, scenarios) knows `Trace` alone.

Simulated from a trace are its arrivals, prompts, outputs, what prompts begin with in common, and sub-requests
that follow others.
"""

from __future__ import annotations

from workloads.traces.cutting import window
from workloads.traces.reading import FORMATS, READERS, read, read_window
from workloads.traces.seam import Head, Reader, Reading
from workloads.traces.table import PrefixBlocks, Trace

__all__ = [
    "FORMATS",
    "READERS",
    "Head",
    "PrefixBlocks",
    "Reader",
    "Reading",
    "Trace",
    "read",
    "read_window",
    "window",
]
