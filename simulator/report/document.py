"""Charts and tables under headings as one HTML file that opens without a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from simulator.report.chart import Chart
from simulator.report.chart_page import figure_of
from simulator.report.html import POLICY, STYLE
from simulator.report.look import division, plotly_modules

WIDE: Final = (
    "td { white-space: normal; vertical-align: top; } td:nth-child(2) { text-align: left; } "
    "td:last-child { text-align: left; min-width: 320px; }"
)
"""For tables whose last column holds sentences."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, paragraphs, charts and tables."""

    title: str
    paragraphs: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()


def document(title: str, sections: Iterable[Section], *, style: str = "") -> str:
    """Return the whole page.

    Parameters
    ----------
    title : of the page.
    sections : in order.
    style : CSS beside the common one.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    told = '<p class="caption">The camera beside a figure saves it as PNG.</p>'
    return framed(title, [told, *(line for section in sections for line in _section(section))], style=style)


def framed(title: str, body: Iterable[str], *, style: str = "") -> str:
    """Return a page of lines of HTML, with its policy, the common look and plotly.js inside.

    Parameters
    ----------
    title : of the page, as text; also its heading.
    body : what follows the heading.
    style : CSS beside the common one.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    plotly_modules()
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an optional package

    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}{style}</style>",
            f"<script>{get_plotlyjs()}</script></head><body>",
            f"<h1>{escape(title)}</h1>",
            *body,
            "</body></html>",
            "",
        ]
    )


def _section(section: Section) -> list[str]:
    lines = [f"<h2>{escape(section.title)}</h2>"]
    lines += [f"<p>{escape(paragraph)}</p>" for paragraph in section.paragraphs]
    for chart in section.charts:
        if chart.title != section.title:
            lines.append(f"<h3>{escape(chart.title)}</h3>")
        lines.append(f'<p class="caption">{escape(chart.caption)}</p>')
        lines.append(division(figure_of(chart), chart.name))
    return lines + [table_of(table) for table in section.tables]


def table_of(table: Table) -> str:
    """Return a table as HTML."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.heads)
    rows = ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'<div class="scroll"><table><tr>{head}</tr>\n' + "\n".join(rows) + "\n</table></div>"
