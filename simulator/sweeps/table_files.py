"""Tables in files, CSV or Parquet by the end of the name, written whole or not at all."""

from __future__ import annotations

import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.errors import SimulatorError, suggest

if TYPE_CHECKING:
    import pandas as pd

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


def write_table(table: pd.DataFrame, path: Path) -> None:
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
            _plain(table).to_parquet(buffer, index=False)
            part.write_bytes(buffer.getvalue())
        else:
            table.to_csv(part, index=False, lineterminator="\n")
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns of mixed values are texts: a column of Parquet has one type."""
    mixed = [
        name
        for name in table.columns
        if table[name].dtype == object and len({type(value) for value in table[name]}) > 1
    ]
    return table.assign(**{name: table[name].map(str) for name in mixed})
