"""From a file to its runs: whose file it is is seen by what it holds, not by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from simulator.errors import TraceFormatError
from simulator.measured import own_form, scrapes, tables
from simulator.measured.aiperf import RECORDS, SUMMARY
from simulator.measured.bench import BenchRun
from simulator.measured.guidellm import GUIDELLM
from simulator.measured.inferencex import INFERENCEX
from simulator.measured.json_objects import JsonObject, objects_in, read_text
from simulator.measured.llmservingsim import LLMSERVINGSIM
from simulator.measured.sglang import SGLANG
from simulator.measured.unread import array_of, object_of, text_of
from simulator.measured.vllm import VLLM


class Reader(Protocol):
    """What reads the JSON objects of one tool."""

    @property
    def tool(self) -> str:
        """Its name."""

    @property
    def marks(self) -> frozenset[str]:
        """Fields of its objects; half of them tell one."""

    def read(self, sources: Sequence[JsonObject]) -> list[BenchRun]:
        """Return the runs of objects that follow one another in a file."""


class TextReader(NamedTuple):
    """What reads the texts of one tool that are no JSON.

    Parameters
    ----------
    tool : its name.
    knows : says whether a text is one of its own.
    read : returns the runs of a text; called with the text and its path.
    """

    tool: str
    knows: Callable[[str], bool]
    read: Callable[[str, Path], list[BenchRun]]


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


def read_measured(paths: Sequence[Path]) -> list[BenchRun]:
    """Return the runs of one file, or the run between two scrapes of a server.

    Raises
    ------
    TraceFormatError
        As `read_runs`, or if several files are given that are no two scrapes.
    """
    if len(paths) == 1:
        return read_runs(paths[0])
    scraped = [scrapes.knows(read_text(path)) for path in paths]
    if len(paths) == 2 and all(scraped):  # noqa: PLR2004 - before and after
        return [scrapes.difference(*paths)]
    message = "\n".join(
        f"{path}: is {'a' if is_scrape else 'no'} scrape of vLLM's /metrics; several files are read where "
        "they are two scrapes, the one before the run first"
        for path, is_scrape in zip(paths, scraped, strict=True)
    )
    raise TraceFormatError(message)


def read_runs(path: Path) -> list[BenchRun]:
    """Return the runs of a benchmark's file, in its order.

    Raises
    ------
    TraceFormatError
        If it cannot be read, is no file of a tool that is known, or a run in it is wrong: all faults.
    """
    text = read_text(path)
    array = array_of(text.lstrip(), path.name)
    if array:
        message = f"{path}:1: {array}"
        raise TraceFormatError(message)
    if not text.lstrip().startswith("{"):
        return _runs_of_text(text, path)
    runs, faults = list[BenchRun](), list[str]()
    found = [(_reader(source), source) for source in objects_in(text, path)]
    for reader, group in groupby(found, key=lambda each: each[0]):
        try:
            runs += reader.read([source for _, source in group])
        except TraceFormatError as error:
            faults.append(str(error))
    if faults:
        raise TraceFormatError("\n".join(faults))
    return runs


def _runs_of_text(text: str, path: Path) -> list[BenchRun]:
    for reader in TEXT_READERS:
        if reader.knows(text):
            return reader.read(text, path)
    looks = text_of(text.lstrip())
    message = f"{path}:1: is no JSON" + (f"; it looks like {looks}" if looks else "") + f"; {_read()}"
    raise TraceFormatError(message)


def _reader(source: JsonObject) -> Reader:
    def share(reader: Reader) -> float:
        return len(reader.marks & source.values.keys()) / len(reader.marks)

    best = max(READERS, key=share)
    if share(best) >= LEAST_MARKS_RATIO:
        return best
    tool = object_of(source.values.keys())
    looks = f"looks like {tool}" if tool else "is of no benchmark that is known"
    message = f"{source.path}:{source.line}: object {source.number} {looks}; {_read()}"
    raise TraceFormatError(message)


def _read() -> str:
    tools = [*(reader.tool for reader in READERS), *(reader.tool for reader in TEXT_READERS)]
    return f"read are: {', '.join(tools)}"
