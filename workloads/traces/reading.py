"""From a file to its trace: what it is, is seen by what it holds."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args

from simulator.errors import TraceFormatError, UnknownNameError, suggest
from simulator.text_files import CONTROL
from workloads.traces.chat_jsonl import BAILIAN, MOONCAKE
from workloads.traces.cutting import window
from workloads.traces.doubts import doubt
from workloads.traces.flat_csv import AZURE, BURSTGPT, SPLITWISE, VIDUR
from workloads.traces.llmservingsim import LLMSERVINGSIM
from workloads.traces.own import OWN
from workloads.traces.seam import Head, Reader, Reading
from workloads.traces.servegen import SERVEGEN
from workloads.traces.sources import PARQUET, Source, check_regular, opened, packed_by, refusing
from workloads.traces.table import Trace

READERS: Final[tuple[Reader, ...]] = (
    *(AZURE, BAILIAN, BURSTGPT, LLMSERVINGSIM, MOONCAKE, OWN, SERVEGEN, SPLITWISE, VIDUR),
)

FormatName = Literal[
    "auto",
    "azure",
    "bailian",
    "burstgpt",
    "kinesim",
    "llmservingsim",
    "mooncake",
    "servegen",
    "splitwise",
    "vidur",
]
FORMATS: Final[tuple[str, ...]] = get_args(FormatName)
"""Names that `read` knows."""

TOLD_FIELDS: Final = 12
"""Columns that a message names."""

FIRST_LINES: Final = 5
"""Lines of JSON that tell a format: lines of one file may be of two kinds."""

LONGEST_HEADER: Final = 1 << 16
"""Characters of the longest header of a CSV file."""


def read(path: Path, format_name: str = "auto", how: Reading | None = None) -> Trace:
    """Return the trace in a file or folder.

    Parameters
    ----------
    path : the file; packed by gzip or zstd, if it is text.
    format_name : one of `FORMATS`; ``auto`` sees it by what the file holds.
    how : seed, window and progress.

    Raises
    ------
    TraceFormatError
        If it cannot be read, is of no format or of several, holds no request, or is wrong: all faults; also
        if its rate is that of another unit of time, unless its format was named.
    UnknownNameError
        If there is no such format.
    """
    reader = _reader(path, format_name)
    with refusing(path):
        trace = reader.read(path, how or Reading())
    if not trace.rows:
        dropped = "; ".join(f"{count} rows left out: {reason}" for reason, count in trace.dropped.items())
        message = f"{path}: holds no request" + (f" ({dropped})" if dropped else " below its header")
        raise TraceFormatError(message)
    asked = doubt(trace) if format_name == "auto" else None
    if asked:
        message = f"{path}: {asked}: {reader.about}; where that is so, say it by the format: {reader.name}"
        raise TraceFormatError(message)
    ignored = tuple(name.translate(CONTROL) for name in trace.ignored)
    return replace(trace, format=reader.name, ignored=ignored)


def read_window(path: Path, format_name: str = "auto", how: Reading | None = None) -> Trace:
    """Return the part of a trace that `how.window_s` says, all of it where that is None; raises as `read`."""
    how = how or Reading()
    trace = read(path, format_name, how)
    if how.window_s is None:
        return trace
    cut = window(trace, *how.window_s)
    if not cut.rows:
        first, last = trace.own_arrivals_s[[0, -1]]
        part = f"[{how.window_s[0]:g}, {how.window_s[1]:g}) s"
        message = f"{path}: no request in {part}; they are from {first:g} to {last:g} s"
        raise TraceFormatError(message)
    return cut


def recognise(path: Path) -> Reader:
    """Return the reader of the format that a file or folder is of.

    Raises
    ------
    TraceFormatError
        If there is none, or more than one.
    """
    head = head_of(path)
    found = [reader for reader in READERS if reader.recognises(head)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(reader.name for reader in found)
        message = f"{path}: could be {names} ({_seen(head)}); say which with format, or part them"
        raise TraceFormatError(message)
    known = ", ".join(sorted(reader.name for reader in READERS))
    near = _part_of_folder(path) or _nearest(head)
    message = f"{path}: is no trace that is known: {_seen(head)}{near}; known are {known}"
    raise TraceFormatError(message)


def head_of(path: Path) -> Head:
    """Return what a file or folder begins with.

    Raises
    ------
    TraceFormatError
        If it cannot be read, is empty or is neither text nor Parquet.
    """
    with refusing(path):
        if path.is_dir():
            return Head(path, "folder", tuple(sorted(file.name for file in path.iterdir())))
        check_regular(path)
        with path.open("rb") as raw:
            packing = packed_by(path, raw)
    if packing == PARQUET:
        from workloads.traces.parquet import columns_of  # noqa: PLC0415 - needs an optional extra

        return Head(path, "parquet", columns_of(path))
    with opened(path) as source:
        return _text_head(source)


def _text_head(source: Source) -> Head:
    start = source.text.read(1)
    if start not in ("{", "["):
        header = start if start in "\r\n" else start + source.text.readline(LONGEST_HEADER)
        if not header.strip():
            message = (
                f"{source.path}:1: is blank; a trace begins with a header or a JSON object: did what wrote "
                "it come to its end?"
            )
            raise TraceFormatError(message)
        return Head(
            source.path, "csv", tuple(name.strip() for name in next(csv.reader([header], strict=True)))
        )
    if start == "[":
        message = f"{source.path}:1: is a JSON array; a trace has one object a line (jq -c '.[]' makes it so)"
        raise TraceFormatError(message)
    keys = dict[str, None]()
    first = start + source.text.readline()
    for line in [first, *(source.text.readline() for _ in range(FIRST_LINES - 1))]:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            keys |= dict.fromkeys(values)
    if not keys:
        message = (
            f"{source.path}:1: begins with a brace but no line of it is a JSON object: "
            f"was the file cut, or is it one object over several lines?{_part_of_folder(source.path)}"
        )
        raise TraceFormatError(message)
    return Head(source.path, "jsonl", tuple(keys))


def _part_of_folder(path: Path) -> str:
    """Return what to give instead of one file of a ServeGen folder; empty for another file."""
    is_part = re.fullmatch(r"chunk-\d+-(trace\.csv|dataset\.json)", path.name) is not None
    return f"; by its name it is a part of a ServeGen folder: give {path.parent}" if is_part else ""


def _reader(path: Path, name: str) -> Reader:
    if name == "auto":
        return recognise(path)
    by_name = {reader.name: reader for reader in READERS}
    if name not in by_name:
        message = f"unknown trace format {name!r}; {suggest(name, FORMATS)}"
        raise UnknownNameError(message)
    reader, head = by_name[name], head_of(path)
    if not reader.recognises(head):
        message = f"{path}: is not {reader.about}; {_seen(head)}"
        raise TraceFormatError(message)
    return reader


def _nearest(head: Head) -> str:
    """Return the format that has most fields in common with a file, and what the file lacks of it."""

    def share(reader: Reader) -> float:
        return len(set(reader.needed) & set(head.fields)) / max(1, len(reader.needed))

    best = max(READERS, key=share)
    if not share(best):
        return ""
    missing = [name for name in best.needed if name not in head.fields]
    if not missing:
        return f"; its columns are those of {best.name}, but that is {best.about}"
    return f"; nearest is {best.name}, but it lacks {', '.join(missing)}"


def _seen(head: Head) -> str:
    what = {
        "csv": "a CSV header",
        "jsonl": "JSON Lines with",
        "parquet": "Parquet columns",
        "folder": "a folder of",
    }
    return f"{what[head.kind]} {_some(head.fields)}"


def _some(names: Sequence[str]) -> str:
    told = ", ".join(name[:40].translate(CONTROL) for name in names[:TOLD_FIELDS]) or "nothing"
    return told + (f" and {len(names) - TOLD_FIELDS} more" if len(names) > TOLD_FIELDS else "")
