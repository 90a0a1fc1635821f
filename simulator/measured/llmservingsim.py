"""LLMServingSim's ``bench`` against vLLM: ``requests.jsonl``, a line a request, with stamps of the engine.

The model stands in ``meta.json`` beside it.

``arrival_time`` is of another clock than the other stamps, so ``queued_ts`` is the arrival.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from simulator.measured.bench import BenchRun, Requests
from simulator.measured.columns import Ragged, floats, in_order, whole
from simulator.measured.faults import Faults
from simulator.measured.fields import Fields
from simulator.measured.json_objects import JsonObject
from simulator.measured.plausible import check_plausible, doubt
from simulator.measured.summaries import Place, run_of, with_requests

META: Final = "meta.json"
"""File of the tool beside its requests."""

STAMPS: Final = ("queued_ts", "first_token_ts", "last_token_ts")
NAMES: Final = {
    "ttft": "mean of first_token_ts - queued_ts",
    "tpot": "mean of (last_token_ts - first_token_ts) / (output_toks - 1)",
    "e2e": "mean of last_token_ts - queued_ts",
}


@dataclass(frozen=True, slots=True)
class LlmServingSim:
    """Reader of the lines, which make one run."""

    tool: str = "LLMServingSim bench"
    marks: frozenset[str] = frozenset({"queued_ts", "first_token_ts", "input_toks", "output_toks"})

    def read(self, sources: Iterable[JsonObject]) -> list[BenchRun]:
        """Return the one run of all lines.

        Raises
        ------
        TraceFormatError
            With what is missing or wrong.
        """
        place, faults, rows = None, None, array("d")
        for source in sources:
            if place is None or faults is None:
                place, faults = Place(source.path, source.line), Faults(source.path)
            rows.extend(_row(Fields(source, faults=faults)))
        if place is None or faults is None:
            return []
        faults.check()
        queued, first, last, prompt, output = in_order(rows, width=5)
        requests = Requests(
            prompt_tokens=whole(prompt),
            output_tokens=whole(output),
            ttft_s=floats(first - queued),
            itl_s=Ragged.empty(len(queued)),
            failed=(False,) * len(queued),
            start_s=floats(queued - queued[0]),
            e2e_s=floats(last - queued),
        )
        run = replace(with_requests(run_of(place, self.tool, {}), requests), model=_model(place.path))
        check_plausible(run, NAMES, partial(faults.add, place.line))
        faults.check()
        return [run]


def _model(path: Path) -> str | None:
    """Return the model that ``meta.json`` beside the requests names; None where it names none."""
    try:
        found = json.loads(path.with_name(META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    model = found.get("model") if isinstance(found, dict) else None
    return model if isinstance(model, str) else None


def _row(fields: Fields) -> tuple[float, ...]:
    """Return the three stamps of a request, s, and its lengths, tokens."""
    queued, first, last = (fields.number(stamp) for stamp in STAMPS)
    lengths = fields.tokens("input_toks"), fields.tokens("output_toks")
    if first < queued or last < first:
        fields.fault("first_token_ts", "stamps of a request decrease: are they of one clock?")
    for stamp, quantity, value in (
        ("first_token_ts", "ttft", first - queued),
        ("last_token_ts", "e2e", last - queued),
    ):
        if asked := doubt(quantity, value, only_most=True):
            fields.fault(stamp, f"after queued_ts: {asked}")
    return queued, first, last, *lengths


LLMSERVINGSIM: Final = LlmServingSim()
