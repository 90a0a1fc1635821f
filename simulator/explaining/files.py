"""Comparisons and explanations in a folder: tables, the answer as JSON, pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from simulator.explaining.comparison import SideBySide, metric_rows, time_rows
from simulator.explaining.explanation import Explanation, doubled_rows, operation_rows
from simulator.output import package_versions, write_files
from simulator.report.chart import Chart

LAYOUT: Final = 1
"""Version of the layout of the folder."""


def write_comparison(found: SideBySide, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a comparison and return its folder, made whole or not at all.

    Parameters
    ----------
    found : the comparison.
    folder : to make; ``answer.json`` is the summary, ``metrics.csv``, ``inputs.csv`` and ``time.csv`` are its
        frames, and pictures are drawn where matplotlib is installed.
    overwrite : replace an earlier comparison.

    Raises
    ------
    OutputExistsError
        If the folder exists and `overwrite` is not set, or holds something else.
    """

    def fill(path: Path) -> None:
        _write_json(path / "answer.json", found.summary)
        _write_rows(path / "metrics.csv", metric_rows(found))
        inputs = [(one.path, *one.values) for one in found.differences]
        _write_table(path / "inputs.csv", ("path", *found.names), inputs)
        _write_rows(path / "time.csv", time_rows(found.summary["time"]))
        if find_spec("matplotlib") is not None:
            from simulator.explaining.pictures import comparison_charts  # noqa: PLC0415 - matplotlib is an extra

            _draw(comparison_charts(found), path)

    return write_files(folder, fill, {"manifest": LAYOUT, **package_versions()}, overwrite=overwrite)


def write_explanation(found: Explanation, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write an explanation and return its folder, made whole or not at all.

    Parameters
    ----------
    found : the explanation.
    folder : to make; ``explanation.json`` is the summary, ``operations.csv`` and ``doubled.csv`` are its
        frames, ``time.csv`` says where time went, and pictures are drawn where matplotlib is installed.
    overwrite : replace an earlier explanation.

    Raises
    ------
    OutputExistsError
        If the folder exists and `overwrite` is not set, or holds something else.
    """

    def fill(path: Path) -> None:
        _write_json(path / "explanation.json", found.summary)
        _write_rows(path / "operations.csv", operation_rows(found), ("name", "label", "seconds"))
        _write_rows(path / "doubled.csv", doubled_rows(found), ("resource", "label", "gain"))
        _write_rows(path / "time.csv", time_rows({found.side.name: found.time}))
        if find_spec("matplotlib") is not None:
            from simulator.explaining.pictures import explanation_charts  # noqa: PLC0415 - matplotlib is an extra

            _draw(explanation_charts(found), path)

    return write_files(folder, fill, {"manifest": LAYOUT, **package_versions()}, overwrite=overwrite)


def _draw(charts: Iterable[Chart], folder: Path) -> None:
    from simulator.report.chart_picture import save  # noqa: PLC0415 - matplotlib is an extra

    for chart in charts:
        save(chart, folder)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
    """Write rows as CSV with the columns of the first; `columns` are those of a table without rows."""
    _write_table(path, list(rows[0]) if rows else columns, [list(row.values()) for row in rows])


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
