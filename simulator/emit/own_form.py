"""A run in our own normal form, ``requests.csv``, which `simulator.measured.own_form` reads.

Seconds are whole nanoseconds over 10^9.  The column ``cancelled`` is there where requests were not answered.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from simulator.api import Result
from simulator.emit.requests import Request, Served
from simulator.units import NS_PER_S

COLUMNS: Final = (
    "request_id",
    "arrival_s",
    "prompt_tokens",
    "output_tokens",
    "ttft_s",
    "tpot_s",
    "e2e_s",
    "itl_s",
)
CANCELLED: Final = "cancelled"


def text(result: Result, served: Served) -> Iterator[str]:
    """Yield the rows of the file.

    Parameters
    ----------
    result : the run; nothing of it is in the form.
    served : its requests.
    """
    del result
    failed = any(request.error for request in served.requests)
    yield ",".join((*COLUMNS, *([CANCELLED] if failed else ()))) + "\n"
    for request in served.requests:
        row = io.StringIO()
        cells = _cells(request)
        csv.writer(row, lineterminator="\n").writerow([*cells, int(bool(request.error))] if failed else cells)
        yield row.getvalue()


def _cells(request: Request) -> list[str | int | float]:
    first_ns, gaps_ns = request.ttft_ns, request.gaps_ns
    per_token = (request.e2e_ns - (first_ns or 0)) / len(gaps_ns) / NS_PER_S if gaps_ns else ""
    return [
        f"{request.task}-{request.node}",
        request.sent_ns / NS_PER_S,
        request.prompt_tokens,
        request.output_tokens,
        "" if first_ns is None else first_ns / NS_PER_S,
        "" if request.error else per_token,
        request.e2e_ns / NS_PER_S,
        ";".join(str(gap / NS_PER_S) for gap in gaps_ns),
    ]
