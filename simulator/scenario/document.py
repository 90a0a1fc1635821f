"""Text to values that know their lines: YAML 1.2 through ruamel.yaml's node graph, and JSON.

Scalars are resolved here, by the core schema of YAML 1.2: ``8e12`` is a number, ``on`` and ``1_000`` are
text.  Refused, each with its line: duplicate keys, merge keys, tags that name other types, keys that are
not scalars, anchors that contain themselves, more than `MOST_VALUES` values (aliases can multiply
without bound), nesting beyond `MOST_DEPTH`, files that are not text.

JSON is read by the standard library, which is a hundred times faster and knows no lines; `exact`
reads it as the YAML that it is, for the lines of its faults.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from simulator.scenario.located import (
    UNREADABLE,
    Fault,
    Keys,
    Located,
    Origin,
    Scalar,
    Source,
    Unreadable,
    locate,
)

GraphNode: TypeAlias = Any
"""A node of ruamel.yaml's graph; its types do not tell the three kinds apart."""

MOST_YAML_BYTES: Final = 4 * 2**20
"""Largest YAML file that is read, bytes; it takes half a minute."""

MOST_JSON_BYTES: Final = 256 * 2**20
"""Largest JSON file that is read, bytes; the manifest of a long trace."""

KEPT_CHARACTERS: Final = 16_384
"""Longest YAML text whose values are kept, characters; twice that of any shipped file."""

KEPT_TEXTS: Final = 64
"""Texts whose values are kept: parsing is most of what reading a scenario takes, and a study reads many."""

MOST_VALUES: Final = 100_000
"""Most values of a document, aliases counted as often as they are used."""

MOST_DEPTH: Final = 40
"""Deepest nesting of tables and lists; a scenario needs 10."""

CORE: Final = "tag:yaml.org,2002:"
TAGS: Final = frozenset(CORE + name for name in ("map", "seq", "str", "int", "float", "bool", "null"))
NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
MOST_SHOWN: Final = 60
"""Longest text that a message repeats in full, characters."""

MOST_SHOWN_WHOLE: Final = 10**20
"""Whole numbers below this are repeated in full."""

LOG10_2: Final = 0.30103
"""Decimal digits of a bit."""

