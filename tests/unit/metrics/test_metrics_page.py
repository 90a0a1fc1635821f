"""docs/metrics.md defines every figure that a table shows, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.metrics.measures import MEASURES

PERCENTILES = re.compile(r"(latency\.\w+)\.(mean|p50|p90|p95|p99|max)")
NAMED = re.compile(r"`((?:throughput|goodput|quality|latency|load|energy|cost)\.[\w.]+)`")


def named(page: str) -> set[str]:
    """Return the figures that a page names; ``.p95`` after a figure stands for its sibling."""
    found: set[str] = set()
    for line in page.splitlines():
        last = ""
        for name in re.findall(r"`([\w.]+)`", line):
            full = f"{last.rpartition('.')[0]}{name}" if name.startswith(".") else name
            found.add(full)
            last = full if "." in full else last
    return found


def test_every_figure_of_the_tables_is_defined(root: Path) -> None:
    page = named((root / "docs" / "metrics.md").read_text(encoding="utf-8"))
    shown = {PERCENTILES.sub(r"\1", measure.path) for measure in MEASURES}
    assert shown - page == set()


def test_no_figure_is_defined_that_does_not_exist(root: Path) -> None:
    page = (root / "docs" / "metrics.md").read_text(encoding="utf-8")
    shown = {PERCENTILES.sub(r"\1", measure.path) for measure in MEASURES}
    assert set(NAMED.findall(page)) - shown == {"quality.coverage"}
