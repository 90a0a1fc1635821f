"""ServeGen: a folder of clients, each a rate and a pattern by window and distributions of lengths.

``chunk-N-trace.csv``, without a header: start of a window (s), rate (requests/s), cv, pattern (Gamma,
Weibull or blank where idle), shape, scale; windows of 600 s.  ``chunk-N-dataset.json``: by start of a
window of 21,600 s a table of ``input_tokens``, ``output_tokens`` and perhaps others, each the text of a
Python dict {value: probability}. From alibaba/ServeGen and its ``clientpool.py``.

Requests are drawn: in each window rate x its length of them, their gaps of the pattern's shape stretched
to fill the window, their lengths from the distributions of the latest window that has some.  A seed gives
the same requests whatever part is read.

Ignored: scale and cv of a pattern, as the reference sampler does; the joint distribution of prompts and
outputs, which the files do not hold; the share of reasoning; images and other inputs that are no text.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from simulator.errors import TraceFormatError
from simulator.frozen import MOST_TOKENS
from simulator.rng import Streams
from workloads.traces.faults import Faults, shown
from workloads.traces.seam import Head, Reading
from workloads.traces.sources import Source, opened
from workloads.traces.table import FloatArray, IntArray, Trace
from workloads.traces.tables import CUT, NO_OUTPUT, NO_PROMPT, count
from workloads.traces.values import MOST_SECONDS, SECONDS, Kind

CLIENT: Final = re.compile(r"chunk-(\d+)-(trace\.csv|dataset\.json)(?:\.gz|\.zst)?", re.ASCII)
WINDOW_S: Final = 600.0
"""Length of the last window of a client, s; of the others, the distance to the next."""

LEAST_WINDOW_S: Final = 1.0
MOST_WINDOW_S: Final = 86_400.0
"""Assumed: the published windows have 600 s, so that milliseconds taken for seconds are outside."""

FIELDS: Final = ("start", "rate", "cv", "pattern", "shape", "scale")
PATTERNS: Final = ("Gamma", "Weibull")
RATE: Final = Kind("a rate in [0, 1e6] requests/s", np.float64, 0, 1e6, float)
SHAPE: Final = Kind("a shape in [0.001, 1000]", np.float64, 1e-3, 1e3, float)
LENGTHS: Final = ("input_tokens", "output_tokens")

MOST_REQUESTS: Final = 5_000_000
"""Requests drawn for a client at most, 0.6 GB and some seconds; the busiest of the published ones has some
400,000 a day."""

MOST_TEXT: Final = 1 << 26
"""Characters of the longest dataset read: 64 Mi."""

SUM_SLACK: Final = 1e-3
"""By how much probabilities may miss a sum of 1 (they are rounded)."""


class _Window(NamedTuple):
    start_s: float
    end_s: float
    rate_per_s: float
    pattern: str
    shape: float


class _Lengths(NamedTuple):
    values: IntArray
    ends: FloatArray
    """Running sums of the probabilities."""

    def draw(self, generator: np.random.Generator, size: int) -> IntArray:
        """Return lengths, tokens."""
        places = np.searchsorted(self.ends, generator.random(size) * self.ends[-1], side="right")
        drawn: IntArray = self.values[places]
        return drawn


_Dataset = dict[float, tuple[_Lengths, _Lengths]]


@dataclass(frozen=True)
class ServeGen:
    """The reader of ServeGen's folders."""

    name: str = "servegen"
    about: str = (
        "ServeGen: a folder of chunk-N-trace.csv and chunk-N-dataset.json; requests are drawn, with a seed"
    )

    @property
    def needed(self) -> tuple[str, ...]:
        """Nothing: the files of a folder say what it is."""
        return ()

    def recognises(self, head: Head) -> bool:
        """Say whether a folder has clients."""
        return head.kind == "folder" and any(CLIENT.fullmatch(name) for name in head.fields)

    def read(self, path: Path, how: Reading) -> Trace:
        """Return requests drawn from all clients, in the order of their arrival."""
        clients, ignored = _clients(path)
        parts, wrong = list[tuple[FloatArray, IntArray, IntArray, IntArray]](), list[str]()
        for done, (number, files) in enumerate(sorted(clients.items())):
            try:
                parts.append(_drawn(number, files, how))
            except TraceFormatError as error:
                wrong.append(str(error))
            if how.progress is not None:
                how.progress(done + 1, len(clients))
        if wrong:
            raise TraceFormatError("\n".join(wrong))
        arrivals, prompts, outputs, numbers = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(arrivals, kind="stable")
        kept = order[(prompts[order] > 0) & (outputs[order] > 0)]
        dropped = dict[str, int]()
        count(dropped, NO_PROMPT, int((prompts <= 0).sum()))
        count(dropped, NO_OUTPUT, int(((prompts > 0) & (outputs <= 0)).sum()))
        drawn = f"Requests are drawn with seed {how.seed} from the distributions of {len(clients)} clients."
        return Trace(
            self.name,
            arrivals[kept],
            prompts[kept],
            outputs[kept],
            sessions=numbers[kept],
            dropped=dropped,
            ignored=ignored,
            notes=(drawn, "A session is a client."),
        )


