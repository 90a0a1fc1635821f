"""A comparison as one HTML file that opens without a network: plotly.js is inside it, once.

A content security policy forbids the page every request, so that it stays what it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from simulator.api import Comparison
from simulator.report import figures
from simulator.report.look import division, plotly_modules
from simulator.report.rows import (
    Row,
    conservation_lines,
    measure_rows,
    note_lines,
    part_rows,
    plan_rows,
    ratio_rows,
    setting_line,
)
from simulator.report.timeline import BINS

POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""What the page may do: run what is in it, ask nobody for anything."""

STYLE: Final = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1180px; padding: 24px 28px 60px; background: #fff; color: #1b1f24;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 17px; font-weight: 600; margin: 0 0 4px; color: #57606a; }
h2 { font-size: 19px; margin: 40px 0 8px; }
p.answer { font-size: 23px; line-height: 1.35; margin: 8px 0 14px; }
p.setting, p.caption, td.unit { color: #57606a; }
p.caption { margin: 4px 0; max-width: 90ch; }
ul.notes { border-left: 4px solid #d97706; background: #fff8eb; padding: 10px 14px 10px 32px;
  margin: 16px 0; }
div.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 14px 3px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid #e3e6ea; }
th:first-child, td:first-child { text-align: left; }
th { white-space: normal; max-width: 210px; overflow-wrap: anywhere; vertical-align: bottom; }
th.group { max-width: none; padding-top: 16px; color: #57606a; font-weight: 600; text-align: left; }
details { margin-top: 14px; }
summary { cursor: pointer; font-weight: 600; }
pre { background: #f6f8fa; padding: 12px; overflow-x: auto; font-size: 12.5px; line-height: 1.4; }
"""


def _table(names: Sequence[str], groups: Sequence[tuple[str, Sequence[Row]]]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = [f"<tr><th></th>{heads}</tr>"]
    for title, rows in groups:
        if title and rows:
            lines.append(f'<tr><th class="group" colspan="{len(names) + 1}">{escape(title)}</th></tr>')
        for row in rows:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
            lines.append(f"<tr><td>{escape(row.label)}</td>{cells}</tr>")
    return '<div class="scroll"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _document(value: object, indent: str = "") -> Iterator[str]:
    """Yield a resolved scenario as YAML lines, for people."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{key}:"
                yield from _document(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner, ensure_ascii=False)}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}-"
                yield from _document(inner, indent + "  ")
            else:
                yield f"{indent}- {json.dumps(inner, ensure_ascii=False)}"


def sourced(value: object, path: str = "") -> Iterator[tuple[str, Any, str, str]]:
    """Yield (path, value, source, note) of every figure with a source in a dumped scenario."""
    if not isinstance(value, dict):
        return
    if {"value", "source"} <= value.keys():
        yield path, value["value"], str(value["source"]), str(value.get("note") or "")
        return
    for key, inner in value.items():
        yield from sourced(inner, f"{path}.{key}" if path else str(key))


def _sources(comparison: Comparison) -> str:
    rows = dict.fromkeys(
        row
        for name in comparison.names
        for row in sourced(comparison.runs[name][0].scenario.hardware.model_dump(mode="json"))
    )
    lines = "\n".join(
        f"<tr><td>{escape(path)}</td><td>{value:g}</td><td style='text-align:left;white-space:normal'>"
        f"{escape(source)}{'. ' + escape(note) if note else ''}</td></tr>"
        for path, value, source, note in rows
    )
    return (
        '<div class="scroll"><table><tr><th>figure, SI units</th><th>value</th>'
        f'<th style="text-align:left">source</th></tr>\n{lines}\n</table></div>'
    )


def _scenarios(comparison: Comparison) -> str:
    blocks = []
    for name in comparison.names:
        document = comparison.runs[name][0].scenario.model_dump(mode="json", by_alias=True)
        document.pop("variants", None)
        body = escape("\n".join(_document(document)))
        blocks.append(f"<details><summary>Scenario of {escape(name)}</summary><pre>{body}</pre></details>")
    return "\n".join(blocks)


def _over_time_caption(comparison: Comparison) -> str:
    rows = max(len(comparison.runs[name][0].records.steps) for name in comparison.names)
    return (
        f"First seed of each variant. Every point is the mean over 1/{BINS} of that variant's run, "
        f"worked out from up to {rows:,} recorded rows of steps; peaks shorter than a bin are flattened. "
        "Gaps: no replica was stepping. A preempted trial counts as running."
    )


def _sections(comparison: Comparison) -> Iterator[str]:
    """Yield the parts of the page between its head and its end."""
    names, level = comparison.names, comparison.summary["confidence_ratio"]
    yield "<h2>Figures side by side</h2>"
    yield f'<p class="caption">In brackets: {level:.0%} confidence intervals.</p>'
    yield _table(names, [("", plan_rows(comparison)), *measure_rows(comparison)])
    ratios = ratio_rows(comparison)
    if ratios:
        yield f"<h2>Ratio to {escape(names[0])}, seed by seed</h2>"
        yield _table(names, [("", ratios)])
    yield "<h2>Where the step time goes</h2>"
    yield (
        '<p class="caption">Replica time per output token, by operation; percentages are shares of the step '
        "time.</p>"
    )
    yield division(figures.time_by_part(comparison), "time-by-part")
    yield '<p class="caption">In brackets: part of the bound of compute or memory that is reached.</p>'
    yield _table(names, [("", part_rows(comparison))])
    yield "<h2>Over time</h2>"
    yield f'<p class="caption">{escape(_over_time_caption(comparison))}</p>'
    yield division(figures.over_time(comparison), "over-time")
    yield "<h2>How long users wait</h2>"
    yield (
        '<p class="caption">Share of trials and tasks at or below a time, all seeds and the whole run, '
        "warm-up included; what had not finished is left out.</p>"
    )
    yield division(figures.distributions(comparison), "distributions")
    yield "<h2>Under the roofline</h2>"
    yield (
        '<p class="caption">First seed. Area grows with the share of the step time; operations that compute '
        "nothing (norms, all-reduces, overheads) have no place here.</p>"
    )
    yield division(figures.roofline(comparison), "roofline")
    yield "<h2>What it rests on</h2>"
    yield "".join(f"<p class='caption'>{escape(line)}</p>" for line in conservation_lines(comparison))
    yield _scenarios(comparison)
    yield f"<details><summary>Sources of the hardware figures</summary>{_sources(comparison)}</details>"


def page(comparison: Comparison) -> str:
    """Return the whole page.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    plotly_modules()
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an optional package

    scenario = comparison.scenario
    notes = "".join(f"<li>{escape(line)}</li>" for line in note_lines(comparison))
    question = f'<p class="setting">{escape(scenario.question)}</p>' if scenario.question else ""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(scenario.name)}</title>",
            f"<style>{STYLE}</style>",
            f"<script>{get_plotlyjs()}</script>",
            "</head><body>",
            f"<h1>{escape(scenario.name)}</h1>{question}",
            f'<p class="answer">{escape(str(comparison.summary["answer"]))}</p>',
            f'<p class="setting">{escape(setting_line(comparison))}</p>',
            f'<ul class="notes">{notes}</ul>' if notes else "",
            *_sections(comparison),
            "</body></html>",
            "",
        ]
    )


def write_page(comparison: Comparison, path: str | Path) -> Path:
    """Write the page to `path`, all of it or nothing, and return the path.

    Parameters
    ----------
    comparison : all runs of a scenario.
    path : the file to write; an existing one is replaced, its folder must exist.

    Raises
    ------
    SimulatorError
        If plotly is not installed.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(page(comparison), encoding="utf-8", newline="\n")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
