"""Files opened as text whatever they are packed with; what cannot be read is a `TraceFormatError`."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from simulator.errors import TraceFormatError
from workloads.traces.seam import Progress

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
PARQUET: Final = b"PAR1"
REFUSED: Final = {
    b"PK\x03\x04": "is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV",
    b"BZh": "is compressed by bzip2; unpack it, or use gzip or zstd",
    b"\xfd7zXZ": "is compressed by xz; unpack it, or use gzip or zstd",
    codecs.BOM_UTF16_LE: "is UTF-16 text; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is UTF-16 text; save it as UTF-8",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`",
}
NAMED: Final = {".gz": (GZIP, "gzip"), ".zst": (ZSTD, "zstd"), ".parquet": (PARQUET, "Parquet")}
LONGEST_START: Final = max(map(len, REFUSED))

LONGEST_LINE: Final = 1 << 25
"""Characters of the longest line read: 32 Mi, some 4 million prefix blocks."""

EXTRA: Final = 'install it with: pip install "kinesim[traces]"'


class Source:
    """An opened file.

    Parameters
    ----------
    path : the file.
    text : its text, unpacked; lines keep their ends.
    """

    def __init__(self, path: Path, text: IO[str], raw: IO[bytes], progress: Progress | None) -> None:
        self.path = path
        self.text = text
        self._raw = raw
        self._size = path.stat().st_size
        self._progress = progress

    def tell(self) -> None:
        """Say how far the file has been read."""
        if self._progress is not None:
            self._progress(self._raw.tell(), self._size)


@contextmanager
def opened(path: Path, progress: Progress | None = None) -> Iterator[Source]:
    """Open a text file that may be packed by gzip or zstd.

    Raises
    ------
    TraceFormatError
        If it cannot be read, also later while it is open.
    """
    with refusing(path), path.open("rb") as raw:
        packing = packed_by(path, raw)
        stream: IO[bytes] = raw
        if packing == GZIP:
            stream = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment] # reads like a file
        elif packing == ZSTD:
            stream = _zstd(path, raw)
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            yield Source(path, text, raw, progress)


def packed_by(path: Path, raw: IO[bytes]) -> bytes:
    """Return the first bytes of what packs a file: `GZIP`, `ZSTD`, `PARQUET`, or none.

    Raises
    ------
    TraceFormatError
        If it is empty, packed by something else, or not what its name says.
    """
    start = raw.read(LONGEST_START)
    raw.seek(0)
    if not start:
        message = f"{path}: is empty"
        raise TraceFormatError(message)
    for known, what in REFUSED.items():
        if start.startswith(known):
            message = f"{path}: {what}"
            raise TraceFormatError(message)
    packing = next((known for known in (GZIP, ZSTD, PARQUET) if start.startswith(known)), b"")
    expected, tool = NAMED.get(path.suffix.lower(), (packing, ""))
    if packing != expected:
        message = f"{path}: is named {path.suffix} but holds no {tool} data: was it unpacked or cut?"
        raise TraceFormatError(message)
    return packing


def _zstd(path: Path, raw: IO[bytes]) -> IO[bytes]:
    try:
        import zstandard  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        message = f"{path}: is compressed by zstd, and the package zstandard is missing; {EXTRA}"
        raise TraceFormatError(message) from error
    unpacked: IO[bytes] = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return unpacked


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into a `TraceFormatError` that names it."""
    try:
        yield
    except TraceFormatError:
        raise
    except UnicodeDecodeError as error:
        byte = error.object[error.start : error.start + 1]
        message = f"{path}: is not UTF-8 text: {byte!r} ({error.reason}); save it as UTF-8"
        raise TraceFormatError(message) from error
    except EOFError as error:
        message = f"{path}: ends inside its compressed data: was the file cut?"
        raise TraceFormatError(message) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: its compressed data is damaged: {error}"
        raise TraceFormatError(message) from error
    except csv.Error as error:
        message = f"{path}: is no CSV: {error}"
        raise TraceFormatError(message) from error
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}"
        raise TraceFormatError(message) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("zstandard", "zstd", "backend_c", "pyarrow"):
            raise
        message = f"{path}: its data is damaged: {error}"
        raise TraceFormatError(message) from error


def lines_of(source: Source) -> Iterator[str]:
    """Yield the lines of a file.

    Raises
    ------
    TraceFormatError
        If one is longer than `LONGEST_LINE`.
    """
    number = 0
    while line := source.text.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            message = (
                f"{source.path}:{number}: the line has more than {LONGEST_LINE} characters: is it a trace?"
            )
            raise TraceFormatError(message)
        yield line
