"""From a file to its runs: whose file it is is seen by what it holds, not by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from simulator.errors import TraceFormatError
from simulator.measured.bench import BenchRun
from simulator.measured.json_objects import JsonObject, objects_in, read_text
from simulator.measured.sglang import SGLANG
from simulator.measured.unread import array_of, object_of, text_of
from simulator.measured.vllm import VLLM


class Reader(Protocol):
    """What reads the runs of one tool."""

    @property
    def tool(self) -> str:
        """Its name."""

    @property
    def marks(self) -> frozenset[str]:
        """Fields of its objects; half of them tell one."""

    def read(self, source: JsonObject) -> BenchRun:
        """Return the run of an object."""


READERS: Final[tuple[Reader, ...]] = (VLLM, SGLANG)
LEAST_MARKS_RATIO: Final = 0.5


def read_runs(path: Path) -> list[BenchRun]:
    """Return the runs of a benchmark's file, in its order.

    Raises
    ------
    TraceFormatError
        If it cannot be read, is no file of a tool in `READERS`, or a run in it is wrong: all faults.
    """
    text = read_text(path)
    array = array_of(text.lstrip(), path.name)
    if array:
        message = f"{path}:1: {array}"
        raise TraceFormatError(message)
    if not text.lstrip().startswith("{"):
        looks = text_of(text.lstrip())
        message = f"{path}:1: is no JSON" + (f"; it looks like {looks}" if looks else "") + f"; {_read()}"
        raise TraceFormatError(message)
    sources = objects_in(text, path)
    runs, faults = list[BenchRun](), list[str]()
    for reader, source in [(_reader(source), source) for source in sources]:
        try:
            runs.append(reader.read(source))
        except TraceFormatError as error:
            faults.append(str(error))
    if faults:
        raise TraceFormatError("\n".join(faults))
    return runs


def _reader(source: JsonObject) -> Reader:
    def share(reader: Reader) -> float:
        return len(reader.marks & source.values.keys()) / len(reader.marks)

    best = max(READERS, key=share)
    if share(best) >= LEAST_MARKS_RATIO:
        return best
    tool = object_of(source.values.keys())
    looks = f"looks like {tool}, which is not read yet" if tool else "is of no benchmark that is known"
    message = f"{source.path}:{source.line}: object {source.number} {looks}; {_read()}"
    raise TraceFormatError(message)


def _read() -> str:
    return f"read are: {', '.join(reader.tool for reader in READERS)}"
