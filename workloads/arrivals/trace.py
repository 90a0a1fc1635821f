"""Recorded arrivals: inline, or from a CSV file with the columns of `COLUMNS`.

Ignored: every other column.  The figures of a row belong to the task with the row's number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.errors import TraceFormatError
from simulator.frozen import FrozenModel, SecondsOrZero, Tokens
from simulator.rng import Streams

COLUMNS: Final = ("arrival_s", "prompt_tokens", "output_tokens")
"""Columns of a trace file; the last two may be missing."""

MOST_SECONDS: Final = 1e9
"""Latest arrival accepted in a file, s; as for inline arrivals."""

MOST_TOKENS: Final = 10_000_000
"""Longest prompt or output accepted in a file, tokens; as for inline ones."""


class TraceTable(NamedTuple):
    """A trace in columns; a column that was not recorded is None."""

    arrivals_s: tuple[float, ...]
    prompt_tokens: tuple[int, ...] | None
    output_tokens: tuple[int, ...] | None


class TraceArrivals(FrozenModel):
    """Tasks arrive when the trace says, with its prompts and outputs if it holds them.

    Give either `arrivals_s` (with `prompt_tokens` and `output_tokens` of the same length, if known)
    or `path`.  A file is read once, when its rows are first needed.

    Raises
    ------
    TraceFormatError
        When the file cannot be read as a trace; names the file, the row and the column.

    Examples
    --------
    >>> trace = TraceArrivals(arrivals_s=(0.0, 0.5, 2.0), prompt_tokens=(10, 20, 30))
    >>> trace.times_s(2, Streams(1)).tolist(), trace.recorded_prompt_tokens
    ([0.0, 0.5], (10, 20, 30))
    """

    kind: Literal["trace"] = Field(default="trace", description="[-] Selects this process.")
    arrivals_s: Annotated[tuple[SecondsOrZero, ...], Field(strict=False)] | None = Field(
        default=None, description="[s] Arrival of each task, in order."
    )
    prompt_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] | None = Field(
        default=None, description="[tokens] Prompt of each task; overrides the task set's."
    )
    output_tokens: Annotated[tuple[Tokens, ...], Field(strict=False)] | None = Field(
        default=None, description="[tokens] Output of a trial of each task; overrides the length model's."
    )
    path: Annotated[Path, Field(strict=False)] | None = Field(
        default=None, description="[-] CSV file with columns arrival_s[, prompt_tokens, output_tokens]."
    )

    concurrency: ClassVar[None] = None
    think_time_s: ClassVar[float] = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        inline = (self.arrivals_s, self.prompt_tokens, self.output_tokens)
        if (self.path is None) == all(column is None for column in inline):
            msg = "give either arrivals_s (with prompt_tokens, output_tokens) or path, and not both"
            raise ValueError(msg)
        if self.path is not None:
            return self
        if not self.arrivals_s:
            msg = "arrivals_s must hold at least one arrival"
            raise ValueError(msg)
        if any(later < earlier for earlier, later in zip(self.arrivals_s, self.arrivals_s[1:], strict=False)):
            msg = "arrivals_s must not decrease"
            raise ValueError(msg)
        for name, column in zip(COLUMNS[1:], inline[1:], strict=True):
            if column is not None and len(column) != len(self.arrivals_s):
                msg = f"{name} has {len(column)} rows but arrivals_s has {len(self.arrivals_s)}"
                raise ValueError(msg)
        return self

    @cached_property
    def table(self) -> TraceTable:
        """The whole trace, read from `path` if there is one."""
        if self.path is not None:
            return read_trace(self.path)
        return TraceTable(self.arrivals_s or (), self.prompt_tokens, self.output_tokens)

    @property
    def most_tasks(self) -> int:
        """Rows of the trace."""
        return len(self.table.arrivals_s)

    @property
    def recorded_prompt_tokens(self) -> tuple[int, ...] | None:
        """Prompt of each row, tokens, or None if not recorded."""
        return self.table.prompt_tokens

    @property
    def recorded_output_tokens(self) -> tuple[int, ...] | None:
        """Output of each row, tokens, or None if not recorded."""
        return self.table.output_tokens

    def times_s(self, count: int, streams: Streams) -> NDArray[np.float64]:
        """Return the first `count` arrivals of the trace, shape (count,), s.

        Raises
        ------
        ValueError
            If the trace is shorter than `count`.
        """
        del streams  # nothing is random
        if count > self.most_tasks:
            msg = f"{count} arrivals asked of a trace of {self.most_tasks}"
            raise ValueError(msg)
        return np.array(self.table.arrivals_s[:count], dtype=np.float64)


def read_trace(path: Path) -> TraceTable:
    """Return the trace in the CSV file `path`.

    Parameters
    ----------
    path : UTF-8 text with a header row that names at least ``arrival_s``.

    Returns
    -------
    TraceTable
        Arrivals in s, prompts and outputs in tokens (None where the file has no such column).

    Raises
    ------
    TraceFormatError
        With the row (the header is row 1) and the column that cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read as CSV text: {error}"
        raise TraceFormatError(msg) from error


def _parse(path: Path, lines: Iterable[str]) -> TraceTable:
    """Return the trace in the CSV `lines` of `path`."""
    reader = csv.DictReader(lines)
    header = reader.fieldnames or ()
    if COLUMNS[0] not in header:
        msg = f"{path}: row 1: no column {COLUMNS[0]!r}; found {', '.join(header) or 'nothing'}"
        raise TraceFormatError(msg)
    columns: dict[str, list[float]] = {name: [] for name in COLUMNS if name in header}
    for fields in reader:
        for name, column in columns.items():
            column.append(_number(fields[name], name, where=f"{path}: row {reader.line_num}: {name}"))
        arrivals = columns[COLUMNS[0]]
        if len(arrivals) > 1 and arrivals[-1] < arrivals[-2]:
            msg = (
                f"{path}: row {reader.line_num}: {COLUMNS[0]}: {arrivals[-1]} is earlier than"
                f" {arrivals[-2]} of the row before; sort the file by arrival"
            )
            raise TraceFormatError(msg)
    if not columns[COLUMNS[0]]:
        msg = f"{path}: no rows below the header"
        raise TraceFormatError(msg)
    prompts, outputs = (
        tuple(int(tokens) for tokens in columns[name]) if name in columns else None for name in COLUMNS[1:]
    )
    return TraceTable(tuple(columns[COLUMNS[0]]), prompts, outputs)


def _number(text: str | None, column: str, *, where: str) -> float:
    """Return the figure of one field, or say `where` it is wrong."""
    is_time = column == COLUMNS[0]
    least, most = (0, MOST_SECONDS) if is_time else (1, MOST_TOKENS)
    allowed = f"a number of seconds in [0, {most:g}]" if is_time else f"a whole number in [1, {most}]"
    try:
        value = float(text or "") if is_time else int(text or "")
    except ValueError:
        value = -1
    if not least <= value <= most:  # also refuses NaN
        msg = f"{where}: {text!r} is not {allowed}"
        raise TraceFormatError(msg)
    return value
