"""Traces of the PyTorch profiler (Kineto): how long the decode steps of a serving engine took on the GPU.

A step is an annotation that the engine writes: ``step[DECODE bs=16]`` (SGLang) or
``execute_16_context_0(...)_generation_16(sq16sk8193...)`` (vLLM: 0 prompts, 16 sequences that decode, 8193
tokens in their caches together).  Its time is that of the row on the GPU, for launches are asynchronous and
the row of the host ends long before.  Where the GPU has none, as under one graph on ROCm, it is the time from
the first to the last kernel that was launched inside the host's.  On several streams the longest row counts:
they overlap.  Not read: what passes between two steps, which the time of a step does not hold.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from simulator.errors import TraceFormatError
from simulator.measured.binary import text_in
from simulator.measured.fields import told

GZIP: Final = b"\x1f\x8b"
"""First bytes of a file that gzip packed (RFC 1952)."""

HEAD_BYTES: Final = 1 << 16
"""How far into a file is looked for its kind."""

HEADS: Final = ('"traceEvents"', '"deviceProperties"', '"schemaVersion"')
"""What stands in the head of a trace, whichever comes first."""

US: Final = 1e-6
DIGITS: Final = 9
"""Stamps are written to the nanosecond."""

MOST_FAULTS: Final = 5
ON_GPU: Final = "gpu_user_annotation"
ON_HOST: Final = "user_annotation"
LAUNCHES: Final = ("cuda_runtime", "cuda_driver")
"""Categories of the calls that launch kernels; Kineto calls those of ROCm so too."""

STEP: Final = re.compile(r"step\[(?P<kind>\w+) bs=(?P<batch>\d+)[^\]]*\]")
EXECUTE: Final = re.compile(
    r"execute_(?:\d+_)?context_(?P<prompts>\d+)\([^)]*\)_generation_(?P<batch>\d+)"
    r"\((?:sq\d+sk(?P<context>\d+))?[^)]*\)"
)
LIKE_STEPS: Final = re.compile(r"execute_|step\[")
"""Beginnings of annotations that are steps in a form that is not known, if they are none of the above."""


class ProfiledStep(NamedTuple):
    """One decode step.

    Parameters
    ----------
    event : its place among the events of the file, from 1.
    name : of the annotation.
    sequences : that decoded.
    context_tokens : in their caches together; None where the trace does not say.
    step_s : its time on the GPU, s.
    basis : what the time was taken from.
    """

    event: int
    name: str
    sequences: int
    context_tokens: int | None
    step_s: float
    basis: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What a trace tells of decode steps.

    Parameters
    ----------
    path : the file.
    gpu : the name of the device; None where it has none.
    gpus : of the process group; None where the trace does not say.
    kernels : rows of kernels, and the seconds that they took together.
    steps : decode steps in the order of time.
    notes : what is left out.
    """

    path: Path
    gpu: str | None
    gpus: int | None
    kernels: tuple[int, float]
    steps: tuple[ProfiledStep, ...]
    notes: tuple[str, ...]


class _Row(NamedTuple):
    """An annotation, a kernel or a launch, times in us."""

    event: int
    category: str
    name: str
    start: float
    end: float
    link: object