MOST_DIGITS: Final = 400
"""Longest number that is read as one; any float has fewer digits before its point."""


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """A text that cannot be read at all: the line and why."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def read_document(path: Path, label: str, *, exact: bool = False) -> tuple[Located, list[Fault]]:
    """Return the table in the file `path` and what is wrong with the file.

    Parameters
    ----------
    path : a YAML file, or by its suffix a JSON file.
    label : how messages name the file.
    exact : give JSON values their lines, at the speed of YAML.

    Returns
    -------
    Located
        A table; `UNREADABLE` if there is none.
    list of Fault
        Empty if all is well.
    """
    source = Source(label, path.parent)
    try:
        is_json = path.suffix == ".json"
        text = _text_of(path, MOST_JSON_BYTES if is_json else MOST_YAML_BYTES)
        if is_json and (not exact or len(text) > MOST_YAML_BYTES):
            return _from_json(text, source)
        return parse_document(text, source)
    except _Refused as refused:
        return _refusal(refused, source)


def parse_document(text: str, source: Source) -> tuple[Located, list[Fault]]:
    """Return the table that the YAML `text` holds, and what is wrong with it; as `read_document`."""
    try:
        root, faults = _parse(text, source)
    except _Refused as refused:
        return _refusal(refused, source)
    if root is None or root.value is None:
        return _refusal(_Refused(None, "the file is empty; a scenario is a table of keys and values"), source)
    if isinstance(root.value, Unreadable):
        return root, faults
    return (root, faults) if isinstance(root.value, dict) else _refusal(_not_a_table(root), source)


def parse_value(text: str, source: Source) -> tuple[Located, list[Fault]]:
    """Return the value that `text` holds, a scalar or YAML in braces and brackets; all of it from one place.

    Examples
    --------
    >>> parse_value("{kind: topk, kv_budget_tokens: 64}", Source("--set", Path()))[0].plain()
    {'kind': 'topk', 'kv_budget_tokens': 64}
    """
    try:
        root, faults = _parse(text, source)
    except _Refused as refused:
        return _refusal(_Refused(None, refused.message), source)
    origin = Origin(source)
    found = locate(None if root is None else root.plain(), origin)
    return found, [Fault(origin, fault.path, fault.message) for fault in faults]


def shown(value: object) -> str:
    """Return how messages name a value that was given.

    Examples
    --------
    >>> shown("8"), shown(True), shown({"a": 1})
    ("the text '8'", 'true', 'a table')
    """
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value if len(value) <= MOST_SHOWN else value[: MOST_SHOWN - 3] + '...'!r}"
    if isinstance(value, int | float):
        return _shown_number(value)
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list | tuple) else f"a Python {type(value).__name__}"


def _shown_number(value: float) -> str:
    if isinstance(value, int):
        digits = round(value.bit_length() * LOG10_2)
        return str(value) if abs(value) < MOST_SHOWN_WHOLE else f"a number of some {digits} digits"
    return {"nan": "NaN", "inf": "infinity", "-inf": "minus infinity"}.get(repr(value), repr(value))


def _not_a_table(root: Located) -> _Refused:
    return _Refused(root.origin.line, f"expected a table of keys and values, got {shown(root.value)}")


def _refusal(refused: _Refused, source: Source) -> tuple[Located, list[Fault]]:
    origin = Origin(source, refused.line)
    return Located(UNREADABLE, origin), [Fault(origin, (), refused.message)]


def _text_of(path: Path, most_bytes: int) -> str:
    try:
        if not path.is_file():
            raise _Refused(None, "is a directory, not a file" if path.is_dir() else "no such file")
        if path.stat().st_size > most_bytes:
            raise _Refused(None, f"larger than {most_bytes >> 20} MiB; long traces belong in a CSV file")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise _Refused(None, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if b"\0" in data:
        raise _Refused(None, "not a text file: it holds zero bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Refused(line, f"not UTF-8 text: byte 0x{data[error.start]:02x} cannot be decoded") from error


def _from_json(text: str, source: Source) -> tuple[Located, list[Fault]]:
    origin = Origin(source)
    twice: list[str] = []

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            keys = [key for key, _ in pairs]
            twice.extend(key for key in entries if keys.count(key) > 1)
        return entries

    try:
        value = json.loads(text, object_pairs_hook=table)
        root = locate(value, origin)
    except json.JSONDecodeError as error:
        raise _Refused(error.lineno, f"not valid JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"
        raise _Refused(None, why) from error
    if not isinstance(value, dict):
        raise _not_a_table(root)
    return root, [Fault(origin, (), f"duplicate key {key!r}") for key in twice]


def _parse(text: str, source: Source) -> tuple[Located | None, list[Fault]]:
    """Return the value that the YAML `text` holds, which nobody changes, and what is wrong with it."""
    root, faults = (_kept if len(text) <= KEPT_CHARACTERS else _parsed)(text, source)
    return root, list(faults)


@lru_cache(maxsize=KEPT_TEXTS)
def _kept(text: str, source: Source) -> tuple[Located | None, tuple[Fault, ...]]:
    return _parsed(text, source)


def _parsed(text: str, source: Source) -> tuple[Located | None, tuple[Fault, ...]]:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only who reads a file pays for its import
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - as above
    from ruamel.yaml.reader import ReaderError  # noqa: PLC0415 - as above

    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Resolver = _no_implicit_tags()
        graph = yaml.compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _Refused(line, _syntax_message(error.problem, error.context)) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _Refused(line, f"not plain text: character #x{ord(text[error.position]):02x}") from error
    except RecursionError as error:
        raise _Refused(None, "nested too deeply") from error
    except (YAMLError, ValueError, LookupError, AttributeError, AssertionError) as error:
        # Odd directives and escapes end in whatever the parser runs into.
        raise _Refused(None, f"not valid YAML: {error}") from error
    if graph is None:
        return None, ()
    reader = _GraphReader(source)
    return reader.read(graph, (), graph.start_mark.line + 1), tuple(reader.faults)


@cache
def _no_implicit_tags() -> Any:  # noqa: ANN401 - a class of a package without useful types
    """Return a resolver that leaves the type of untagged scalars to us."""
    from ruamel.yaml.resolver import VersionedResolver  # noqa: PLC0415 - as in `_parse`

    class NoImplicitTags(VersionedResolver):
        versioned_resolver = property(lambda _: {})

    return NoImplicitTags


def _syntax_message(problem: str | None, context: str | None) -> str:
    if problem and "'\\t'" in problem:
        return "not valid YAML: a tab cannot indent; use spaces"
    if problem and "another document" in problem:
        return "holds more than one document (---); a scenario is one"
    return f"not valid YAML: {f'{context}, {problem}' if context and problem else problem or context}"


class _GraphReader:
    """Turns a node graph into located values and collects what is wrong with it."""

    def __init__(self, source: Source) -> None:
        self.faults: list[Fault] = []
        self._source = source
        self._untagged = _no_implicit_tags().DEFAULT_SCALAR_TAG
        self._values = 0
        self._open: list[int] = []

    def read(self, node: GraphNode, path: Keys, line: int) -> Located:
        """Return the value of `node`, which `path` leads to and which `line` introduces."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise _Refused(line, f"more than {MOST_VALUES} values, counting every use of an alias")
        if node.tag not in TAGS:
            return self._refuse(
                path, line, f"tag {_short(node.tag)} is not allowed: a scenario is plain data"
            )
        if node.id == "scalar":
            return Located(self._scalar(node, path, line), self._origin(line))
        if id(node) in self._open:
            return self._refuse(path, line, "an anchor that contains itself")
        if len(self._open) >= MOST_DEPTH:
            return self._refuse(path[:3], line, f"nested more than {MOST_DEPTH} deep")
        self._open.append(id(node))
        if node.id == "mapping":
            found = Located(self._table(node, path), self._origin(line))
        else:
            inner = [
                self.read(child, (*path, index), child.start_mark.line + 1)
                for index, child in enumerate(node.value)
            ]
            found = Located(inner, self._origin(line))
        self._open.pop()
        return found

    def _table(self, node: GraphNode, path: Keys) -> dict[str, Located]:
        table: dict[str, Located] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node, path, line)
            if key is None:
                continue
            if key in table:
                first = table[key].origin.line
                self._refuse((*path, key), line, f"duplicate key, first given on line {first}")
                continue
            table[key] = self.read(value_node, (*path, key), line)
        return table

    def _key(self, node: GraphNode, path: Keys, line: int) -> str | None:
        if node.id != "scalar":
            self._refuse(path, line, "a key must be text, not a table or list")
        elif node.value == "<<" and node.style is None:
            self._refuse(path, line, "merge keys (<<) are not part of YAML 1.2; write the entries out")
        elif node.value == "" and node.style is None:
            self._refuse(path, line, "a key is missing before the colon")
        else:
            return str(node.value)
        return None

    def _scalar(self, node: GraphNode, path: Keys, line: int) -> Any:  # noqa: ANN401 - a scalar or UNREADABLE
        text: str = node.value
        is_tagged = node.ctag is not self._untagged
        if (node.tag == CORE + "str" and is_tagged) or (node.style is not None and not is_tagged):
            return self._text(text, path, line)
        if len(text) > MOST_DIGITS and INT.fullmatch(text):
            return self._refuse(path, line, f"a number of {len(text)} digits").value
        value = scalar(text)
        if node.tag == CORE + "float" and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        return self._text(value, path, line) if isinstance(value, str) else value

    def _text(self, text: str, path: Keys, line: int) -> Any:  # noqa: ANN401 - a text or UNREADABLE
        r"""Return `text` with the pairs of ``\u`` escapes that JSON writes joined to one character."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            return self._refuse(path, line, "holds half of a surrogate pair, which is no character").value

    def _refuse(self, path: Keys, line: int, message: str) -> Located:
        origin = self._origin(line)
        self.faults.append(Fault(origin, path, message))
        return Located(UNREADABLE, origin)

    def _origin(self, line: int) -> Origin:
        return Origin(self._source, line)


def scalar(text: str) -> Scalar:
    """Return what the plain scalar `text` stands for in the core schema of YAML 1.2.

    Examples
    --------
    >>> [scalar(text) for text in ("8e12", "010", "0x1f", "on", "true", "~", "1_000")]
    [8000000000000.0, 10, 31, 'on', True, None, '1_000']
    """
    if text in NULL:
        return None
    if text in BOOL:
        return BOOL[text]
    if INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if FLOAT.fullmatch(text):
        return float(text)
    if SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def _short(tag: object) -> str:
    return str(tag).replace(CORE, "!!")
