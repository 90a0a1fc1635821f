"""A trace written in our own form: nothing that `Trace` holds of its rows is lost.

Not kept: the format it came from, what was dropped, and the notes; `kinesim trace` says them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.errors import SimulatorError
from workloads.traces.own import BLOCKS, COLUMNS
from workloads.traces.table import NONE, Trace

CHUNK_ROWS: Final = 1 << 16
SUFFIXES: Final = (".csv", ".parquet")

Progress = Callable[[int, int], None]


def write(trace: Trace, path: Path, progress: Progress | None = None) -> None:
    """Write a trace as CSV or Parquet, whole or not at all.

    Raises
    ------
    SimulatorError
        If the name ends in neither, or the package for Parquet is missing.
    OSError
        With `path` as its file name.
    """
    if path.suffix not in SUFFIXES:
        message = f"{path}: ends in none of {', '.join(SUFFIXES)}"
        raise SimulatorError(message)
    to = _to_csv if path.suffix == ".csv" else _to_parquet
    partial = path.with_name(f".{path.name}.partial")
    try:
        try:
            to(trace, partial, progress)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _columns(trace: Trace) -> dict[str, Any]:
    """Return the columns that the trace has, whole, by their names; requests that are named need ids."""
    ids = trace.request_ids
    parent_ids = None
    if trace.parents is not None:
        ids = np.arange(trace.rows) if ids is None or len(np.unique(ids)) < trace.rows else ids
        parent_ids = np.where(trace.parents == NONE, NONE, ids[trace.parents])
    found = {
        "arrival_s": trace.arrival_s,
        "prompt_tokens": trace.prompt_tokens,
        "output_tokens": trace.output_tokens,
        "request_id": ids,
        "parent_id": parent_ids,
        "tool_s": trace.tool_s,
        "session": trace.sessions,
        "prefix_block_tokens": None if trace.blocks is None else np.full(trace.rows, trace.blocks.tokens),
    }
    return {name: found[name] for name in COLUMNS if found.get(name) is not None}


def _chunks(trace: Trace, progress: Progress | None) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield the columns of some rows at a time, with the first row and the one after the last."""
    columns = _columns(trace)
    for start in range(0, trace.rows, CHUNK_ROWS):
        end = min(start + CHUNK_ROWS, trace.rows)
        yield {name: column[start:end] for name, column in columns.items()}, start, end
        if progress is not None:
            progress(end, trace.rows)


def _to_csv(trace: Trace, path: Path, progress: Progress | None) -> None:
    blocks = trace.blocks
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = list(_columns(trace))
        writer.writerow([*names, *([BLOCKS] if blocks is not None else [])])
        for columns, start, end in _chunks(trace, progress):
            texts = [_texts(column) for column in columns.values()]
            if blocks is not None:
                cuts = blocks.offsets[start : end + 1].tolist()
                texts.append(
                    [" ".join(map(str, blocks.ids[first:last].tolist())) for first, last in pairwise(cuts)]
                )
            writer.writerows(zip(*texts, strict=True))


def _texts(column: Any) -> list[str]:  # noqa: ANN401 - an array of either kind
    """Return the numbers of a column as they are written; what is not there is blank."""
    values = column.tolist()
    if column.dtype == np.float64:
        return ["" if value != value else repr(value) for value in values]  # noqa: PLR0124 - NaN differs from itself
    return ["" if value == NONE else str(value) for value in values]


def _to_parquet(trace: Trace, path: Path, progress: Progress | None) -> None:
    from workloads.traces.parquet import library  # noqa: PLC0415 - needs an optional extra

    parquet = library(path)
    import pyarrow as pa  # noqa: PLC0415 - as above

    schema = pa.schema(
        [
            *(
                (name, pa.float64() if column.dtype == np.float64 else pa.int64())
                for name, column in _columns(trace).items()
            ),
            *([(BLOCKS, pa.list_(pa.int64()))] if trace.blocks is not None else []),
        ]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for columns, start, end in _chunks(trace, progress):
            arrays = [pa.array(column, from_pandas=True, mask=_blank(column)) for column in columns.values()]
            if trace.blocks is not None:
                offsets = trace.blocks.offsets[start : end + 1]
                ids = trace.blocks.ids[offsets[0] : offsets[-1]]
                arrays.append(
                    pa.ListArray.from_arrays(pa.array((offsets - offsets[0]).astype(np.int32)), pa.array(ids))
                )
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _blank(column: Any) -> Any:  # noqa: ANN401 - arrays
    return np.isnan(column) if column.dtype == np.float64 else column == NONE
