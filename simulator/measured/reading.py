"""From a file to its runs: whose file it is is seen by what it holds, not by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from simulator.errors import TraceFormatError
from simulator.measured import own_form, scrapes, tables
from simulator.measured.aiperf import RECORDS, SUMMARY
from simulator.measured.bench import BenchRun
from simulator.measured.guidellm import GUIDELLM, LISTED
from simulator.measured.inferencex import INFERENCEX
from simulator.measured.json_objects import JsonObject, objects_in
from simulator.measured.llmservingsim import LLMSERVINGSIM
from simulator.measured.opening import head_of, opened_result
from simulator.measured.plausible import units
from simulator.measured.sglang import SGLANG
from simulator.measured.unread import array_of, object_of, text_of
from simulator.measured.vllm import VLLM
from simulator.text_files import Source


class Reader(Protocol):
    """What reads the JSON objects of one tool."""

    @property
    def tool(self) -> str:
        """Its name."""

    @property
    def marks(self) -> frozenset[str]:
        """Fields of its objects; half of them tell one."""

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return the runs of the objects of a file."""


class TextReader(NamedTuple):
    """What reads the texts of one tool that are no JSON.

    Parameters
    ----------
    tool : its name.
    knows : says by the beginning of a text whether it is one of its own.
    read : returns the runs of an opened file.
    """

    tool: str
    knows: Callable[[str], bool]
    read: Callable[[Source], list[BenchRun]]


READERS: Final[tuple[Reader, ...]] = (
    VLLM,
    SGLANG,
    RECORDS,
    SUMMARY,
    GUIDELLM,
    INFERENCEX,
    LLMSERVINGSIM,
)
TEXT_READERS: Final = (
    TextReader(tables.TOOL, tables.knows, tables.read),
    TextReader(own_form.TOOL, own_form.knows, own_form.read),
    TextReader(f"{scrapes.TOOL} (two files)", scrapes.knows, scrapes.read),
)
LEAST_MARKS_RATIO: Final = 0.5


def read_measured(paths: Sequence[Path], *, units_are_right: bool = False) -> list[BenchRun]:
    """Return the runs of one file, or the run between two scrapes of a server.

    Parameters
    ----------
    paths : one file, or the scrape before the run and the one after it.
    units_are_right : times and rates that no server is known to have are taken as they are.

    Raises
    ------
    TraceFormatError
        As `read_runs`, or if several files are given that are no two scrapes.
    """
    if len(paths) == 1:
        return read_runs(paths[0], units_are_right=units_are_right)
    scraped = [scrapes.knows(head_of(path)) for path in paths]
    if len(paths) == 2 and all(scraped):  # noqa: PLR2004 - before and after
        with units(right=units_are_right):
            return [scrapes.difference(*paths)]
    message = "\n".join(
        f"{path}: is {'a' if is_scrape else 'no'} scrape of vLLM's /metrics; several files are read where "
        "they are two scrapes, the one before the run first"
        for path, is_scrape in zip(paths, scraped, strict=True)
    )
    raise TraceFormatError(message)


def read_runs(path: Path, *, units_are_right: bool = False) -> list[BenchRun]:
    """Return the runs of a benchmark's file, in its order.

    Parameters
    ----------
    path : the file.
    units_are_right : times and rates that no server is known to have are taken as they are.

    Raises
    ------
    TraceFormatError
        If it cannot be read, is no file of a tool that is known, or a run in it is wrong: all faults.
    """
    head = head_of(path)
    array = array_of(head.lstrip(), path.name)
    if array:
        message = f"{path}:1: {array}"
        raise TraceFormatError(message)
    if not head.lstrip().startswith("{"):
        reader = _text_reader(head, path)
        with opened_result(path) as source, units(right=units_are_right):
            return reader.read(source)
    with opened_result(path) as source, units(right=units_are_right):
        objects = objects_in(source, LISTED)
        first = next(objects)
        return _runs_of(_reader(first), first, objects)


def _runs_of(reader: Reader, first: JsonObject, rest: Iterator[JsonObject]) -> list[BenchRun]:
    """Return the runs of a file's objects.

    Raises
    ------
    TraceFormatError
        With what is wrong with those before the one that cannot be read, and with that.
    """
    wrong = list[str]()
    try:
        runs = reader.read(_of_one_tool(reader, first, rest, wrong))
    except TraceFormatError as error:
        wrong.insert(0, str(error))
    if wrong:
        raise TraceFormatError("\n".join(wrong))
    return runs


def _of_one_tool(
    reader: Reader, first: JsonObject, rest: Iterator[JsonObject], wrong: list[str]
) -> Iterator[JsonObject]:
    """Yield the objects of a file up to one that cannot be read or that another tool wrote, and say so."""
    yield first
    try:
        for source in rest:
            other = _reader(source)
            if other is not reader:
                wrong.append(
                    f"{source.path}:{source.line}: object {source.number} is of {other.tool}, but the first "
                    f"is of {reader.tool}: put the results of each tool into a file of their own"
                )
                return
            yield source
    except TraceFormatError as error:
        wrong.append(str(error))


def _text_reader(head: str, path: Path) -> TextReader:
    for reader in TEXT_READERS:
        if reader.knows(head):
            return reader
    looks = text_of(head.lstrip())
    message = f"{path}:1: is no JSON" + (f"; it looks like {looks}" if looks else "") + f"; {_read()}"
    raise TraceFormatError(message)


def _reader(source: JsonObject) -> Reader:
    """Return the reader that knows most fields of an object.

    Raises
    ------
    TraceFormatError
        If none knows enough of them.
    """
    keys = source.values.keys()
    best = max(READERS, key=lambda reader: len(reader.marks & keys) / len(reader.marks))
    if len(best.marks & keys) >= LEAST_MARKS_RATIO * len(best.marks):
        return best
    tool = object_of(keys)
    looks = f"looks like {tool}" if tool else "is of no benchmark that is known"
    message = f"{source.path}:{source.line}: object {source.number} {looks}; {_read()}"
    raise TraceFormatError(message)


def _read() -> str:
    tools = [*(reader.tool for reader in READERS), *(reader.tool for reader in TEXT_READERS)]
    return f"read are: {', '.join(tools)}"
