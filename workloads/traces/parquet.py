"""Our own form as Parquet, in batches; needs pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.errors import TraceFormatError
from workloads.traces.faults import Faults, shown
from workloads.traces.own import BLOCKS, COLUMNS, NEEDED, OwnRows
from workloads.traces.seam import Reading
from workloads.traces.sources import EXTRA, refusing
from workloads.traces.table import Trace
from workloads.traces.values import Kind

BATCH_ROWS: Final = 1 << 16
STREAMED: Final = {"buffer_size": 1 << 18, "pre_buffer": False}
"""Read by 256 KiB; else a whole row group is held, which may be the whole file."""


def library(path: Path) -> Any:  # noqa: ANN401 - a module without types
    """Return ``pyarrow.parquet``.

    Raises
    ------
    TraceFormatError
        If it is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        message = f"{path}: is a Parquet file, and the package pyarrow is missing; {EXTRA}"
        raise TraceFormatError(message) from error
    return pyarrow.parquet


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet file."""
    with refusing(path):
        return tuple(library(path).read_schema(path).names)


def read_parquet(path: Path, how: Reading) -> Trace:
    """Return the trace in a Parquet file of our own form; "lines" of messages are its rows, from 1."""
    with refusing(path), library(path).ParquetFile(path, **STREAMED) as file:
        names = file.schema_arrow.names
        rows = OwnRows(Faults(path), names)
        if NEEDED not in names:
            message = f"{path}: no column {NEEDED!r}; found {', '.join(map(shown, names)) or 'nothing'}"
            raise TraceFormatError(message)
        wanted = [name for name in COLUMNS if name in names]
        done, total = 0, file.metadata.num_rows
        for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
            lines = range(done + 1, done + 1 + batch.num_rows)
            numbers = {
                name: _numbers(batch.column(name), kind, name, lines, rows.faults)
                for name, kind in rows.kinds.items()
            }
            blocks = _blocks(batch.column(BLOCKS)) if BLOCKS in names else None
            rows.add(numbers, blocks, lines)
            done += batch.num_rows
            if how.progress is not None:
                how.progress(done, total)
        return rows.trace(tuple(name for name in names if name not in COLUMNS))


def _numbers(column: Any, kind: Kind, name: str, lines: range, faults: Faults) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column as an array; a null is what a blank is in CSV."""
    if (
        len(column)
        and column.null_count == 0
        and str(column.type) == ("double" if kind.dtype is np.float64 else "int64")
    ):
        # Not column.to_numpy(), which imports pandas where that is installed: 57 MB.
        start, buffer = column.offset, column.buffers()[1]
        values = np.frombuffer(buffer, dtype=kind.dtype)[start : start + len(column)].copy()
        with np.errstate(invalid="ignore"):
            wrong = ~((values >= kind.least) & (values <= kind.most))
        for place in np.flatnonzero(wrong).tolist():
            faults.add(lines[place], name, f"{shown(values[place].item())} is not {kind.allowed}")
            values[place] = 0
        return values

    def refuse(place: int, text: str) -> None:
        faults.add(lines[place], name, f"{shown(text or None)} is not {kind.allowed}")

    return kind.values(["" if value is None else str(value) for value in column.to_pylist()], refuse)


def _blocks(column: Any) -> Any:  # noqa: ANN401 - pyarrow's
    for value in column:
        ids = value.as_py()
        yield np.array([] if ids is None else ids, dtype=np.int64)
