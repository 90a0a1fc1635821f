"""A file of steps: a CSV with a row per step, or a trace of the PyTorch profiler, read and checked.

Every refusal names the file, the line and what would be right.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from simulator.calibrate.fitting import Vector
from simulator.errors import SimulatorError, suggest
from simulator.measured.binary import text_in
from simulator.measured.profiler import knows, read_profile, with_contexts

COLUMNS: Final = ("sequences", "context_tokens", "step_s")
TP: Final = "tp"
LONGEST: Final = "longest_tokens"
PROMPTS: Final = ("prefill_tokens", "prefill_sequences", "prefill_past_tokens")
"""Prompt tokens computed in the step, of how many prompts, and how many of theirs were cached before."""

NEW, MANY, PAST = PROMPTS

EACH: Final = ("batch", "context")
"""Other names: the sequences, and the tokens in the cache of each of them instead of the sum."""

MEANINGS: Final = {
    "context_tokens": "the tokens in the caches of all sequences summed; or give those of one as 'context'"
}
"""What a missing column is, where the nearest name would mislead."""

MOST: Final = 1e9
"""Larger counts, and steps longer than this in seconds, are no measurements."""

MOST_FAULTS: Final = 10
"""Faulty lines that are told of a column, and rows of another length than the header."""

FIRST_LINE: Final = 2
"""Line of a file on which its first row stands: the header is before."""

SEPARATORS: Final = {";": "semicolons", "\t": "tabs"}
"""What stands between columns where it is no comma, in words."""


class MeasuredStepsError(SimulatorError):
    """A file of steps that cannot be used; says which lines or what is missing."""


def read_steps(path: Path, *, tp: int | None = None, context: int | None = None) -> pd.DataFrame:
    """Return the steps in a CSV file with the columns `COLUMNS`, or `EACH`; others are ignored but for these.

    Of a trace of the PyTorch profiler all decode steps are returned; where messages name the lines of a file
    they name its events.

    ``tp``: GPUs of the replica. ``longest_tokens``: tokens of the longest context; without it nothing is
    learnt of unequal contexts. `PROMPTS`: all three or none; without them all steps are decode steps.

    Parameters
    ----------
    path : the file.
    tp : tensor-parallel GPUs, where the file has no column of them; None: those of the trace, or 1.
    context : tokens in the cache of each sequence, where a trace does not say.

    Raises
    ------
    MeasuredStepsError, TraceFormatError
        If the file is no table, a column is missing, or a value is no positive number: all faults at once.
    """
    if knows(path):
        return _profiled(path, tp, context)
    if context is not None:
        message = f"{path}: --context {context}: goes with traces of the PyTorch profiler; a CSV has a column"
        raise MeasuredStepsError(message)
    text = _text(path)
    _check_rows(path, text)
    try:
        rows = pd.read_csv(io.StringIO(text), skip_blank_lines=False).dropna(how="all")
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        message = f"{path}: no table of steps: {error}"
        raise MeasuredStepsError(message) from error
    rows = _summed(rows)
    needed = COLUMNS + (PROMPTS if any(name in rows for name in PROMPTS) else ())
    missing = [name for name in needed if name not in rows]
    if missing:
        told = "; ".join(
            f"column {name!r} is missing, {MEANINGS.get(name) or suggest(name, rows.columns)}"
            for name in missing
        )
        message = f"{path}:1: {told}"
        raise MeasuredStepsError(message)
    if tp is not None and TP in rows:
        message = f"{path}:1: column {TP!r} says the GPUs of each step; --tp {tp} is for files without it"
        raise MeasuredStepsError(message)
    names = [*needed, *(name for name in (TP, LONGEST) if name in rows)]
    numbers = pd.DataFrame({name: pd.to_numeric(rows[name], errors="coerce") for name in names})
    faults = [
        f"{path}:{rows.index[line] + FIRST_LINE}: {name}: {rows[name].iloc[line]} {what}"
        for name in names
        for what, bad in _wrong(numbers, name)
        for line in np.flatnonzero(bad)[:MOST_FAULTS]
    ]
    if faults:
        raise MeasuredStepsError("\n".join(faults))
    absent: dict[str, float] = {TP: tp or 1, **dict.fromkeys((LONGEST, *PROMPTS), 0)}
    return numbers.assign(**{name: value for name, value in absent.items() if name not in numbers})


def _profiled(path: Path, tp: int | None, context: int | None) -> pd.DataFrame:
    """Return the decode steps of a trace of the PyTorch profiler."""
    profile = with_contexts(read_profile(path), context)
    table = pd.DataFrame(
        [(step.sequences, step.context_tokens, step.step_s) for step in profile.steps],
        columns=list(COLUMNS),
        index=[step.event - FIRST_LINE for step in profile.steps],
    )
    return table.assign(**{TP: tp or profile.gpus or 1, **dict.fromkeys((LONGEST, *PROMPTS), 0)})


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table with `COLUMNS` where it has the columns of `EACH` in their place."""
    batch, context = EACH
    if batch in rows and COLUMNS[0] not in rows:
        rows = rows.rename(columns={batch: COLUMNS[0]})
    if context not in rows or COLUMNS[1] in rows or COLUMNS[0] not in rows:
        return rows
    sequences, each = (pd.to_numeric(rows[name], errors="coerce") for name in (COLUMNS[0], context))
    return rows.assign(**{COLUMNS[1]: sequences * each})


