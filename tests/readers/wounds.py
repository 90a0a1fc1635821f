"""Damage to files: bytes, lines, digits, keys and types, that follow from a number."""

from __future__ import annotations

import gzip
import json
import random
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

import pytest

LONGEST_S: Final = 10.0
"""Processor time after which a reader hangs, s: each of these files has some kB.

Not time by the clock: on a busy machine that says nothing of the reader.
"""

SPLICES: Final = (
    *(
        b"",
        b"\x00",
        b"\xff",
        b"\n",
        b"\r",
        b"\r\n",
        b",",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b"-",
        b":",
        b"\\",
        b";",
    ),
    *(b"nan", b"NaN", b"Infinity", b"-Infinity", b"1e309", b"1e-400", b"null", b"true", b"1_0", b"0x1", b" "),
    *(b"9" * 400, b"9" * 5000, b"1" * 20, b"10000000", b"40000", b"[" * 2000, b'{"a":' * 500, b"-1", b"0"),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
        b"\x1b[31m",
        b"\\ud800",
        b"1,000",
        b"'",
    ),
)
TYPES: Final = (
    *("null", "true", "-1", "0", "0.5", "1e300", "NaN", "Infinity", "1" + "0" * 400, '""', '"x"', '"inf"'),
    *("[]", "[null]", "[[]]", "{}", '{"unit": "ms"}', "1e-9", "40000", "10000000", '"\\ud800"', '"0.25"'),
)
"""JSON values that stand where others should."""

VALUE: Final = re.compile(rb'("(?:[^"\\]|\\.)*")\s*:\s*("(?:[^"\\]|\\.)*"|[-\w.+]+|\[[^\[\]{}]*\])')
CELL: Final = re.compile(rb"[^,\n]+")
DIGIT: Final = re.compile(rb"\d")

Wound = tuple[int, float, int, int]
"""What is done, where (part of the content), and two numbers that say how."""


def _splice(content: bytes, at: int, one: int, two: int) -> bytes:
    lost = (0, 0, 1, 2, 7, 60)[two % 6]
    return content[:at] + SPLICES[one % len(SPLICES)] + content[at + lost :]


def _flip(content: bytes, at: int, one: int, two: int) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << (one + two) % 8)]) + content[at + 1 :]


def _cut(content: bytes, at: int, one: int, two: int) -> bytes:
    return content[at:] if (one + two) % 4 == 0 else content[:at]


def _swap_lines(content: bytes, at: int, one: int, two: int) -> bytes:
    lines = content.splitlines(keepends=True)
    first, second = content.count(b"\n", 0, at) % len(lines), (one * 31 + two) % len(lines)
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _repeat_line(content: bytes, at: int, one: int, two: int) -> bytes:
    lines = content.splitlines(keepends=True)
    place = content.count(b"\n", 0, at) % len(lines)
    lines[place:place] = [lines[place]] * (1 + (one + two) % 3)
    return b"".join(lines)


def _drop_line(content: bytes, at: int, one: int, two: int) -> bytes:
    lines = content.splitlines(keepends=True)
    place = content.count(b"\n", 0, at) % len(lines)
    return b"".join(lines[:place] + lines[place + 1 + (one + two) % 2 :])


def _change_digit(content: bytes, at: int, one: int, two: int) -> bytes:
    found = DIGIT.search(content, at)
    if found is None:
        return content
    new = str((one + two) % 10).encode() * (1 + two % 4)
    return content[: found.start()] + new + content[found.end() :]


def _drop_key(content: bytes, at: int, one: int, two: int) -> bytes:
    del one, two
    found = VALUE.search(content, at) or CELL.search(content, at)
    if found is None:
        return content
    end = found.end() + (content[found.end() : found.end() + 1] == b",")
    return content[: found.start()] + content[end:].lstrip(b" ")


def _change_type(content: bytes, at: int, one: int, two: int) -> bytes:
    found = VALUE.search(content, at)
    new = TYPES[(one * 7 + two) % len(TYPES)].encode()
    if found is not None:
        return content[: found.start(2)] + new + content[found.end(2) :]
    cell = CELL.search(content, at)
    return content if cell is None else content[: cell.start()] + new.strip(b'"') + content[cell.end() :]


def _rename_key(content: bytes, at: int, one: int, two: int) -> bytes:
    found = VALUE.search(content, at)
    if found is None:
        return content
    place = found.start(1) + 1 + (one + two) % max(1, len(found[1]) - 2)
    return content[:place] + b"x" + content[place + 1 :]


KINDS: Final[tuple[Callable[[bytes, int, int, int], bytes], ...]] = (
    *(_splice, _flip, _cut, _swap_lines, _repeat_line, _drop_line),
    *(_change_digit, _change_digit, _drop_key, _change_type, _change_type, _rename_key),
)


def _plain(content: bytes) -> bytes:
    return content


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _zstd(content: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 - an optional extra

    return zstandard.ZstdCompressor(1).compress(content)


PACKINGS: Final = (_plain, _gzip, *([_zstd] if find_spec("zstandard") else []))

Damage = tuple[list[Wound], int, list[Wound]]
"""The wounds of a text, how it is packed (of `PACKINGS`), and the wounds of that."""


def _wound(drawn: random.Random) -> Wound:
    return drawn.randrange(len(KINDS)), drawn.random(), drawn.randrange(256), drawn.randrange(256)


def damage(drawn: random.Random) -> Damage:
    """Draw one to four wounds; one file in seven is packed."""
    packing = 0 if drawn.random() < 6 / 7 else drawn.randrange(1, len(PACKINGS))
    outer = [_wound(drawn) for _ in range(drawn.randrange(3))] if packing else []
    inner = [_wound(drawn) for _ in range(drawn.randrange(0 if outer else 1, 5))]
    return inner, packing, outer


def hurt(content: bytes, drawn: Damage) -> bytes:
    """Return a content with damage."""
    inner, packing, outer = drawn
    return _wounded(PACKINGS[packing](_wounded(content, inner)), outer)


def _wounded(content: bytes, wounds: list[Wound]) -> bytes:
    for kind, part, one, two in wounds:
        if content:
            content = KINDS[kind](content, int(part * len(content)), one, two)
    return content


@contextmanager
def guarded() -> Iterator[None]:
    """Fail where a reader does not come to an end."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def hangs(*_: object) -> None:
        pytest.fail(f"the reader took more than {LONGEST_S} s of processor time")

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shortened(content: bytes, most: int) -> bytes:
    """Return a real file with fewer rows: its first lines, or of one JSON object the first of each list."""
    if len(content) <= most:
        return content
    lines = content.splitlines(keepends=True)
    if len(lines[0]) < most and not content.startswith(b"{\n"):
        kept, size = list[bytes](), 0
        for line in lines:
            size += len(line)
            if size > most:
                break
            kept.append(line)
        return b"".join(kept)
    return json.dumps(
        _fewer(json.loads(content if len(lines) == 1 or content[:2] == b"{\n" else lines[0]))
    ).encode()


def _fewer(value: object) -> object:
    if isinstance(value, dict):
        return {key: _fewer(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fewer(inner) for inner in value[:3]]
    return value[:80] if isinstance(value, str) else value
