"""Our own form: CSV or Parquet, a row a request; also what `kinesim trace --convert` writes.

| column | unit | |
| --- | --- | --- |
| arrival_s | s | when it was sent; blank where it follows its parent |
| prompt_tokens, output_tokens | tokens | lengths |
| request_id | - | whole number |
| parent_id | - | request that it continues or follows, before it in the file; blank for none |
| tool_s | s | from the end of the parent to the request; blank where it is not recorded |
| session | - | whole number; blank for none |
| prefix_blocks | - | ids of its prefix blocks; in CSV with blanks between |
| prefix_block_tokens | tokens | size of a block, the same in every row |

Only arrival_s must be there; without prompt_tokens or output_tokens the scenario says them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.errors import TraceFormatError
from workloads.traces.faults import Faults, shown
from workloads.traces.kinship import parents_among
from workloads.traces.seam import Head, Reading
from workloads.traces.sources import opened
from workloads.traces.table import NONE, FloatArray, Gathered, IntArray, PrefixBlocks, Trace
from workloads.traces.tables import CsvTable
from workloads.traces.values import IDS, MOST_SECONDS, SECONDS, TOKENS, Kind

BLANK_SECONDS: Final = Kind(
    f"{SECONDS.allowed} or blank",
    np.float64,
    -np.inf,
    MOST_SECONDS,
    lambda text: float(text) if text else -np.inf,
)
BLANK_ID: Final = Kind(
    f"{IDS.allowed} or blank", np.int64, NONE, IDS.most, lambda text: int(text) if text else NONE
)

KINDS: Final[dict[str, Kind]] = {
    "arrival_s": SECONDS,
    "prompt_tokens": TOKENS,
    "output_tokens": TOKENS,
    "request_id": IDS,
    "parent_id": BLANK_ID,
    "tool_s": BLANK_SECONDS,
    "session": BLANK_ID,
    "prefix_block_tokens": TOKENS,
}
BLOCKS: Final = "prefix_blocks"
COLUMNS: Final = (*KINDS, BLOCKS)
"""All columns, in the order in which they are written."""

NEEDED: Final = "arrival_s"


@dataclass
class OwnRows:
    """Rows of our form while they are gathered and checked, from either kind of file.

    Parameters
    ----------
    faults : takes what is wrong.
    columns : those that the file has.
    """

    faults: Faults
    columns: Sequence[str]
    gathered: Gathered = field(default_factory=Gathered)
    last_s: float = 0.0
    _rows: int = 0
    _lines: list[tuple[int, Sequence[int]]] = field(default_factory=list)
    """First row and lines of each chunk: nearly always a range, which is no column of numbers."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """Kinds of the columns of numbers; arrivals may be blank where rows can follow others."""
        kinds = {name: kind for name, kind in KINDS.items() if name in self.columns}
        if "tool_s" in kinds and "parent_id" in kinds:
            kinds[NEEDED] = BLANK_SECONDS
        return kinds

    def add(self, numbers: dict[str, Any], blocks: Iterable[IntArray] | None, lines: Sequence[int]) -> None:
        """Append the rows of a chunk."""
        for name in ("arrival_s", "tool_s"):
            if name in numbers:
                self._check_seconds(name, numbers[name], lines)
        for name, values in numbers.items():
            self.gathered.extend(name, values)
        self._lines.append((self._rows, lines))
        self._rows += len(lines)
        for ids in blocks or ():
            self.gathered.extend("ids", ids)
            self.gathered.add("blocks", len(ids))

    def _check_seconds(self, name: str, values: FloatArray, lines: Sequence[int]) -> None:
        """Refuse times below 0 and arrivals that go back; blanks become NaN."""
        values[np.isneginf(values)] = np.nan
        for place in np.flatnonzero(values < 0).tolist():
            self.faults.add(lines[place], name, f"{values[place]} is not {self.kinds[name].allowed}")
        if name != NEEDED:
            return
        known = np.flatnonzero(~np.isnan(values))
        times = np.concatenate(([self.last_s], values[known]))
        for place in np.flatnonzero(np.diff(times) < 0).tolist():
            message = f"{times[place + 1]} is earlier than {times[place]} of the row before; sort by arrival"
            self.faults.add(lines[known[place]], name, message)
        self.last_s = float(times[-1])

    def trace(self, ignored: tuple[str, ...]) -> Trace:
        """Return the trace.

        Raises
        ------
        TraceFormatError
            With all faults.
        """
        whole_column = self.gathered.whole
        ids = whole_column("request_id") if "request_id" in self.columns else None
        parents = self._parents(ids)
        tool_s = self.gathered.floats("tool_s") if "tool_s" in self.columns else None
        arrivals = self.gathered.floats(NEEDED)
        for row in np.flatnonzero(np.isnan(arrivals)).tolist():
            if parents is None or tool_s is None or parents[row] == NONE or np.isnan(tool_s[row]):
                self._refuse(row, NEEDED, "is blank, and the row has no parent_id and tool_s that it follows")
        blocks = self._blocks()
        self.faults.check()
        return Trace(
            "kinesim",
            arrivals,
            whole_column("prompt_tokens") if "prompt_tokens" in self.columns else None,
            whole_column("output_tokens") if "output_tokens" in self.columns else None,
            request_ids=ids,
            parents=parents,
            tool_s=tool_s,
            sessions=whole_column("session") if "session" in self.columns else None,
            blocks=blocks,
            ignored=ignored,
        )

    def _refuse(self, row: int, name: str, message: str) -> None:
        first, lines = self._lines[bisect_right(self._lines, row, key=itemgetter(0)) - 1]
        self.faults.add(lines[row - first], name, message)

    def _parents(self, ids: IntArray | None) -> IntArray | None:
        if "parent_id" not in self.columns:
            return None
        if ids is None:
            self.faults.add(1, "parent_id", "there is no column request_id that it could name")
            return None
        wanted = self.gathered.whole("parent_id")
        if len(wanted) != len(ids):  # other faults cut a column short
            return None
        if not (ids[1:] > ids[:-1]).all():
            _, first = np.unique(ids, return_index=True)
            for row in np.setdiff1d(np.arange(len(ids)), first).tolist():
                self._refuse(row, "request_id", f"{ids[row]} stands twice")
        parents = parents_among(ids, wanted)
        for row in np.flatnonzero((wanted != NONE) & (parents == NONE)).tolist():
            self._refuse(row, "parent_id", f"{wanted[row]} is no request_id before this row")
        return parents

    def _blocks(self) -> PrefixBlocks | None:
        if BLOCKS not in self.columns:
            return None
        if "prefix_block_tokens" not in self.columns:
            self.faults.add(1, BLOCKS, "there is no column prefix_block_tokens that says their size")
            return None
        sizes = self.gathered.whole("prefix_block_tokens")
        for row in np.flatnonzero(sizes != sizes[:1].sum()).tolist():
            self._refuse(row, "prefix_block_tokens", f"{sizes[row]} is not {sizes[0]} as in the first row")
        lengths = self.gathered.whole("blocks")
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        return PrefixBlocks(offsets, self.gathered.whole("ids"), int(sizes[:1].sum()))


@dataclass(frozen=True)
class OwnForm:
    """The reader of our own form."""

    name: str = "kinesim"
    about: str = "our own: CSV or Parquet with arrival_s (s), prompt_tokens, output_tokens and more"

    @property
    def needed(self) -> tuple[str, ...]:
        """The one column that must be there, and those that nearly all files have."""
        return (NEEDED, "prompt_tokens", "output_tokens")

    def recognises(self, head: Head) -> bool:
        """Say whether there is a column of arrivals as we name it."""
        return head.kind in ("csv", "parquet") and head.has(NEEDED)

    def read(self, path: Path, how: Reading) -> Trace:
        """Return the trace."""
        if is_parquet(path):
            from workloads.traces.parquet import read_parquet  # noqa: PLC0415 - needs an optional extra

            return read_parquet(path, how)
        faults = Faults(path)
        with opened(path, how.progress) as source:
            table = CsvTable(source, faults)
            if NEEDED not in table.header:
                found = ", ".join(map(shown, table.header)) or "nothing"
                message = f"{path}:1: no column {NEEDED!r}; found {found}"
                raise TraceFormatError(message)
            rows = OwnRows(faults, table.header)
            texts = [BLOCKS] if BLOCKS in table.header else []
            for chunk in table.chunks(rows.kinds, texts):
                blocks = _blocks_of(chunk.texts[BLOCKS], chunk.lines, faults) if texts else None
                rows.add(chunk.columns, blocks, chunk.lines)
            ignored = table.unknown(*COLUMNS, "")
        return rows.trace(ignored)


def is_parquet(path: Path) -> bool:
    """Say whether a file begins as Parquet files do."""
    with path.open("rb") as raw:
        return raw.read(4) == b"PAR1"


def _blocks_of(texts: Iterable[str], lines: Sequence[int], faults: Faults) -> Iterable[IntArray]:
    for line, text in zip(lines, texts, strict=True):
        try:
            yield np.array([int(word) for word in text.split()], dtype=np.int64)
        except (ValueError, OverflowError):
            faults.add(line, BLOCKS, f"{shown(text)} is not whole numbers with blanks between")
            yield np.zeros(0, dtype=np.int64)


OWN: Final = OwnForm()
