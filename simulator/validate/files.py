"""A validation as a folder: one line per run, one per group, and pages where the plotting packages are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from simulator.output import MANIFEST_VERSION, package_versions, write_files
from simulator.validate.document import PICTURES, document
from simulator.validate.errors import (
    ErrorFigures,
    Group,
    groups,
    groups_without_peer,
    other_model_groups,
)
from simulator.validate.kernel_level import NO_KERNELS, KernelLevel, to_json
from simulator.validate.predictions import ANOTHER_MODEL, Validation

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
    destination: Path,
    validation: Validation,
    *,
    overwrite: bool,
    level: KernelLevel = NO_KERNELS,
    whole: bool = True,
) -> Path:
    """Write ``silicon.csv``, ``summary.csv`` and ``validation.md``; return the folder.

    What kernels tell goes into ``kernels.csv`` and ``decode-steps.csv``, where there is something.

    With plotly ``silicon.html`` is written too, with matplotlib the pictures of the document, which has its
    remarks where `whole` says that all runs were asked for.

    Raises
    ------
    OutputExistsError
        If `destination` exists and `overwrite` is not set, or if it is not a folder of results.
    """

    def fill(folder: Path) -> None:
        _write(folder / "silicon.csv", _run_heads(validation), _run_rows(validation))
        _write(folder / "summary.csv", _group_heads(validation), _group_rows(validation))
        for name, lines in to_json(level).items():
            if lines:
                flat = [_flat(line) for line in lines]
                path = folder / f"{name.replace('_', '-')}.csv"
                _write(path, list(flat[0]), [list(line.values()) for line in flat])
        pictures: list[str] = []
        if find_spec("matplotlib") is not None:
            from simulator.validate.pictures import draw  # noqa: PLC0415 - loads an optional package

            (folder / PICTURES).mkdir()
            pictures = draw(validation, folder / PICTURES)
        text = document(validation, pictures, level=level, whole=whole)
        (folder / "validation.md").write_text(text, encoding="utf-8", newline="\n")
        if find_spec("plotly") is not None:
            from simulator.validate.page import page  # noqa: PLC0415 - loads an optional package

            (folder / "silicon.html").write_text(page(validation), encoding="utf-8", newline="\n")

    about = {"manifest": MANIFEST_VERSION, "validation": "silicon", **package_versions()}
    return write_files(destination, fill, about, overwrite=overwrite)


def _flat(line: Mapping[str, Any]) -> dict[str, object]:
    """Return a line with the figures of its errors as cells of their own; those of none are empty."""
    found: dict[str, object] = {}
    for name, value in line.items():
        parts = value if isinstance(value, dict) else dict.fromkeys(ErrorFigures.__slots__, "")
        nested = name in {"kernels_alone", "with_layers"}
        found |= {f"{name}_{part}": each for part, each in parts.items()} if nested else {name: value}
    return found


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def _run_heads(validation: Validation) -> list[str]:
    return [*RUN_COLUMNS, *(f"{_name(column)}_tpot_s" for column in (*validation.columns, ANOTHER_MODEL))]


def _name(column: str) -> str:
    return column.replace(" ", "_")


def _run_rows(validation: Validation) -> list[list[object]]:
    """Return predicted runs, then those without a part in the errors and why."""
    kept = [("predicted", one.run, one.tpot_s) for one in validation.predictions]
    kept += [("without_peer", one.run, one.tpot_s) for one in validation.without_peer]
    reasons = {
        "infeasible": validation.infeasible,
        "not_believable": validation.not_believable,
    }
    others = [(reason, run, dict[str, float]()) for reason, runs in reasons.items() for run in runs]
    return [
        [
            *(getattr(run, name) for name in RUN_COLUMNS[:11]),
            *(int(run.held_out), status, run.tpot_s),
            *(times.get(column, "") for column in (*validation.columns, ANOTHER_MODEL)),
        ]
        for status, run, times in [*kept, *others]
    ]


def _group_heads(validation: Validation) -> list[str]:
    columns = (*validation.columns, ANOTHER_MODEL)
    errors = [f"{_name(column)}_{name}" for column in columns for name in ErrorFigures.__slots__]
    return ["held_out", "gpu", "engine", "model", "tp", "rows", "judged_rows", *errors]


def _group_rows(validation: Validation) -> list[list[object]]:
    """Return the groups by what was held out: configurations, also by GPUs per replica, then models."""
    by_configuration = [*groups(validation), *groups(validation, by_tp=True)[:-1]]
    found = [("configuration", group) for group in by_configuration]
    found += [("configuration, without peer", group) for group in groups_without_peer(validation)]
    found += [("model", group) for group in other_model_groups(validation)]
    columns = (*validation.columns, ANOTHER_MODEL)
    return [[held_out, *_group_row(group, columns)] for held_out, group in found]


def _group_row(group: Group, columns: Sequence[str]) -> list[object]:
    told = [group.errors.get(column) for column in columns]
    return [
        *(group.gpu, group.engine, group.model, group.tp, group.rows, group.judged_rows),
        *(
            getattr(errors, name) if errors is not None else ""
            for errors in told
            for name in ErrorFigures.__slots__
        ),
    ]