def _text(path: Path) -> str:
    """Return the text of a file that may be a table of steps."""
    try:
        return text_in(path.read_bytes(), "A table of steps is a CSV")
    except (OSError, ValueError) as error:
        told = (isinstance(error, OSError) and error.strerror) or error
        message = f"{path}: no table of steps: {told}"
        raise MeasuredStepsError(message) from error


def _check_rows(path: Path, text: str) -> None:
    """Refuse a header that cannot be read, and rows that have more or fewer fields than it."""
    if text.lstrip()[:1] in ("{", "["):
        message = f"{path}:1: looks like JSON; results of benchmarks go with --from-bench"
        raise MeasuredStepsError(message)
    reader = csv.reader(io.StringIO(text, newline=""))
    heads = next(reader, [])
    mark = next((mark for mark in SEPARATORS if len(heads) == 1 and mark in heads[0]), None)
    if mark:
        message = (
            f"{path}:1: columns are separated by {SEPARATORS[mark]}; a table of steps has commas between "
            "columns and points in numbers"
        )
        raise MeasuredStepsError(message)
    twice = sorted({name for name in heads if heads.count(name) > 1})
    if twice:
        message = f"{path}:1: column {twice[0]!r} stands twice"
        raise MeasuredStepsError(message)
    lengths = [(reader.line_num, len(row)) for row in reader if row]
    others = [(line, length) for line, length in lengths if length != len(heads)]
    if others:
        faults = [
            f"{path}:{line}: {length} fields where the header has {len(heads)}"
            for line, length in others[:MOST_FAULTS]
        ]
        faults += [f"{path}: and {len(others) - MOST_FAULTS} more such lines"] * (len(others) > MOST_FAULTS)
        raise MeasuredStepsError("\n".join(faults))


def _wrong(numbers: pd.DataFrame, name: str) -> list[tuple[str, pd.Series[bool]]]:
    """Return what can be wrong with a column, and where it is."""
    column, finite = numbers[name], np.isfinite(numbers[name])
    prompts = numbers[NEW] > 0 if NEW in numbers else pd.Series(data=False, index=numbers.index)
    least: Vector | float
    if name in PROMPTS or name == LONGEST:
        least, text = 0.0, "is no number from 0 on"
    elif name == "step_s":
        least, text = np.finfo(float).tiny, "is no positive number"
    else:
        # A step of prompts alone decodes nothing.
        least, text = np.where(prompts & (name != TP), 0.0, 1.0), "is no number from 1 on"
    found = [(text, ~(finite & (column >= least) & (column <= MOST)))]
    if name != "step_s":
        found.append(("is no whole number", finite & (column != np.floor(column))))
    if name == LONGEST:
        total = numbers["context_tokens"]
        found.append(("tokens are more than context_tokens, those of all contexts together", column > total))
        mean = total / numbers["sequences"].clip(lower=1)
        found.append(("tokens are fewer than the contexts have on average", (column > 0) & (column < mean)))
    if name == "context_tokens":
        found.append(("tokens are fewer than the sequences", column < numbers["sequences"]))
    if name == MANY:
        found.append(("prompts cannot hold the prefill_tokens", prompts & (column < 1)))
    return found
