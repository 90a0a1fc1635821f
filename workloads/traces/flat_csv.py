"""CSV formats in which a row is a request: Azure, Splitwise, Vidur and BurstGPT.

Azure: ``TIMESTAMP,ContextTokens,GeneratedTokens``, naive moments with 7 digits (2023) or with 6 and
``+00:00``, some without a fraction (2024); from Azure/AzurePublicDataset.  The first row is moment 0.

Splitwise: ``request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size``,
seconds; as ``generate_trace.py`` of Mutinifni/splitwise-sim writes it.

Vidur: ``arrived_at,num_prefill_tokens,num_decode_tokens``, seconds; as the trace generators of
microsoft/vidur and its forks read it.

BurstGPT: ``Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type``, with ``Session
ID,Elapsed time`` after the first from v3 on; seconds of a clock that does not begin at the first row,
which is moment 0 here.  A response of 0 tokens is a failure.  From the page of HPMLL/BurstGPT.

Ignored: Azure's and BurstGPT's models and log types; BurstGPT's elapsed time, the provider's latency;
which turn of its session a row of BurstGPT is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np

from workloads.traces.faults import Faults
from workloads.traces.seam import Head, Reading
from workloads.traces.sources import opened
from workloads.traces.table import NONE, FloatArray, Gathered, IntArray, Trace
from workloads.traces.tables import Clock, CsvTable, keep_served
from workloads.traces.values import SECONDS, STAMPS, TOKENS_OR_ZERO, Kind, whole

NS_PER_S: Final = 1e9
ONE: Final = Kind("1, the one size of a batch that can be read", np.int64, 1, 1, whole)


@dataclass(frozen=True)
class FlatCsv:
    """A CSV format whose rows are requests with a time and two lengths.

    Parameters
    ----------
    name, about : see `Reader`.
    time, prompt, output : its columns.
    known : its further columns, of which nothing is said.
    session : column of texts that are equal for requests of a session.
    batch : column of how many requests a row is; refused where it is not 1.
    clock : what the times are.
    rebased : the first row is moment 0.
    """

    name: str
    about: str
    time: str
    prompt: str
    output: str
    known: tuple[str, ...] = ()
    session: str | None = None
    batch: str | None = None
    clock: Kind = SECONDS
    rebased: bool = False

    needless: ClassVar[tuple[str, ...]] = ("",)
    """The column without a name that pandas writes."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Its three columns."""
        return (self.time, self.prompt, self.output)

    def recognises(self, head: Head) -> bool:
        """Say whether the header has the three columns."""
        return head.kind == "csv" and head.has(*self.needed)

    def read(self, path: Path, how: Reading) -> Trace:
        """Return the trace."""
        faults, gathered, dropped = Faults(path), Gathered(), dict[str, int]()
        sessions: dict[str, int] | None = None
        with opened(path, how.progress) as source:
            table = CsvTable(source, faults)
            clock = Clock(self.time, faults)
            if self.session in table.header:
                sessions = {}
            for chunk in table.chunks(*self._wanted(table.header)):
                times = chunk.columns[self.time]
                clock.check(times, chunk.lines, chunk.texts.get(self.time, ()))
                rows = {"arrival": times, "prompt_tokens": chunk.columns[self.prompt]}
                rows["output_tokens"] = chunk.columns[self.output]
                if sessions is not None and self.session is not None:
                    rows["sessions"] = numbered(chunk.texts[self.session], sessions)
                keep_served(gathered, rows, dropped)
            ignored = table.unknown(*self._known, *self.known, *self.needless)
        faults.check()
        return Trace(
            self.name,
            self._seconds(gathered),
            gathered.whole("prompt_tokens"),
            gathered.whole("output_tokens"),
            sessions=gathered.whole("sessions") if sessions else None,
            dropped=dropped,
            ignored=ignored,
        )

    @property
    def _known(self) -> tuple[str, ...]:
        names = (self.time, self.prompt, self.output, self.session, self.batch)
        return tuple(name for name in names if name is not None)

    def _wanted(self, header: Sequence[str]) -> tuple[dict[str, Kind], list[str]]:
        wanted = {self.time: self.clock, self.prompt: TOKENS_OR_ZERO, self.output: TOKENS_OR_ZERO}
        if self.batch in header and self.batch is not None:
            wanted[self.batch] = ONE
        texts = [self.session] if self.session in header and self.session is not None else []
        return wanted, [*texts, self.time] if self.clock is STAMPS else texts

    def _seconds(self, gathered: Gathered) -> FloatArray:
        if self.clock is STAMPS:
            stamps = gathered.whole("arrival")
            seconds: FloatArray = (stamps - stamps[:1].sum()) / NS_PER_S
            return seconds
        times = gathered.floats("arrival")
        return times - times[:1].sum() if self.rebased else times


def numbered(names: Sequence[str], numbers: dict[str, int]) -> IntArray:
    """Return the number of each name in the order in which they appeared; that of a blank one is `NONE`.

    Examples
    --------
    >>> numbered(["b", "", "a", "b"], {}).tolist()
    [0, -1, 1, 0]
    """
    found = [NONE if not name.strip() else numbers.setdefault(name, len(numbers)) for name in names]
    return np.array(found, dtype=np.int64)


AZURE: Final = FlatCsv(
    name="azure",
    about="Azure LLM inference traces of 2023 and 2024: CSV with TIMESTAMP, ContextTokens, GeneratedTokens",
    time="TIMESTAMP",
    prompt="ContextTokens",
    output="GeneratedTokens",
    clock=STAMPS,
)
SPLITWISE: Final = FlatCsv(
    name="splitwise",
    about="Splitwise: CSV with arrival_timestamp (s), prompt_size, token_size",
    time="arrival_timestamp",
    prompt="prompt_size",
    output="token_size",
    known=("request_id", "request_type", "application_id"),
    batch="batch_size",
)
VIDUR: Final = FlatCsv(
    name="vidur",
    about="Vidur: CSV with arrived_at (s), num_prefill_tokens, num_decode_tokens",
    time="arrived_at",
    prompt="num_prefill_tokens",
    output="num_decode_tokens",
    known=("request_id", "num_total_tokens", "pd_ratio"),
)
BURSTGPT: Final = FlatCsv(
    name="burstgpt",
    about="BurstGPT v1, v2, v3: CSV with Timestamp (s), Request tokens, Response tokens",
    time="Timestamp",
    prompt="Request tokens",
    output="Response tokens",
    known=("Model", "Total tokens", "Log Type", "Elapsed time"),
    session="Session ID",
    rebased=True,
)
