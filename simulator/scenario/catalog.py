"""Where shipped hardware profiles, model presets and scenarios lie, by name.

In a checkout ``hw_profiles/`` and ``scenarios/`` lie beside the package; inside a wheel they are its
data.  Model presets lie with the model code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from simulator.errors import UnknownNameError, suggest

Catalog = Literal["node", "gpu", "calibration", "model", "scenario"]

PACKAGE: Final = Path(__file__).resolve().parents[1]
WORDS: Final[dict[Catalog, str]] = {
    "node": "hardware node",
    "gpu": "GPU",
    "calibration": "calibration",
    "model": "model preset",
    "scenario": "scenario",
}
KIND: Final = re.compile(r"^kind: *(\w+)", re.MULTILINE)
SUFFIXES: Final = (".yaml", ".yml", ".json")


def folder_of(catalog: Catalog) -> Path:
    """Return the folder whose files make up `catalog`."""
    if catalog == "model":
        return PACKAGE / "model" / "presets"
    name = "scenarios" if catalog == "scenario" else "hw_profiles"
    packed = PACKAGE / "data" / name
    folder = packed if packed.is_dir() else PACKAGE.parent / name
    return folder / "calibrations" if catalog == "calibration" else folder


def suffix_of(catalog: Catalog) -> str:
    """Return how the files of `catalog` end: what a command writes is JSON, what people write is YAML."""
    return ".json" if catalog == "calibration" else ".yaml"


def names_in(catalog: Catalog) -> list[str]:
    """Return the names in `catalog`, sorted; scenarios of a subfolder as ``folder/name``.

    Examples
    --------
    >>> "qwen3-8b" in names_in("model"), "b200-sxm-8" in names_in("node"), "b200-sxm" in names_in("gpu")
    (True, True, True)
    """
    folder = folder_of(catalog)
    paths = sorted(folder.rglob(f"*{suffix_of(catalog)}"))
    if catalog in {"node", "gpu"}:
        paths = [path for path in paths if _kind_of(path) == catalog]
    return sorted(path.relative_to(folder).as_posix().removesuffix(suffix_of(catalog)) for path in paths)


def find(catalog: Catalog, name: str) -> Path:
    """Return the file of `name` in `catalog`.

    Raises
    ------
    UnknownNameError
        With the nearest name and all that are allowed.
    """
    path = folder_of(catalog) / f"{name}{suffix_of(catalog)}"
    if ".." not in name and path.is_file() and (catalog not in {"node", "gpu"} or _kind_of(path) == catalog):
        return path
    names = names_in(catalog)
    message = f"unknown {WORDS[catalog]} {name!r}; {suggest(name, names)}"
    raise UnknownNameError(message)


def is_path(text: str) -> bool:
    """Say whether `text` names a file rather than something in a catalog.

    Examples
    --------
    >>> is_path("b200-sxm-8"), is_path("./mine"), is_path("mine.yaml")
    (False, True, True)
    """
    return "/" in text or text.endswith(SUFFIXES)


def label_of(path: Path) -> str:
    """Return how messages name a catalog file: from its folder on, alike on every machine."""
    for catalog in WORDS:
        folder = folder_of(catalog)
        if path.is_relative_to(folder):
            return path.relative_to(folder.parent).as_posix()
    return str(path)


def _kind_of(path: Path) -> str:
    found = KIND.search(path.read_text(encoding="utf-8"))
    return found[1] if found else ""
