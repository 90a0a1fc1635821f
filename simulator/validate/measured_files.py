"""A comparison as a folder: tables, JSON, pictures and one page."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from simulator.output import MANIFEST_VERSION, package_versions, write_files
from simulator.report.document import Section, Table, document
from simulator.validate.comparison import Quantity
from simulator.validate.measured_charts import charts
from simulator.validate.measured_run import Judgement
from simulator.validate.measured_text import (
    HEADS,
    REGIME_HEADS,
    SERIES_HEADS,
    VERDICT_HEADS,
    about,
    quantity_rows,
    regime_rows,
    sentence,
    series_rows,
    verdict_rows,
)

FIGURE_HEADS: Final = ("regime", "requests", "quantity", "figure", "measured", "simulated", "error")
ALL: Final = "all"
STYLE: Final = ".scroll { margin-bottom: 1.2em; }"


def write_judgement(destination: Path, one: Judgement, *, asked: bool, overwrite: bool) -> Path:
    """Write ``comparison.csv``, ``requests.csv``, ``timeseries.csv`` and ``summary.json``; return the folder.

    With matplotlib the pictures are written as PNG too, with plotly the page ``comparison.html``.

    Raises
    ------
    OutputExistsError
        If `destination` exists and `overwrite` is not set, or if it is not a folder of results.
    """

    def fill(folder: Path) -> None:
        _write(folder / "comparison.csv", FIGURE_HEADS, _figures(one))
        _write_requests(folder, one)
        _write_series(folder, one)
        text = json.dumps(one.to_json(), indent=2, allow_nan=False)
        (folder / "summary.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        drawn = charts(one)
        if find_spec("matplotlib") is not None:
            from simulator.report.chart_picture import save  # noqa: PLC0415 - loads an optional package

            for chart in drawn:
                save(chart, folder)
        if find_spec("plotly") is not None:
            page = document("Measured and simulated", _sections(one, asked=asked), style=STYLE)
            (folder / "comparison.html").write_text(page, encoding="utf-8", newline="\n")

    kind = {"manifest": MANIFEST_VERSION, "validation": "measured", **package_versions()}
    return write_files(destination, fill, kind, overwrite=overwrite)


def _sections(one: Judgement, *, asked: bool) -> list[Section]:
    quantities = list(one.compared.quantities.values())
    tables = [Table(VERDICT_HEADS, verdict_rows(one.verdict)), Table(HEADS, quantity_rows(quantities))]
    further = (
        (SERIES_HEADS, series_rows(quantities)),
        (REGIME_HEADS, regime_rows(one.compared.regimes)),
    )
    tables += [Table(heads, rows) for heads, rows in further if rows]
    paragraphs = [sentence(one, asked=asked), *(f"{name}: {told}" for name, told in about(one))]
    notes = [f"Note: {note}." for note in one.notes]
    return [
        Section("Verdict", (*paragraphs, *notes), tables=tables),
        *(Section(chart.title, charts=(chart,)) for chart in charts(one)),
    ]


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def _figures(one: Judgement) -> list[tuple[object, ...]]:
    rows = [row for each in one.compared.quantities.values() for row in _rows(ALL, each)]
    parts = [(regime.name, each) for regime in one.compared.regimes for each in regime.quantities]
    return [*rows, *(row for name, each in parts for row in _rows(name, each))]


def _rows(regime: str, one: Quantity) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for figure in one.known:
        measured, simulated = one.figures.get(figure, ("", ""))
        error = one.error(figure)
        shown = "" if error is None else error
        rows.append((regime, one.count, one.name, figure, measured, simulated, shown))
    return rows


def _write_requests(folder: Path, one: Judgement) -> None:
    """Write both sides of every request that is compared."""
    theirs, ours = one.measured.requests, one.simulated.requests
    if theirs is None or ours is None:
        return
    names = ("start_s", "ttft_s", "tpot_s", "e2e_s")
    heads = [
        "prompt_tokens",
        "output_tokens",
        *(f"{side}_{name}" for side in ("measured", "simulated") for name in names),
    ]
    columns = [theirs.prompt_tokens.astype(np.int64), theirs.output_tokens.astype(np.int64)]
    columns += [getattr(side, name) for side in (theirs, ours) for name in names]
    _write(folder / "requests.csv", heads, zip(*(_cells(column.tolist()) for column in columns), strict=True))


def _write_series(folder: Path, one: Judgement) -> None:
    theirs, ours = one.measured.series, one.simulated.series
    if theirs is None or ours is None:
        return
    names = ("running", "waiting", "kv_ratio")
    heads = ["t_s", *(f"{side}_{name}" for side in ("measured", "simulated") for name in names)]
    columns = [list(theirs.t_s), *(list(getattr(side, name)) for side in (theirs, ours) for name in names)]
    _write(folder / "timeseries.csv", heads, zip(*(_cells(column) for column in columns), strict=True))


def _cells(values: Sequence[float]) -> list[object]:
    """Return values as cells, blank for what is not known."""
    return ["" if isinstance(value, float) and np.isnan(value) else value for value in values]
