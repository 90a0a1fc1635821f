"""JSON Lines with block hashes: Mooncake and Bailian.

Mooncake: ``timestamp`` (whole ms), ``input_length``, ``output_length``, ``hash_ids`` of blocks of 512
tokens; from FAST25-release of kvcache-ai/Mooncake.  Its conversation trace has times in ticks of 3 s.

Bailian: ``chat_id``, ``parent_chat_id`` (-1 at the first turn), ``timestamp`` (s), ``input_length``,
``output_length``, ``type``, ``turn``, ``hash_ids`` of blocks of 16 tokens; from the page of
alibaba-edu/qwen-bailian-usagetraces-anon.

Ignored: Bailian's type and turn.  A Bailian parent that is not in the file, or was left out, is no parent
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from workloads.traces.faults import Faults
from workloads.traces.json_rows import Row, rows_in
from workloads.traces.kinship import parents_among, sessions_of
from workloads.traces.seam import Head, Reading
from workloads.traces.sources import opened
from workloads.traces.table import NONE, Gathered, IntArray, PrefixBlocks, Trace
from workloads.traces.tables import NO_OUTPUT, NO_PROMPT, count
from workloads.traces.values import MOST_SECONDS

FIELDS: Final = ("timestamp", "input_length", "output_length", "hash_ids")
MS_PER_S: Final = 1000


@dataclass(frozen=True)
class HashedJsonl:
    """A format of JSON Lines with block hashes.

    Parameters
    ----------
    name, about : see `Reader`.
    block_tokens : tokens of a block.
    chats : rows name their chat and its parent; else the times are whole milliseconds.
    """

    name: str
    about: str
    block_tokens: int
    chats: bool

    @property
    def needed(self) -> tuple[str, ...]:
        """Times and lengths; for Mooncake also blocks, for Bailian the chat."""
        return (*FIELDS[:3], "chat_id") if self.chats else FIELDS

    def recognises(self, head: Head) -> bool:
        """Say whether the fields of Mooncake are there, and for Bailian those of chats."""
        is_chat = "chat_id" in head.fields or "parent_chat_id" in head.fields
        return head.kind == "jsonl" and head.has(*self.needed) and is_chat == self.chats

    def read(self, path: Path, how: Reading) -> Trace:
        """Return the trace."""
        faults, gathered, dropped = Faults(path), Gathered(), dict[str, int]()
        unknown = dict[str, None]()
        with opened(path, how.progress) as source:
            last = -1.0
            for row in rows_in(source, faults):
                unknown |= dict.fromkeys(row.values.keys() - self._known)
                last = self._keep(row, gathered, dropped, last)
        faults.check()
        lengths = gathered.whole("blocks")
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        ids, parents = self._kin(gathered)
        return Trace(
            self.name,
            gathered.floats("arrival_s"),
            gathered.whole("prompt_tokens"),
            gathered.whole("output_tokens"),
            request_ids=ids,
            parents=parents,
            sessions=None if parents is None else sessions_of(parents),
            blocks=PrefixBlocks(offsets, gathered.whole("ids"), self.block_tokens) if lengths.any() else None,
            dropped=dropped,
            ignored=tuple(sorted(unknown)),
            notes=_notes(gathered, parents),
        )

    @property
    def _known(self) -> set[str]:
        return {*FIELDS, *(("chat_id", "parent_chat_id", "type", "turn") if self.chats else ())}

    def _keep(self, row: Row, gathered: Gathered, dropped: dict[str, int], last: float) -> float:
        """Append a row; return its time, s."""
        time_s = self._time_s(row)
        if time_s < last:
            row.refuse("timestamp", "is earlier than that of the row before; sort the file by it")
        prompt, output = row.tokens("input_length"), row.tokens("output_length")
        if not prompt or not output:
            count(dropped, NO_OUTPUT if prompt else NO_PROMPT)
            return time_s
        if self.chats:
            gathered.add("request_ids", row.whole("chat_id", least=NONE))
            gathered.add(
                "parent_ids",
                row.whole("parent_chat_id", least=NONE) if "parent_chat_id" in row.values else NONE,
            )
        gathered.add("arrival_s", time_s)
        gathered.add("prompt_tokens", prompt)
        gathered.add("output_tokens", output)
        blocks = 0
        if "hash_ids" in row.values or not self.chats:
            blocks = row.ids_into(gathered, "ids", "hash_ids")
            most = -(-prompt // self.block_tokens)
            if blocks > most:
                row.refuse(
                    "hash_ids",
                    f"{blocks} blocks of {self.block_tokens} tokens, a prompt of {prompt} has {most}",
                )
        gathered.add("blocks", blocks)
        return time_s

    def _time_s(self, row: Row) -> float:
        if self.chats:
            return row.number(
                "timestamp", most=MOST_SECONDS, allowed=f"a number of seconds in [0, {MOST_SECONDS:g}]"
            )
        allowed = "a whole number of milliseconds from 0"
        return row.whole("timestamp", most=int(MOST_SECONDS) * MS_PER_S, allowed=allowed) / MS_PER_S

    def _kin(self, gathered: Gathered) -> tuple[IntArray | None, IntArray | None]:
        """Return the ids of the requests and the rows of their parents."""
        if not self.chats:
            return None, None
        ids = gathered.whole("request_ids")
        return ids, parents_among(ids, gathered.whole("parent_ids"))


def _notes(gathered: Gathered, parents: IntArray | None) -> tuple[str, ...]:
    if parents is None:
        return ()
    missing = int(((gathered.whole("parent_ids") != NONE) & (parents == NONE)).sum())
    if not missing:
        return ()
    return (
        f"Rows whose parent does not stand before them in the file, so that they begin a session: {missing}.",
    )


MOONCAKE: Final = HashedJsonl(
    name="mooncake",
    about="Mooncake: JSON Lines with timestamp (ms), input_length, output_length, hash_ids of 512 tokens",
    block_tokens=512,
    chats=False,
)
BAILIAN: Final = HashedJsonl(
    name="bailian",
    about="Bailian: JSON Lines with chat_id, parent_chat_id, timestamp (s), hash_ids of 16 tokens",
    block_tokens=16,
    chats=True,
)
