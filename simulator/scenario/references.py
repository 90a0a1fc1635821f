"""Names and paths in a document, replaced by what they stand for.

A text where a table belongs is a path (it has a slash or ends in .yaml, .yml or .json; relative to the
file that says it), a name in a catalog (node, GPU, model preset), or a ``kind`` whose other fields all
have defaults.  A table without ``kind`` takes that of the field's default.  A measured trace is
read here too, after all changes, so a resolved scenario needs no other file.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from simulator.errors import TraceFormatError, UnknownNameError, suggest
from simulator.hardware import Calibration, Gpu, Node
from simulator.model import Architecture
from simulator.scenario import shape
from simulator.scenario.catalog import Catalog, find, is_path, label_of
from simulator.scenario.document import read_document, shown
from simulator.scenario.located import UNREADABLE, Fault, Keys, Located, Origin, Source, locate
from workloads.arrivals import TraceArrivals
from workloads.arrivals.trace import COLUMNS, OF_A_FILE, ROWS
from workloads.traces.prefixes import SharedPrefixes
from workloads.traces.replay import FollowUps, Replay

DEFAULT: Final = Origin(Source("default", Path()))
"""The origin of a ``kind`` that was left out."""

CATALOGS: Final[Mapping[shape.Model, Catalog]] = {
    Node: "node",
    Gpu: "gpu",
    Calibration: "calibration",
    Architecture: "model",
}


@dataclass
class References:
    """Replaces names and paths; keeps what is wrong with them.

    Parameters
    ----------
    exact : read JSON files with the lines of their values.
    """

    exact: bool = False
    faults: list[Fault] = field(default_factory=list)
    _trail: dict[Path, str] = field(default_factory=dict)
    _traces: dict[str, Replay] = field(default_factory=dict)

    def document(self, path: Path, label: str) -> Located:
        """Return the table in the file `path`, names and paths in it not yet replaced."""
        found, faults = read_document(path, label, exact=self.exact)
        self.faults += faults
        return found

    def resolve_root(
        self,
        root: Located,
        model: shape.Model,
        *,
        path: Path | None = None,
        at: Keys = (),
        base: Located | None = None,
    ) -> Located:
        """Return `root`, a whole `model`, with its names and paths replaced.

        Parameters
        ----------
        root : a table.
        model : what it describes.
        path : the file it was read from, if it was.
        at : keys that lead to `root`, for messages.
        base : the table that it will be merged over, which says the kinds that it leaves out.
        """
        if path is None:
            return self._entries(root, model, at, base)
        self._trail[path.resolve()] = root.origin.source.label
        resolved = self._entries(root, model, at, base)
        del self._trail[path.resolve()]
        return resolved

    def resolve(self, node: Located, info: FieldInfo, path: Keys, base: Located | None = None) -> Located:
        """Return what stands at `path`, a value of the field `info`, with its names and paths replaced."""
        if isinstance(node.value, str):
            return self._text(node, info, path)
        if isinstance(node.value, dict):
            return self._table(node, info, path, base)
        if isinstance(node.value, list) and (inner := shape.items(info.annotation)) is not None:
            item = FieldInfo.from_annotation(inner)
            found = [self.resolve(child, item, (*path, place)) for place, child in enumerate(node.value)]
            return Located(found, node.origin, node.whole)
        return node

    def with_trace(self, document: Located, path: Keys) -> Located:
        """Return a whole scenario with the rows of its trace file, if it has one, in the place of the file.

        Parameters
        ----------
        document : the scenario after all changes, which may say what to take from the file.
        path : keys that lead to it, for messages.
        """
        workload, arrivals = document.get("workload"), document.at(("workload", "arrivals"))
        if workload is None or arrivals is None or arrivals.at(("kind",)) is None:
            return document
        if arrivals.table["kind"].value != shape.kind_of(TraceArrivals):
            return document
        found = self._trace(arrivals, (*path, "workload", "arrivals"))
        return document.with_table(
            {**document.table, "workload": workload.with_table({**workload.table, "arrivals": found})}
        )

    def _table(self, node: Located, info: FieldInfo, path: Keys, base: Located | None) -> Located:
        annotation = info.annotation
        inner = shape.items(annotation)
        if inner is not None:
            item = FieldInfo.from_annotation(inner)
            return node.with_table(
                {
                    key: self.resolve(child, item, (*path, key), base and base.get(key))
                    for key, child in node.table.items()
                }
            )
        below = base if base is not None and isinstance(base.value, dict) and not node.whole else None
        stated = below.get("kind") if below is not None else None
        kind = stated.value if stated is not None and isinstance(stated.value, str) else ""
        model = shape.choose(annotation, node.table, kind, shape.default_kind(info))
        if model is None:
            return node
        node = self._entries(node, model, path, below)
        if below is None and shape.kinds(annotation) and "kind" not in node.table:
            node = node.with_table({"kind": Located(shape.kind_of(model), DEFAULT), **node.table})
        return _of_one_source(node, below) if model is TraceArrivals and below is not None else node

    def _entries(self, node: Located, model: shape.Model, path: Keys, base: Located | None) -> Located:
        infos = shape.fields(model)
        return node.with_table(
            {
                key: self.resolve(child, infos[key], (*path, key), base and base.get(key))
                if key in infos
                else child
                for key, child in node.table.items()
            }
        )

    def _text(self, node: Located, info: FieldInfo, path: Keys) -> Located:
        """Return what a text stands for."""
        text = str(node.value)
        members = shape.models(info.annotation)
        is_file = shape.takes_path(info.annotation)
        if not members and not is_file:
            return node
        beside = Path(os.path.normpath(node.origin.source.folder / text))
        if is_file:
            return Located(str(beside), node.origin)
        if is_path(text):
            return self._include(beside, str(beside), node, info, path)
        return self._name(members, node, info, path)

    def _name(self, members: tuple[shape.Model, ...], node: Located, info: FieldInfo, path: Keys) -> Located:
        """Return what a name in the place of one of the tables `members` stands for."""
        catalog = CATALOGS.get(members[0])
        if catalog is not None:
            return self._from_catalog(catalog, node, info, path)
        if by_kind := shape.kinds(info.annotation):
            return self._kind(by_kind, node, path)
        if shape.scalars(info.annotation):
            return node  # validation knows what else may stand here
        return self._refuse(node, path, f"expected a table or the path of a file, got {shown(node.value)}")

    def _from_catalog(self, catalog: Catalog, node: Located, info: FieldInfo, path: Keys) -> Located:
        try:
            where = find(catalog, str(node.value))
        except UnknownNameError as error:
            return self._refuse(node, path, str(error))
        return self._include(where, label_of(where), node, info, path)

    def _include(self, where: Path, label: str, node: Located, info: FieldInfo, path: Keys) -> Located:
        if not where.is_file():
            what = "a directory, not a file" if where.is_dir() else "not found"
            return self._refuse(node, path, f"file {label} is {what}")
        target = where.resolve()
        if target in self._trail:
            circle = [*list(self._trail.values())[list(self._trail).index(target) :], label]
            return self._refuse(node, path, f"files include each other in a circle: {' -> '.join(circle)}")
        found = self.document(where, label)
        self._trail[target] = label
        resolved = self.resolve(found, info, path)
        del self._trail[target]
        return Located(resolved.value, resolved.origin, whole=True)

    def _kind(self, by_kind: Mapping[str, shape.Model], node: Located, path: Keys) -> Located:
        text = str(node.value)
        model = by_kind.get(text)
        if model is None:
            return self._refuse(node, path, f"unknown kind {text!r}; {suggest(text, by_kind)}")
        if missing := shape.required(model):
            keys = ", ".join(f"{key}: ..." for key in missing)
            return self._refuse(node, path, f"{text} has fields without default: {{kind: {text}, {keys}}}")
        return Located({"kind": node}, node.origin, whole=True)

    def _trace(self, node: Located, path: Keys) -> Located:
        where = node.get("path")
        if where is None or not isinstance(where.value, str) or any(_says(node, key) for key in ROWS):
            return node
        options = {key: inner.plain() for key, inner in node.table.items() if key in ("path", *OF_A_FILE)}
        try:
            table = self._traces.get(repr(options)) or TraceArrivals.model_validate(options).table
        except ValidationError:
            return node  # validation of the whole says what is wrong, and where
        except TraceFormatError as error:
            for line in str(error).splitlines():
                self._refuse(where, (*path, "path"), line)
            return Located(UNREADABLE, node.origin)
        self._traces[repr(options)] = table
        origin = Origin(Source(where.value, Path()))
        rows = {key: _rows(rows, origin) for key, rows in zip(ROWS, table, strict=True) if rows is not None}
        kept = {key: child for key, child in node.table.items() if key not in ("path", *OF_A_FILE)}
        return node.with_table({**kept, **rows})

    def _refuse(self, node: Located, path: Keys, message: str) -> Located:
        self.faults.append(Fault(node.origin, path, message))
        return Located(UNREADABLE, node.origin)


def _of_one_source(change: Located, base: Located) -> Located:
    """Return a change of recorded arrivals so that a file replaces rows, and rows a file."""
    if _says(change, "path"):
        needless: dict[str, object] = dict.fromkeys(ROWS)
    elif any(_says(change, key) for key in COLUMNS):
        fields = TraceArrivals.model_fields
        needless = {key: fields[key].default for key in ("path", *OF_A_FILE)}
    else:
        return change
    left = {key: value for key, value in needless.items() if key in base.table and key not in change.table}
    return change.with_table({**change.table, **{key: locate(left[key], change.origin) for key in left}})


def _says(node: Located, key: str) -> bool:
    found = node.get(key)
    return found is not None and found.value is not None


def _rows(rows: tuple[float, ...] | FollowUps | SharedPrefixes | str, origin: Origin) -> Located:
    """Return what was read of a trace, all of it from one origin."""
    if isinstance(rows, FollowUps | SharedPrefixes):
        return Located({key: Located(column, origin) for key, column in rows}, origin)
    return Located(rows, origin)
