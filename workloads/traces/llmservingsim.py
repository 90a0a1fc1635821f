"""LLMServingSim: JSON Lines of requests and of sessions, mixed as they come.

A request: ``input_toks``, ``output_toks``, ``arrival_time_ns``, and perhaps ``input_tok_ids``,
``output_tok_ids``.  A session: ``session_id``, ``arrival_time_ns``, ``sub_requests`` of ``input_toks``,
``output_toks``, ``tool_duration_ns``. All times are nanoseconds.  Each sub-request but the first is sent
when the one before has ended and its tool has run; the last tool is without effect.  From the workload
pages of casys-kaist/LLMServingSim.

Lines may stand in any order and are put into that of their arrivals.  Prefix blocks are taken from the
token ids where there are some: whole blocks of 16 tokens.

Ignored: the ids of output tokens.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import nan
from pathlib import Path
from typing import Final

import numpy as np

from workloads.traces.cutting import in_order
from workloads.traces.faults import Faults, shown
from workloads.traces.json_rows import Row, rows_in
from workloads.traces.seam import Head, Reading
from workloads.traces.sources import opened
from workloads.traces.table import NONE, Gathered, IntArray, PrefixBlocks, Trace
from workloads.traces.tables import NO_OUTPUT, NO_PROMPT, count
from workloads.traces.values import MOST_SECONDS

NS_PER_S: Final = 1e9
MOST_NS: Final = int(MOST_SECONDS * NS_PER_S)

BLOCK_TOKENS: Final = 16
"""Tokens of the blocks that token ids are cut into: the block of vLLM's KV cache."""

DIGEST_BYTES: Final = 16
"""Size of what stands for the ids of a block, which would be ten times as large: two that are equal by chance
are to be expected among 2^64 blocks."""

FLAT: Final = frozenset({"input_toks", "output_toks", "arrival_time_ns", "input_tok_ids", "output_tok_ids"})
SESSION: Final = frozenset({"session_id", "arrival_time_ns", "sub_requests"})
PART: Final = frozenset({"input_toks", "output_toks", "tool_duration_ns", "input_tok_ids", "output_tok_ids"})

BROKEN: Final = "follows a sub-request that was left out"


@dataclass
class _Rows:
    """What is gathered of a file."""

    columns: Gathered = field(default_factory=Gathered)
    dropped: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    sessions: int = 0
    count: int = 0
    last_ns: int = 0
    late: int = 0
    prefixes: dict[bytes, int] = field(default_factory=dict)

    def add(self, row: Row, arrival_s: float, *, parent: int, tool_s: float, session: int) -> bool:
        """Append a request; say whether it was kept."""
        prompt, output = row.tokens("input_toks"), row.tokens("output_toks")
        if not prompt or not output:
            count(self.dropped, NO_OUTPUT if prompt else NO_PROMPT)
            return False
        add = self.columns.add
        add("arrival_s", arrival_s)
        add("prompt_tokens", prompt)
        add("output_tokens", output)
        add("parents", parent)
        add("tool_s", tool_s)
        add("sessions", session)
        add("blocks", self._blocks(row, prompt))
        self.count += 1
        return True

    def arrival_s(self, row: Row) -> float:
        """Return when a line's request is sent, s."""
        ns = row.whole("arrival_time_ns", most=MOST_NS, allowed="a whole number of nanoseconds from 0")
        self.late += ns < self.last_ns
        self.last_ns = max(ns, self.last_ns)
        return ns / NS_PER_S

    def _blocks(self, row: Row, prompt: int) -> int:
        """Append the prefix blocks of a prompt whose token ids are known; return how many there are."""
        ids = row.values.get("input_tok_ids")
        if ids is None:
            return 0
        if not isinstance(ids, list) or not all(type(one) is int for one in ids):
            row.refuse("input_tok_ids", f"{shown(ids)} is not a list of whole numbers")
            return 0
        if len(ids) != prompt:
            row.refuse("input_tok_ids", f"has {len(ids)} ids, input_toks is {prompt}")
        before, blocks = NONE, prompt // BLOCK_TOKENS
        for start in range(0, blocks * BLOCK_TOKENS, BLOCK_TOKENS):
            try:
                block = array("q", [before, *ids[start : start + BLOCK_TOKENS]])
            except OverflowError:
                row.refuse("input_tok_ids", f"an id in {start} to {start + BLOCK_TOKENS} is beyond 64 bits")
                return 0
            key = blake2b(block.tobytes(), digest_size=DIGEST_BYTES).digest()
            before = self.prefixes.setdefault(key, len(self.prefixes))
            self.columns.add("ids", before)
        return blocks