def _clients(path: Path) -> tuple[dict[int, dict[str, Path]], tuple[str, ...]]:
    """Return the files of each client, and the names of the folder that are none."""
    clients, other = dict[int, dict[str, Path]](), list[str]()
    for file in sorted(path.iterdir()):
        name = CLIENT.fullmatch(file.name)
        if name is None:
            other.append(file.name)
        else:
            clients.setdefault(int(name[1]), {})[name[2].partition(".")[0]] = file
    faults = [
        f"{path}: chunk-{number}-{name} is missing beside {next(iter(files.values())).name}"
        for number, files in clients.items()
        for kind, name in {"trace": "trace.csv", "dataset": "dataset.json"}.items()
        if kind not in files
    ]
    if faults:
        raise TraceFormatError("\n".join(faults))
    return clients, tuple(other)


def _drawn(
    number: int, files: dict[str, Path], how: Reading
) -> tuple[FloatArray, IntArray, IntArray, IntArray]:
    """Return arrivals (s), prompts, outputs and number of a client's requests."""
    windows, dataset = _windows(files["trace"]), _dataset(files["dataset"])
    begin, end = how.window_s or (0.0, float("inf"))
    sizes = [
        int(window.rate_per_s * (window.end_s - window.start_s) + 0.5)
        if window.end_s > begin and window.start_s < end
        else 0
        for window in windows
    ]
    if sum(sizes) > MOST_REQUESTS:
        message = (
            f"{files['trace']}: {sum(sizes):,} requests; at most {MOST_REQUESTS:,} are drawn: take a window"
        )
        raise TraceFormatError(message)
    streams = Streams(how.seed)
    times, prompts, outputs = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for place, (window, size) in enumerate(zip(windows, sizes, strict=True)):
        if not size:
            continue
        if not dataset:
            message = f"{files['dataset']}: holds no lengths, but {files['trace'].name} has requests"
            raise TraceFormatError(message)
        starts = [start for start in dataset if start <= window.start_s] or [min(dataset)]
        generator = streams.generator("servegen", number, place)
        times.append(_arrivals(window, size, generator))
        prompt, output = dataset[max(starts)]
        prompts.append(prompt.draw(generator, size))
        outputs.append(output.draw(generator, size))
    arrivals = np.concatenate(times)
    numbers = np.full(len(arrivals), number, dtype=np.int64)
    return arrivals, np.concatenate(prompts), np.concatenate(outputs), numbers


def _arrivals(window: _Window, size: int, generator: np.random.Generator) -> FloatArray:
    """Return `size` arrivals inside a window: one gap more than arrivals fills it from end to end, s."""
    draw = generator.standard_gamma if window.pattern == "Gamma" else generator.weibull
    ends = np.cumsum(draw(window.shape, size + 1))
    inside: FloatArray = window.start_s + ends[:-1] * ((window.end_s - window.start_s) / ends[-1])
    return inside