def knows(path: Path) -> bool:
    """Say whether a file looks like a trace of the profiler, by its first bytes; unreadable ones do not."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
        except zlib.error:
            return False
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return text.startswith("{") and any(mark in text for mark in HEADS)


def read_profile(path: Path) -> Profile:
    """Return the decode steps of a trace, packed by gzip or not.

    Raises
    ------
    TraceFormatError
        If the file cannot be read, is cut, is no trace, or has no decode step: all that is found.
    """
    document = _document(path)
    rows = _rows(path, document["traceEvents"])
    kernels = [row for row in rows if row.category == "kernel"]
    found, notes = _steps(rows, kernels)
    if not found:
        message = f"{path}: no decode step: {_why_none(rows, notes)}"
        raise TraceFormatError(message)
    busy_s = math.fsum(row.end - row.start for row in kernels) * US
    return Profile(path, _gpu(document), _gpus(document), (len(kernels), busy_s), tuple(found), tuple(notes))


def _document(path: Path) -> dict[str, list[object]]:
    """Return the object of a trace file."""
    try:
        content = path.read_bytes()
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        text = text_in(content, "A trace of the PyTorch profiler is JSON, packed by gzip or not")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: is cut or damaged: gzip says: {error}"
        raise TraceFormatError(message) from error
    except (OSError, ValueError) as error:
        message = f"{path}: cannot be read: {(isinstance(error, OSError) and error.strerror) or error}"
        raise TraceFormatError(message) from error
    if not text.strip():
        message = f"{path}: is empty"
        raise TraceFormatError(message)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        cut = getattr(error, "pos", 0) >= len(text.rstrip()) or "Unterminated" in str(error)
        what = "the text ends inside the trace: was the file cut?" if cut else f"no JSON: {error}"
        message = f"{path}:{line}: {what}"
        raise TraceFormatError(message) from error
    if not isinstance(document, dict) or not isinstance(document.get("traceEvents"), list):
        message = f"{path}:1: is no trace of the PyTorch profiler, which is an object with a list traceEvents"
        raise TraceFormatError(message)
    return document


def _rows(path: Path, events: Sequence[object]) -> list[_Row]:
    """Return the annotations, kernels and launches among events."""
    found, faults = list[_Row](), list[str]()
    for number, event in enumerate(events, start=1):
        if not isinstance(event, dict):
            faults.append(f"event {number}: {told(event)} is no object")
            continue
        category, name = event.get("cat"), event.get("name")
        if event.get("ph") != "X" or category not in {ON_GPU, ON_HOST, "kernel", *LAUNCHES}:
            continue
        start, duration = _time(event, "ts", number, faults), _time(event, "dur", number, faults)
        if not isinstance(name, str):
            faults.append(f"event {number}: name: {told(name)} is no text")
        args = event.get("args")
        args = args if isinstance(args, Mapping) else {}
        link = args.get("External id") if category in {ON_GPU, ON_HOST} else args.get("correlation")
        found.append(_Row(number, str(category), str(name), start, start + duration, link))
    if faults:
        more = len(faults) - MOST_FAULTS
        faults[MOST_FAULTS:] = [f"{more} more faults like these"] if more > 0 else []
        raise TraceFormatError("\n".join(f"{path}: {fault}" for fault in faults))
    return found


def _time(event: Mapping[str, object], field: str, number: int, faults: list[str]) -> float:
    """Return a time of an event, us; one that is none is noted."""
    value = event.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        faults.append(f"event {number}: {field}: {told(value)} is no time of 0 or more in us")
        return 0.0
    return value


def _steps(rows: Sequence[_Row], kernels: Sequence[_Row]) -> tuple[list[ProfiledStep], list[str]]:
    """Return the decode steps, and what is left out."""
    by_category = {kind: [row for row in rows if row.category == kind] for kind in (ON_GPU, ON_HOST)}
    launches = {row.link: row.start for row in rows if row.category in LAUNCHES and row.link is not None}
    notes = []
    unknown = {
        r.name for r in rows if r.category in by_category and LIKE_STEPS.match(r.name) and not _known(r.name)
    }
    if unknown:
        notes.append(
            f"{len(unknown)} annotations look like steps of a form that is not known: {told(min(unknown))}"
        )
    for category in (ON_GPU, ON_HOST):
        for form in (STEP, EXECUTE):
            matched = [row for row in by_category[category] if form.fullmatch(row.name)]
            if not matched:
                continue
            decodes = [row for row in matched if _decodes(row.name)]
            chosen = _longest(decodes) if category == ON_GPU else decodes
            chosen.sort(key=lambda row: row.start)
            steps = [_step(row, by_category, kernels, launches) for row in chosen]
            timed = [step for step in steps if step.step_s > 0.0]
            notes += _left_out(len(_longest(matched)) - len(_longest(decodes)), len(steps) - len(timed))
            return timed, notes
    return [], notes


def _left_out(prompts: int, empty: int) -> Iterator[str]:
    if prompts:
        yield f"{prompts} steps with prompts are left out"
    if empty:
        yield f"{empty} steps launched no kernel that the trace holds, and are left out"


def _known(name: str) -> bool:
    return bool(STEP.fullmatch(name) or EXECUTE.fullmatch(name))


def _decodes(name: str) -> bool:
    """Say whether a step is known to hold no prompt."""
    step, execute = STEP.fullmatch(name), EXECUTE.fullmatch(name)
    if step:
        return step["kind"] == "DECODE" and int(step["batch"]) > 0
    return bool(execute and not int(execute["prompts"]) and int(execute["batch"]))


def _longest(rows: Sequence[_Row]) -> list[_Row]:
    """Return one row of each step: of those that one annotation has on several streams, the longest."""
    found: dict[object, _Row] = {}
    for row in rows:
        key = row.event if row.link is None else row.link
        if key not in found or row.end - row.start > found[key].end - found[key].start:
            found[key] = row
    return list(found.values())


def _step(
    row: _Row,
    annotations: Mapping[str, Sequence[_Row]],
    kernels: Sequence[_Row],
    launches: Mapping[object, float],
) -> ProfiledStep:
    """Return the step of an annotation."""
    match = STEP.fullmatch(row.name) or EXECUTE.fullmatch(row.name)
    batch = int(match["batch"]) if match else 0
    step = ProfiledStep(row.event, row.name, batch, _context(row, batch, annotations), 0.0, "")
    if row.category == ON_GPU:
        return step._replace(step_s=round((row.end - row.start) * US, DIGITS), basis="annotation on the GPU")
    own = [one for one in kernels if row.start <= launches.get(one.link, -1.0) <= row.end]
    if not own:
        return step
    span = max(one.end for one in own) - min(one.start for one in own)
    return step._replace(step_s=round(span * US, DIGITS), basis=f"first to last of {len(own)} kernels")


def _context(row: _Row, batch: int, annotations: Mapping[str, Sequence[_Row]]) -> int | None:
    """Return the tokens in the caches of a step: of its own name, or of an annotation around it."""
    around = [
        row,
        *(one for one in annotations[row.category] if one.start <= row.start and row.end <= one.end),
    ]
    for one in around:
        match = EXECUTE.fullmatch(one.name)
        if match and int(match["batch"]) == batch <= int(match["context"] or 0):
            return int(match["context"])
    return None


def _why_none(rows: Sequence[_Row], notes: Sequence[str]) -> str:
    if notes:
        return "; ".join(notes)
    if not any(row.category in {ON_GPU, ON_HOST} for row in rows):
        return "the trace has no annotations; vLLM and SGLang write one a step where profiling is on"
    return "no annotation is called step[DECODE bs=...] or execute_..._context_0(...)_generation_...(...)"


def _gpu(document: Mapping[str, object]) -> str | None:
    devices = document.get("deviceProperties")
    first = devices[0] if isinstance(devices, list) and devices else None
    name = first.get("name") if isinstance(first, Mapping) else None
    return name if isinstance(name, str) and name and name.isprintable() else None


def _gpus(document: Mapping[str, object]) -> int | None:
    group = document.get("distributedInfo")
    size = group.get("world_size") if isinstance(group, Mapping) else None
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


def with_contexts(profile: Profile, each_tokens: int | None) -> Profile:
    """Return `profile` with the contexts that its trace does not tell.

    Parameters
    ----------
    profile : as read.
    each_tokens : tokens in the cache of each sequence; None: nothing is said.

    Raises
    ------
    TraceFormatError
        If they are needed and not said, or said and not needed.
    """
    lacking = [step for step in profile.steps if step.context_tokens is None]
    if not lacking and each_tokens is not None:
        message = f"{profile.path}: --context {each_tokens}: the trace says it of every step; leave it out"
        raise TraceFormatError(message)
    if lacking and each_tokens is None:
        first, many = lacking[0], f"{len(lacking)} of {len(profile.steps)} steps"
        message = (
            f"{profile.path}: event {first.event}: {first.name!r} does not say how many tokens were in the "
            f"caches, as {many} do not: give --context, those of each sequence"
        )
        raise TraceFormatError(message)
    steps = tuple(
        step
        if step.context_tokens is not None
        else step._replace(context_tokens=step.sequences * (each_tokens or 1))
        for step in profile.steps
    )
    return replace(profile, steps=steps)
