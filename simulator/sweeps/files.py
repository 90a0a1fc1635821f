"""Files that values of axes name: found from where the axis stands, and part of what a result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from simulator.errors import SimulatorError
from simulator.scenario.catalog import is_path
from simulator.scenario.loader import Resolved, vary
from simulator.scenario.located import Located
from simulator.scenario.sweeps import Axis, Choice, Choices


def anchored(axes: Sequence[Axis], resolved: Resolved) -> tuple[Axis, ...]:
    """Return axes whose files have absolute paths, so that any process of this machine finds them.

    Parameters
    ----------
    axes : as written; a relative path starts from the folder of the scenario that holds the axis, or from the
        working directory if an option says it.
    resolved : the scenario.
    """
    found: list[Axis] = []
    for axis in axes:
        node = resolved.document.at(("sweep", "axes", axis.name))
        folder = Path() if node is None else node.origin.source.folder
        if isinstance(axis, Choices):
            choices = (
                Choice(
                    one.label, {path: _anchored(path, value, folder) for path, value in one.changes.items()}
                )
                for one in axis.choices
            )
            found.append(Choices(axis.name, tuple(choices)))
        else:
            found.append(axis)
    return tuple(found)


def _anchored(key: str, value: object, folder: Path) -> object:
    if isinstance(value, Mapping):
        return {name: _anchored(str(name), inner, folder) for name, inner in value.items()}
    if isinstance(value, list):
        return [_anchored(key, inner, folder) for inner in value]
    if isinstance(value, str) and (is_path(value) or key.rpartition(".")[2] == "path"):
        path = folder / value
        if path.is_file():
            return str(path.resolve())
    return value


class Fingerprints:
    """What the files say that changes name, as hashes.

    Parameters
    ----------
    document : the scenario that is changed.
    """

    def __init__(self, document: Located) -> None:
        self._document = document
        self._known: dict[str, str] = {}

    def of(self, changes: Mapping[str, object]) -> str:
        """Return a hash of all that the files named by `changes` bring in; empty where there are none."""
        told = [self._one(path, value) for path, value in changes.items() if any(_files(value))]
        return hashlib.sha256("".join(told).encode()).hexdigest() if told else ""

    def _one(self, path: str, value: object) -> str:
        key = json.dumps([path, value])
        if key not in self._known:
            try:
                found = json.dumps(
                    vary(self._document, {path: value}, must_fit=False).document.plain()
                ).encode()
            except SimulatorError:  # by itself it is wrong: what the files hold is all that can be known
                found = b"".join(Path(file).read_bytes() for file in _files(value))
            self._known[key] = hashlib.sha256(found).hexdigest()
        return self._known[key]


def _files(value: object) -> Iterator[str]:
    """Yield the absolute paths of files in a value."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _files(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _files(inner)
    elif isinstance(value, str) and Path(value).is_absolute() and Path(value).is_file():
        yield value
