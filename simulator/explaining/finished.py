"""Finished runs that are run again: whether their folder holds what comes out now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulator.api import Result
from simulator.explaining.sides import Side
from simulator.output import package_versions


def folder_notes(side: Side, results: Sequence[Result]) -> list[str]:
    """Return a note if a finished run, run again, gives other figures than its folder holds, else none.

    Parameters
    ----------
    side : what was run; nothing is compared if it is no folder, or if something of it was changed.
    results : its runs.  Seeds that the folder does not hold cannot be compared.
    """
    if side.folder is None:
        return []
    about = _table(side.folder / "manifest.json") or {}
    for result in results:
        held = _held(side.folder, side.variant, result.seed, about)
        if held is None:
            continue
        summary = _table(held)
        if summary is None:
            return [f"{held}: cannot be read, so the figures of now cannot be compared with those of then."]
        if summary != result.summary:
            note = (
                f"{side.source}: run again, {side.variant} gives other figures than the folder holds (seed "
                f"{result.seed}): {_why(side.folder, held, about)}; the figures here are those of now."
            )
            return [note]
    return []


def _held(folder: Path, variant: str, seed: int, about: Mapping[str, Any]) -> Path | None:
    """Return where the summary of a run should be, None if the folder does not hold that seed.

    A folder holds one run, whose summary is at its top, or a folder for each variant and seed.
    """
    files = about.get("files")
    names = set(files) if isinstance(files, Mapping) else set()
    below = f"{variant}/seed-{seed}/summary.json"
    if below in names:
        return folder / below
    is_single = "tasks.csv" in names and about.get("seed") == seed
    return folder / "summary.json" if is_single else None


def _why(folder: Path, held: Path, about: Mapping[str, Any]) -> str:
    """Say what may be behind other figures."""
    recorded = about.get("files", {}).get(held.relative_to(folder).as_posix())
    if recorded != hashlib.sha256(held.read_bytes()).hexdigest():
        return f"{held} was changed after the run"
    now = package_versions()
    packages = {"python": now["python"], **now["packages"]}
    then = {"python": about.get("python"), **about.get("packages", {})}
    others = [
        f"{name} {then.get(name)} (now {version})"
        for name, version in packages.items()
        if then.get(name) != version
    ]
    return f"it was made by {', '.join(others)}" if others else "it was made by another state of the program"


def _table(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
