"""Events of the Trace Event Format, which Perfetto and Chrome's viewer open.

Source: "Trace Event Format", the Chromium project's document, sections on complete (X), counter (C), flow
(s, f) and metadata (M) events.  Times are microseconds; ours are whole nanoseconds, written as fractions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

NS_PER_US: Final = 1000
ORDER: Final = {"X": 0, "C": 1, "s": 2, "f": 3}
"""Kinds of events in the order in which they stand at equal times: a flow looks for a slice that is open."""


class Track(NamedTuple):
    """Where events are drawn: a process and a thread of it; no two threads of a file have one number."""

    pid: int
    tid: int


class Event(NamedTuple):
    """One event, sorted by time; of slices that start together the longer one comes first, as it is outside.

    Parameters
    ----------
    ts_ns : when it is.
    kind : key of `ORDER`.
    track : where it is.
    name : what it is called.
    rest : its other fields.
    dur_ns : how long it is; 0 for kinds that have no length.
    """

    ts_ns: int
    kind: str
    track: Track
    name: str
    rest: Mapping[str, Any]
    dur_ns: int = 0

    @property
    def key(self) -> tuple[int, int, int]:
        """What events are sorted by; equal keys stay in the order in which they were made."""
        return self.ts_ns, ORDER[self.kind], -self.dur_ns

    def text(self) -> str:
        """Return the event as JSON."""
        fields: dict[str, Any] = {"name": self.name, "ph": self.kind, "ts": self.ts_ns / NS_PER_US}
        if self.kind == "X":
            fields["dur"] = self.dur_ns / NS_PER_US
        return _json(fields | self.track._asdict() | dict(self.rest))


def complete(track: Track, name: str, start_ns: int, end_ns: int, args: Mapping[str, object]) -> Event:
    """Return a slice."""
    return Event(start_ns, "X", track, name, {"args": args}, end_ns - start_ns)


def counter(pid: int, name: str, at_ns: int, values: Mapping[str, float]) -> Event:
    """Return what a counter of a process stands at from a moment on."""
    return Event(at_ns, "C", Track(pid, pid), name, {"args": values})


def flow(number: int, name: str, begin: tuple[Track, int], end: tuple[Track, int]) -> Iterator[Event]:
    """Yield the two ends of an arrow between the slices that are open on two tracks at two moments, ns."""
    shared = {"cat": name, "id": number}
    yield Event(begin[1], "s", begin[0], name, shared)
    yield Event(end[1], "f", end[0], name, shared | {"bp": "e"})


def named(what: str, track: Track, name: str, place: int) -> str:
    """Return, as JSON, the events that name a process or a thread and say where it stands.

    Parameters
    ----------
    what : ``process`` or ``thread``.
    track : which.
    name : what it is called.
    place : among the others, from 0.
    """
    where = {"ph": "M", "ts": 0, **track._asdict()}
    texts = (
        where | {"name": f"{what}_name", "args": {"name": name}},
        where | {"name": f"{what}_sort_index", "args": {"sort_index": place}},
    )
    return ",\n".join(_json(one) for one in texts)


def file_of(names: Iterable[str], events: list[Event], about: Mapping[str, str]) -> Iterator[str]:
    """Yield a trace file in pieces.

    Parameters
    ----------
    names : as `named` returns.
    events : sorted in place.
    about : what is said of the file.
    """
    events.sort(key=lambda event: event.key)
    yield f'{{"displayTimeUnit": "ms",\n"otherData": {_json(about)},\n"traceEvents": [\n'
    yield ",\n".join(names)
    for event in events:
        yield f",\n{event.text()}"
    yield "\n]}\n"


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
