"""Files of results opened as text, plain or packed by gzip or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from simulator.errors import TraceFormatError
from simulator.text_files import PARQUET, Source, lines_of, opened, packed_by, refusing

HEAD: Final = 1 << 20
"""Characters at the beginning of a file by which it is known: 1 Mi."""


@contextmanager
def opened_result(path: Path) -> Iterator[Source]:
    """Open a file of results.

    Raises
    ------
    TraceFormatError
        If it cannot be read, also later while it is open.
    """
    with refusing(path):
        if path.is_file():
            with path.open("rb") as raw:
                is_table = packed_by(path, raw) == PARQUET
            if is_table:
                message = f"{path}: is a Parquet file; write its table as CSV"
                raise TraceFormatError(message)
        with opened(path) as source:
            yield source


def head_of(path: Path) -> str:
    """Return the beginning of a file's text.

    Raises
    ------
    TraceFormatError
        If it cannot be read or holds nothing.
    """
    with opened_result(path) as source:
        head = source.text.read(HEAD)
        blank = not head.strip()
        while blank and (more := source.text.read(HEAD)):
            blank = not more.strip()
    if blank:
        message = f"{path}: is empty; did the run come to its end?"
        raise TraceFormatError(message)
    return head


def result_lines(source: Source) -> Iterator[str]:
    """Yield the lines of a file.

    Raises
    ------
    TraceFormatError
        If one is longer than any table's, or holds what no text does.
    """
    for number, line in enumerate(lines_of(source), start=1):
        if "\x00" in line:
            message = (
                f"{source.path}:{number}: is no text (it holds the byte 0x00): is it the right file? "
                "A benchmark's result is JSON or a table"
            )
            raise TraceFormatError(message)
        yield line