@dataclass(frozen=True)
class LlmServingSim:
    """The reader of LLMServingSim's traces."""

    name: str = "llmservingsim"
    about: str = "LLMServingSim: JSON Lines with arrival_time_ns and input_toks, output_toks or sub_requests"

    @property
    def needed(self) -> tuple[str, ...]:
        """Fields of a request."""
        return ("arrival_time_ns", "input_toks", "output_toks")

    def recognises(self, head: Head) -> bool:
        """Say whether there are arrivals in nanoseconds with lengths or sub-requests."""
        lengths = head.has("input_toks", "output_toks") or head.has("sub_requests")
        return head.kind == "jsonl" and head.has("arrival_time_ns") and lengths

    def read(self, path: Path, how: Reading) -> Trace:
        """Return the trace."""
        faults, rows = Faults(path), _Rows()
        with opened(path, how.progress) as source:
            for row in rows_in(source, faults):
                if "sub_requests" in row.values:
                    _session(row, rows)
                else:
                    rows.unknown |= dict.fromkeys(row.values.keys() - FLAT)
                    rows.add(row, rows.arrival_s(row), parent=NONE, tool_s=nan, session=NONE)
        faults.check()
        columns = rows.columns
        chains, blocks = rows.sessions > 0, columns.whole("blocks")
        offsets = np.concatenate(([0], np.cumsum(blocks))).astype(np.int64)
        trace = Trace(
            self.name,
            columns.floats("arrival_s"),
            columns.whole("prompt_tokens"),
            columns.whole("output_tokens"),
            blocks=PrefixBlocks(offsets, columns.whole("ids"), BLOCK_TOKENS) if blocks.any() else None,
            dropped=rows.dropped,
            ignored=tuple(sorted(rows.unknown)),
        )
        if chains:
            parents: IntArray = columns.whole("parents")
            tool_s, sessions = columns.floats("tool_s"), columns.whole("sessions")
            trace = replace(trace, parents=parents, tool_s=tool_s, sessions=sessions)
        if not rows.late:
            return trace
        note = f"Lines that stood after later ones and were put in the order of their arrivals: {rows.late}."
        return replace(in_order(trace), notes=(note,))


def _session(row: Row, rows: _Rows) -> None:
    """Append the sub-requests of a session, each after the one before."""
    rows.unknown |= dict.fromkeys(row.values.keys() - SESSION)
    arrival_s = rows.arrival_s(row)
    parts = row.values["sub_requests"]
    if not isinstance(parts, list) or not parts:
        row.refuse("sub_requests", f"{shown(parts)} is not a list of one or more sub-requests")
        return
    parent, tool_s = NONE, nan
    for number, values in enumerate(parts):
        if not isinstance(values, dict):
            row.refuse(f"sub_requests[{number}]", f"{shown(values)} is no JSON object")
            return
        rows.unknown |= dict.fromkeys(values.keys() - PART)
        part = Row(row.line, values, row.faults, f"sub_requests[{number}].")
        time_s = arrival_s if parent == NONE else nan
        if not rows.add(part, time_s, parent=parent, tool_s=tool_s, session=rows.sessions):
            count(rows.dropped, BROKEN, len(parts) - number - 1)
            break
        parent = rows.count - 1
        tool_s = _tool_s(part)
    rows.sessions += 1


def _tool_s(part: Row) -> float:
    if "tool_duration_ns" not in part.values:
        return 0.0
    allowed = "a whole number of nanoseconds from 0"
    return part.whole("tool_duration_ns", most=MOST_NS, allowed=allowed) / NS_PER_S


LLMSERVINGSIM: Final = LlmServingSim()
