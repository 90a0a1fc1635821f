"""A validation as a folder: one line per run, one per group, and a page where plotly is installed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from simulator.output import MANIFEST_VERSION, package_versions, write_files
from simulator.validate.errors import ErrorFigures, Group
from simulator.validate.silicon import Validation

RUN_COLUMNS: Final = (
    "row",
    "gpu",
    "engine",
    "version",
    "model",
    "weight_dtype",
    "kv_dtype",
    "tp",
    "prompt_tokens",
    "output_tokens",
    "concurrency",
    "held_out",
    "status",
    "measured_tpot_s",
)


def write_validation(
    destination: Path, validation: Validation, found: Sequence[Group], *, overwrite: bool
) -> Path:
    """Write ``silicon.csv``, ``summary.csv`` and, with plotly, ``silicon.html``; return the folder.

    Raises
    ------
    OutputExistsError
        If `destination` exists and `overwrite` is not set, or if it is not a folder of results.
    """

    def fill(folder: Path) -> None:
        _write(folder / "silicon.csv", _run_heads(validation), _run_rows(validation))
        _write(folder / "summary.csv", _group_heads(validation), _group_rows(validation, found))
        if find_spec("plotly") is not None:
            from simulator.validate.page import page  # noqa: PLC0415 - loads an optional package

            (folder / "silicon.html").write_text(page(validation, found), encoding="utf-8", newline="\n")

    about = {"manifest": MANIFEST_VERSION, "validation": "silicon", **package_versions()}
    return write_files(destination, fill, about, overwrite=overwrite)


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def _run_heads(validation: Validation) -> list[str]:
    return [*RUN_COLUMNS, *(f"{column}_tpot_s" for column in validation.columns)]


def _run_rows(validation: Validation) -> list[list[object]]:
    """Return predicted runs, then those without a part in the errors and why."""
    kept = [("predicted", one.run, one.tpot_s) for one in validation.predictions]
    reasons = {
        "without_peer": validation.without_peer,
        "infeasible": validation.infeasible,
        "not_believable": validation.not_believable,
    }
    others = [(reason, run, dict[str, float]()) for reason, runs in reasons.items() for run in runs]
    return [
        [
            *(getattr(run, name) for name in RUN_COLUMNS[:11]),
            *(int(run.held_out), status, run.tpot_s),
            *(times.get(column, "") for column in validation.columns),
        ]
        for status, run, times in [*kept, *others]
    ]


def _group_heads(validation: Validation) -> list[str]:
    names = ErrorFigures.__slots__
    errors = [f"{column}_{name}" for column in validation.columns for name in names]
    return ["gpu", "engine", "model", "rows", "held_out_rows", *errors]


def _group_rows(validation: Validation, found: Sequence[Group]) -> list[list[object]]:
    names = ErrorFigures.__slots__
    return [
        [
            *(group.gpu, group.engine, group.model, group.rows, group.held_out_rows),
            *(
                getattr(group.errors[column], name) if column in group.errors else ""
                for column in validation.columns
                for name in names
            ),
        ]
        for group in found
    ]
