"""Tables in files, CSV or Parquet by the end of the name, written whole or not at all."""

from __future__ import annotations

import csv
import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from simulator.errors import SimulatorError, suggest
from simulator.sweeps.columns import Columns, frame_of, rows_of

ENDINGS: Final = (".csv", ".parquet")


def check_table_file(path: Path) -> None:
    """Refuse a file whose form is not known, or cannot be written here.

    Raises
    ------
    SimulatorError
        Says what is allowed, or what to install.
    """
    if path.suffix not in ENDINGS:
        message = f"{path}: a table ends in {' or '.join(ENDINGS)}; {suggest(path.suffix, ENDINGS)}"
        raise SimulatorError(message)
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        message = f'{path}: Parquet needs pyarrow: pip install "kinesim[traces]"; or write a .csv'
        raise SimulatorError(message)


def write_table(columns: Columns, path: Path) -> None:
    """Write a table; equal tables give equal bytes.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if path.suffix == ".parquet":
            buffer = io.BytesIO()
            frame_of(_of_one_type(columns)).to_parquet(buffer, index=False)
            part.write_bytes(buffer.getvalue())
        else:
            with part.open("w", encoding="utf-8", newline="") as file:
                _write_csv(columns, file)
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _write_csv(columns: Columns, file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows_of(columns))


def _of_one_type(columns: Columns) -> Columns:
    """Return columns of which those of mixed values are texts: a column of Parquet has one type."""
    return {
        name: list(map(str, column))
        if isinstance(column, list) and len({type(value) for value in column} - {type(None)}) > 1
        else column
        for name, column in columns.items()
    }
