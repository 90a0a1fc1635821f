"""Metrics: pure functions from the integer records of runs to numbers (``docs/metrics.md``)."""

from __future__ import annotations

from simulator.metrics.compare import compare_runs
from simulator.metrics.headline import headline
from simulator.metrics.summary import summarise

__all__ = ["compare_runs", "headline", "summarise"]
