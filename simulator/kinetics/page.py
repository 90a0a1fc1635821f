"""The reproduction as one HTML file that opens without a network: figures, then the table of claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.kinetics.claims import HEADS, WEIGHT, Finding, summary_line, table
from simulator.report.chart import Chart
from simulator.report.document import WIDE, Section, Table, document

TITLE: Final = "Kinetics (arXiv 2506.05333): published and ours"

STYLE: Final = f"{WIDE} th:nth-child(2), th:nth-child(n+5), td:nth-child(n+5) {{ text-align: left; }}"
"""Columns of words to the left: claim, verdict and what follows."""


def page(findings: Sequence[Finding], charts: Sequence[Chart]) -> str:
    """Return the whole page.

    Parameters
    ----------
    findings : what became of each claim.
    charts : the figures.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    sections = [Section(chart.title, charts=[chart]) for chart in charts]
    claims = Section("Claims", [summary_line(findings), WEIGHT], tables=[Table(HEADS, table(findings))])
    return document(TITLE, [*sections, claims], style=STYLE)
