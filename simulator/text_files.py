"""Files opened as text whatever they are packed with; what cannot be read is a `TraceFormatError`."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Any, Final

from simulator.errors import TraceFormatError

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all)."""

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
PARQUET: Final = b"PAR1"
"""First bytes of what packs a file (RFC 1952, RFC 8878, Apache Parquet's file format)."""

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

FEED_BYTES: Final = 512
"""Compressed bytes given to zstd at a time: 4 of them may be a block of 128 KiB, so 16 MiB come back."""

CHUNK_BYTES: Final = 1 << 16
"""Bytes read from a file at a time."""

CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029), "?")
"""Text from a file is printed on a terminal, which it must not steer, and in messages of a line each."""

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


class _Counted(io.RawIOBase):
    """Unpacked bytes, with the place of the chunk that was given last: for what cannot be decoded."""

    def __init__(self, pull: Callable[[], bytes]) -> None:
        self._pull = pull
        self._left = memoryview(b"")
        self._before = [0, 0]
        self._last = [0, 0]

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # called with a memoryview
        """Fill the beginning of a buffer; 0 at the end."""
        if not self._left:
            self._left = memoryview(self._pull())
        given = self._left[: len(buffer)]
        self._left = self._left[len(given) :]
        buffer[: len(given)] = given
        self._before = [sum(pair) for pair in zip(self._before, self._last, strict=True)]
        self._last = [len(given), bytes(given).count(b"\n")]
        return len(given)

    def place_of(self, error: UnicodeDecodeError) -> tuple[int, int]:
        """Return the byte, from 0, and the line, from 1, of what cannot be decoded."""
        carried = max(0, len(error.object) - self._last[0])  # the beginning of a character of many bytes
        byte = self._before[0] - carried + error.start
        return byte, self._before[1] + error.object.count(b"\n", 0, error.start) + 1


@contextmanager
def opened(path: Path, progress: Progress | None = None) -> Iterator[Source]:
    """Open a text file that may be packed by gzip or zstd.

    Raises
    ------
    TraceFormatError
        If it cannot be read, also later while it is open.
    """
    with refusing(path):
        check_regular(path)
        with path.open("rb") as raw:
            counted = _Counted(_puller(path, raw, packed_by(path, raw)))
            try:
                # Not buffered between: the place of what cannot be decoded is counted from the last chunk.
                stream: Any = counted
                with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
                    yield Source(path, text, raw, progress)
            except UnicodeDecodeError as error:
                byte, line = counted.place_of(error)
                told = f"byte {byte} is {error.object[error.start]:#04x}"
                message = f"{path}:{line}: is no UTF-8 text ({told}, {error.reason}); save it as UTF-8"
                raise TraceFormatError(message) from error


def check_regular(path: Path) -> None:
    """Refuse what is neither a file nor a folder: reading a pipe may never end, and it cannot be read twice.

    Raises
    ------
    TraceFormatError
        If it is a pipe or a device.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        message = f"{path}: is a pipe or a device; write what comes out of it to a file first"
        raise TraceFormatError(message)


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
        message = f"{path}: is empty; did what wrote it come to its end?"
        raise TraceFormatError(message)
    for known, what in REFUSED.items():
        if start.startswith(known):
            message = f"{path}: {what}"
            raise TraceFormatError(message)
    packing = next((known for known in (GZIP, ZSTD, PARQUET) if start.startswith(known)), b"")
    expected, tool = NAMED.get(path.suffix.lower(), (packing, ""))
    if packing != expected:
        message = (
            f"{path}: is named {path.suffix} but holds no {tool} data: was it unpacked or cut? "
            "name it by what it holds, or fetch it again"
        )
        raise TraceFormatError(message)
    return packing


def _puller(path: Path, raw: IO[bytes], packing: bytes) -> Callable[[], bytes]:
    """Return what gives the unpacked bytes of a file, chunk by chunk, and nothing at its end."""
    if packing == ZSTD:
        chunks = _unpacked_zstd(path, raw)
        return lambda: next(chunks, b"")
    stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if packing == GZIP else raw  # type: ignore[assignment] # reads like a file
    return lambda: stream.read(CHUNK_BYTES)


def _unpacked_zstd(path: Path, raw: IO[bytes]) -> Iterator[bytes]:
    """Yield what frames of zstd hold; its own reader of streams takes one that was cut for a whole one."""
    try:
        import zstandard  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        message = f"{path}: is compressed by zstd, and the package zstandard is missing; {EXTRA}"
        raise TraceFormatError(message) from error
    frame, inside = None, False
    while packed := raw.read(FEED_BYTES):
        while packed:
            frame = zstandard.ZstdDecompressor().decompressobj() if frame is None else frame
            inside = True
            if unpacked := frame.decompress(packed):
                yield unpacked
            packed = b""
            if frame.eof:
                packed, frame, inside = frame.unused_data, None, False
    if inside:
        raise EOFError


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what reading a file raises into a `TraceFormatError` that names it and says what to do."""
    try:
        yield
    except TraceFormatError:
        raise
    except UnicodeDecodeError as error:
        byte = error.object[error.start : error.start + 1]
        message = f"{path}: is no UTF-8 text: {byte!r} ({error.reason}); save it as UTF-8"
        raise TraceFormatError(message) from error
    except EOFError as error:
        message = f"{path}: ends inside its compressed data: was the file cut? fetch or pack it again"
        raise TraceFormatError(message) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: its compressed data is damaged: {error}; fetch or pack it again"
        raise TraceFormatError(message) from error
    except csv.Error as error:
        message = f"{path}: is no CSV: {error}"
        raise TraceFormatError(message) from error
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror or error}{_remedy(path, error)}"
        raise TraceFormatError(message) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("zstandard", "zstd", "backend_c", "pyarrow"):
            raise
        message = f"{path}: its data is damaged: {error}; fetch or write it again"
        raise TraceFormatError(message) from error


def _remedy(path: Path, error: OSError) -> str:
    """Return what to do about a file that the system does not give."""
    if isinstance(error, IsADirectoryError):
        return "; name a file in it"
    if isinstance(error, PermissionError):
        return f"; allow it: chmod u+r {path.name}"
    if not isinstance(error, FileNotFoundError):
        return ""
    try:
        beside = {each.name.partition(".")[0]: each.name for each in sorted(path.parent.iterdir())}
    except OSError:
        return f"; there is no folder {path.parent} that can be read"
    near = get_close_matches(path.name.partition(".")[0], beside, n=1)
    return f"; did you mean {beside[near[0]]}?" if near else "; check the name and the folder"


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
