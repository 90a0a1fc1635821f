"""LLMServingSim's ``bench`` against vLLM: ``requests.jsonl``, a line a request, with stamps of the engine.

``arrival_time`` is of another clock than the other stamps, so ``queued_ts`` is the arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simulator.errors import TraceFormatError
from simulator.measured.bench import BenchRun, Requests
from simulator.measured.fields import Fields
from simulator.measured.json_objects import JsonObject
from simulator.measured.summaries import Place, run_of, with_requests

STAMPS: Final = ("queued_ts", "first_token_ts", "last_token_ts")


@dataclass(frozen=True, slots=True)
class LlmServingSim:
    """Reader of the lines, which make one run."""

    tool: str = "LLMServingSim bench"
    marks: frozenset[str] = frozenset({"queued_ts", "first_token_ts", "input_toks", "output_toks"})

    def read(self, sources: Sequence[JsonObject]) -> list[BenchRun]:
        """Return the one run of all lines.

        Raises
        ------
        TraceFormatError
            With what is missing or wrong.
        """
        faults, rows = list[str](), []
        for source in sources:
            fields = Fields(source, faults=faults)
            queued, first, last = (fields.number(stamp) for stamp in STAMPS)
            lengths = fields.count("input_toks"), fields.count("output_toks")
            if not queued <= first <= last and not faults:
                fields.fault("first_token_ts", "stamps of a request decrease: are they of one clock?")
            rows.append((queued, first, last, *lengths))
        if faults:
            raise TraceFormatError("\n".join(faults))
        rows.sort()
        requests = Requests(
            prompt_tokens=tuple(row[3] for row in rows),
            output_tokens=tuple(row[4] for row in rows),
            ttft_s=tuple(row[1] - row[0] for row in rows),
            itl_s=((),) * len(rows),
            failed=(False,) * len(rows),
            start_s=tuple(row[0] - rows[0][0] for row in rows),
            e2e_s=tuple(row[2] - row[0] for row in rows),
        )
        return [with_requests(run_of(Place(sources[0].path, sources[0].line), self.tool, {}), requests)]


LLMSERVINGSIM: Final = LlmServingSim()
