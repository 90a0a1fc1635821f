"""Where a command writes: refused before any work is done for it, and written whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from simulator.errors import OutputExistsError, SimulatorError


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse to write over `path`.

    Raises
    ------
    OutputExistsError
        If something is there and `overwrite` is not set.
    """
    if path.exists() and not overwrite:
        message = f"{path} exists; choose another name or pass --overwrite"
        raise OutputExistsError(message)


def check_file(path: Path, *, overwrite: bool, reads: Path | None = None) -> None:
    """Refuse a file that cannot be written, or that must not be.

    Parameters
    ----------
    path : the file to write.
    overwrite : replace a file that is there.
    reads : the file that the command reads, if it reads one.

    Raises
    ------
    OutputExistsError
        If `path` is a folder or a device, is `reads`, or exists and `overwrite` is not set.
    SimulatorError
        If its folder can be neither written to nor made.
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or a pipe"
        message = f"{path} is {what}, not a file; choose another name"
        raise OutputExistsError(message)
    if reads is not None and path.exists() and reads.exists() and path.samefile(reads):
        message = f"{path} is the file that is read; choose another name"
        raise OutputExistsError(message)
    refuse_existing(path, overwrite=overwrite)
    _check_parent(path)


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Refuse a folder of results that cannot be written; raises as `check_file`."""
    if path.exists() and not path.is_dir():
        message = f"{path} is not a folder; choose another name"
        raise OutputExistsError(message)
    refuse_existing(path, overwrite=overwrite)
    if path.exists():
        from simulator.output import refuse_foreign  # noqa: PLC0415 - heavy, and rarely needed

        refuse_foreign(path)
    _check_parent(path)


def refuse_source(out: Path, sources: Iterable[str]) -> None:
    """Refuse to write a folder over one that is read.

    Parameters
    ----------
    out : the folder to write.
    sources : ``SOURCE[#VARIANT][@PATH=VALUE]...`` texts.

    Raises
    ------
    OutputExistsError
        If a source is `out` or lies in it.
    """
    for text in sources:
        ends = [place for place, char in enumerate(text) if char in "#@"]
        for end in [len(text), *reversed(ends)]:
            path = Path(text[:end]).resolve()
            if text[:end] and path.exists() and path.is_relative_to(out.resolve()):
                message = f"{out} holds what is read ({text[:end]}); choose another name"
                raise OutputExistsError(message)


def refuse_same(out: Path, html: Path) -> None:
    """Refuse a folder and a file that are one path.

    Raises
    ------
    OutputExistsError
        If they are.
    """
    if out.resolve() == html.resolve():
        message = f"--out {out} and --html {html} are the same path; choose two names"
        raise OutputExistsError(message)


def write_whole(path: Path, text: str | Iterable[str]) -> None:
    """Write `text`, whole or in pieces, to the file `path`, all of it or nothing.

    Raises
    ------
    OSError
        With `path` as its file name.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        try:
            with partial.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines([text] if isinstance(text, str) else text)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _check_parent(path: Path) -> None:
    """Refuse `path` if the nearest folder above it that exists takes no file."""
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):  # permission bits do not say all: a disk may be read-only
            pass
    except OSError as error:
        message = f"{path}: cannot be written: {error.strerror or error}"
        raise SimulatorError(message) from error
