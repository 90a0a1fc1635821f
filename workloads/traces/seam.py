"""The seam of a trace format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from simulator.text_files import Progress
from workloads.traces.table import Trace


@dataclass(frozen=True, slots=True)
class Head:
    """What a file is recognised by.

    Parameters
    ----------
    path : the file or folder.
    kind : what it is made of.
    fields : columns of its header, keys of its first objects, or names in the folder.
    """

    path: Path
    kind: Literal["csv", "jsonl", "parquet", "folder"]
    fields: tuple[str, ...]

    def has(self, *fields: str) -> bool:
        """Say whether all `fields` are there."""
        return set(fields) <= set(self.fields)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read.

    Parameters
    ----------
    seed : of what is drawn, where a format holds distributions.
    window_s : part to read, for formats that can leave the rest aside, s.
    progress : told how far it is.
    """

    seed: int = 0
    window_s: tuple[float, float] | None = None
    progress: Progress | None = None


class Reader(Protocol):
    """A format of traces."""

    @property
    def name(self) -> str:
        """What scenarios and the command line call it."""
        ...

    @property
    def about(self) -> str:
        """What it looks like, in one line."""
        ...

    @property
    def needed(self) -> tuple[str, ...]:
        """Fields without which no file is of this format, for messages about files that are nearly."""
        ...

    def recognises(self, head: Head) -> bool:
        """Say whether a file that begins so is of this format."""
        ...

    def read(self, path: Path, how: Reading) -> Trace:
        """Return the trace.

        Raises
        ------
        TraceFormatError
            With every fault found.
        """
        ...