def _windows(path: Path) -> list[_Window]:
    faults, rows = Faults(path), list[tuple[float, float, str, float]]()
    with opened(path) as source:
        reader = csv.reader(source.text)
        for row in reader:
            if row:
                rows.append(_window_row(row, reader.line_num, faults))
                if len(rows) > 1 and rows[-1][0] <= rows[-2][0]:
                    faults.add(reader.line_num, "start", f"{row[0]} is not after that of the window before")
                elif len(rows) > 1 and not LEAST_WINDOW_S <= rows[-1][0] - rows[-2][0] <= MOST_WINDOW_S:
                    allowed = f"windows of {LEAST_WINDOW_S:g} to {MOST_WINDOW_S:g} s are read"
                    told = f"a window of {rows[-1][0] - rows[-2][0]:g} s; {allowed}: is its unit right?"
                    faults.add(reader.line_num, "start", told)
    faults.check()
    if not rows:
        message = f"{path}: holds no windows"
        raise TraceFormatError(message)
    ends = [*(row[0] for row in rows[1:]), rows[-1][0] + WINDOW_S]
    return [_Window(row[0], end, *row[1:]) for row, end in zip(rows, ends, strict=True)]


def _window_row(row: list[str], line: int, faults: Faults) -> tuple[float, float, str, float]:
    if len(row) != len(FIELDS):
        faults.add(
            line, "row", f"has {len(row)} fields; a window has {len(FIELDS)}: {', '.join(FIELDS)}: {CUT}"
        )
        return 0.0, 0.0, "", 0.0

    def number(place: int, kind: Kind) -> float:
        def refuse(_: int, text: str) -> None:
            faults.add(line, FIELDS[place], f"{shown(text or None)} is not {kind.allowed}")

        return float(kind.values(row[place : place + 1], refuse)[0])

    start, rate, pattern = number(0, SECONDS), number(1, RATE), row[3].strip()
    if not rate:
        return start, 0.0, "", 0.0
    if pattern not in PATTERNS:
        faults.add(
            line, "pattern", f"{shown(pattern or None)} is not {' or '.join(PATTERNS)}, and the rate is not 0"
        )
    return start, rate, pattern, number(4, SHAPE)


def _dataset(path: Path) -> _Dataset:
    """Return the lengths by the start of their window, without the windows that have none."""
    faults, found = Faults(path), _Dataset()
    with opened(path) as source:
        table = _json(source)
    for start, entries in table.items():
        where = f"window {shown(start)}"
        if not start.isdigit() or float(start) > MOST_SECONDS or not isinstance(entries, dict):
            faults.add(1, where, "is not a table named by whole seconds")
            continue
        lengths = [_lengths(entries.get(name), f"{where}.{name}", faults) for name in LENGTHS]
        if lengths[0] is not None and lengths[1] is not None:
            found[float(start)] = (lengths[0], lengths[1])
    faults.check()
    return found


def _json(source: Source) -> dict[str, object]:
    text = source.text.read(MOST_TEXT)
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        message = f"{source.path}: is no JSON: {error}"
        raise TraceFormatError(message) from error
    if not isinstance(table, dict):
        message = f"{source.path}: {shown(table)} is no table of windows"
        raise TraceFormatError(message)
    return table


def _lengths(text: object, where: str, faults: Faults) -> _Lengths | None:
    """Return a distribution, or None where it is empty or wrong."""
    if not isinstance(text, str):
        faults.add(1, where, f"{shown(text)} is not the text of a dict {{tokens: probability}}")
        return None
    try:
        chances = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        faults.add(1, where, f"{shown(text)} is not the text of a dict: {error}")
        return None
    if not isinstance(chances, dict) or not all(
        type(value) is int
        and 0 <= value <= MOST_TOKENS
        and isinstance(chance, int | float)
        and 0 <= chance <= 1
        for value, chance in chances.items()
    ):
        faults.add(
            1, where, f"{shown(text)} is not a dict of tokens in [0, {MOST_TOKENS}] to chances in [0, 1]"
        )
        return None
    if not chances:
        return None
    ends = np.cumsum(np.array(list(chances.values()), dtype=np.float64))
    if abs(ends[-1] - 1.0) > SUM_SLACK:
        faults.add(1, where, f"its chances sum to {ends[-1]:.6g}, not 1")
        return None
    return _Lengths(np.array(list(chances), dtype=np.int64), ends)


SERVEGEN: Final = ServeGen()
