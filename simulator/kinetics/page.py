"""The reproduction as one HTML file that opens without a network: the table of claims, then the figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from simulator.kinetics import figures
from simulator.kinetics.claims import HEADS, Finding, Sources, table
from simulator.report.html import POLICY, STYLE
from simulator.report.look import division, plotly_modules

TITLE: Final = "Kinetics (arXiv 2506.05333): published and ours"

WIDE: Final = (
    "td:last-child { white-space: normal; text-align: left; min-width: 320px; } td { vertical-align: top; }"
)
"""Conditions are sentences, not numbers."""


def page(findings: Sequence[Finding], sources: Sources) -> str:
    """Return the whole page.

    Parameters
    ----------
    findings : what became of each claim.
    sources : the curves that are drawn.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    plotly_modules()
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an optional package

    drawn = [
        ("long-cot", figures.long_cot(sources)),
        ("best-of-n", figures.best_of_n()),
        ("best-model", figures.best_model(sources)),
        ("cot-length", figures.cot_length(sources)),
        ("throughput", figures.throughput()),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{TITLE}</title><style>{STYLE}{WIDE}</style>",
            f"<script>{get_plotlyjs()}</script></head><body>",
            f"<h1>{TITLE}</h1>",
            '<p class="caption">The camera beside a figure saves it as PNG.</p>',
            *(
                text
                for name, figure in drawn
                for text in (
                    f"<h2>{escape(figures.TITLES[name])}</h2>",
                    f'<p class="caption">{escape(figures.CAPTIONS[name])}</p>',
                    division(figure, name),
                )
            ),
            "<h2>Claims</h2>",
            _table(findings),
            "</body></html>",
            "",
        ]
    )


def _table(findings: Sequence[Finding]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADS)
    rows = ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table(findings))
    return f'<div class="scroll"><table><tr>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>"
