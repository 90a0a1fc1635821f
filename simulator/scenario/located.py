"""Plain values that know where they were written, and the faults found in them.

A document is a tree of `Located`: tables, lists and scalars, each with its origin.  Catalog files, paths,
variants and ``--set`` values become one tree before anything is validated, so a fault found at the very
end still names the line that caused it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Keys: TypeAlias = tuple[str | int, ...]
"""A path: keys and places from the top of a document."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something that was read.

    Parameters
    ----------
    label : how messages name it.
    folder : what relative paths in it start from.
    """

    label: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written.

    Parameters
    ----------
    source : the file, option or mapping.
    line : line in a file, from 1; None where there are no lines.

    Examples
    --------
    >>> str(Origin(Source("a.yaml", Path()), 3)), str(Origin(Source("--set seed=1", Path())))
    ('a.yaml:3', '--set seed=1')
    """

    source: Source
    line: int | None = None

    def __str__(self) -> str:
        return self.source.label if self.line is None else f"{self.source.label}:{self.line}"


class Unreadable:
    """The value of a place whose fault is already known; nothing more is said about it."""


UNREADABLE: Final = Unreadable()

Value: TypeAlias = "Scalar | dict[str, Located] | list[Located] | tuple[Scalar, ...] | Unreadable"


@dataclass(frozen=True, slots=True)
class Located:
    """A value and where it was written.

    Parameters
    ----------
    value : a scalar, a table, a list, or a tuple of scalars that share one origin.
    origin : where it was written; of a table's entry, where its key is.
    whole : whether it replaces a table of the same kind instead of being merged over it.
    changed : what was last merged over a table, if anything was.
    """

    value: Value
    origin: Origin
    whole: bool = False
    changed: Origin | None = None

    @property
    def culprit(self) -> Origin:
        """What to name when the entries of a table do not go together: its last change, or itself."""
        return self.changed or self.origin

    @property
    def table(self) -> dict[str, Located]:
        """The entries of a table; of anything else, none."""
        return self.value if isinstance(self.value, dict) else {}

    def get(self, key: str | int) -> Located | None:
        """Return the entry `key` of a table or list, if it has one."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None

    def deepest(self, path: Iterable[str | int]) -> Located:
        """Return the value at `path`, or the last one on the way to it that exists."""
        found = self
        for key in path:
            inner = found.get(key)
            if inner is None:
                break
            found = inner
        return found

    def at(self, path: Iterable[str | int]) -> Located | None:
        """Return the value at `path`, if there is one."""
        found: Located | None = self
        for key in path:
            found = found.get(key) if found is not None else None
        return found

    def with_table(self, table: dict[str, Located]) -> Located:
        """Return the same place with other entries."""
        return replace(self, value=table)

    def plain(self) -> object:
        """Return the value without origins, as pydantic takes it."""
        if isinstance(self.value, dict):
            return {key: inner.plain() for key, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Parameters
    ----------
    origin : where.
    path : keys from the top of the scenario; empty for the file as a whole.
    message : what was given, what is allowed.

    Examples
    --------
    >>> str(Fault(Origin(Source("a.yaml", Path()), 3), ("model", "tp"), "unknown key"))
    'a.yaml:3: model.tp: unknown key'
    """

    origin: Origin
    path: Keys
    message: str

    def __str__(self) -> str:
        path = dotted(self.path)
        return f"{self.origin}: {path}: {self.message}" if path else f"{self.origin}: {self.message}"


def dotted(path: Iterable[str | int]) -> str:
    """Return `path` as people write it.

    Examples
    --------
    >>> dotted(("workload", "priorities", 0))
    'workload.priorities[0]'
    """
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def ordered(faults: Iterable[Fault]) -> list[Fault]:
    """Return `faults` by file in order of appearance, then by line.

    What several variants share is said once, for the base or else for the first of them.
    """
    unique: dict[tuple[Origin, Keys, str], Fault] = {}
    for fault in faults:
        shared = fault.path[2:] if fault.path[:1] == ("variants",) else fault.path
        unique.setdefault((fault.origin, shared, fault.message), fault)
    kept = list(unique.values())
    rank = {label: place for place, label in enumerate(dict.fromkeys(f.origin.source.label for f in kept))}
    return sorted(kept, key=lambda fault: (rank[fault.origin.source.label], fault.origin.line or 0))


def locate(value: object, origin: Origin) -> Located:
    """Return Python values (mappings, lists, scalars, paths, components) as a tree with one origin."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return replace(locate(dump(mode="json", by_alias=True), origin), whole=True)
    if isinstance(value, Mapping):
        return Located({str(key): locate(inner, origin) for key, inner in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Located([locate(inner, origin) for inner in value], origin)
    if isinstance(value, Path):
        return Located(str(value), origin)
    # Anything else is left for validation to refuse, with its path.
    return Located(value, origin)  # type: ignore[arg-type] # an unknown type is refused by validation


def walk(node: Located, path: Keys = ()) -> Iterator[tuple[Keys, Located]]:
    """Yield every scalar, empty table and empty list of a tree with its path, in order."""
    if isinstance(node.value, dict) and node.value:
        for key, inner in node.value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(node.value, list) and node.value:
        for index, inner in enumerate(node.value):
            yield from walk(inner, (*path, index))
    else:
        yield path, node
