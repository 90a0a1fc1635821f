"""The manifest of a run as a scenario to run again: its version, and whether it was changed since."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from simulator.frozen import FrozenModel
from simulator.scenario.components import SEAMS, by_kind, name_of, source_sha256
from simulator.scenario.document import shown
from simulator.scenario.located import UNREADABLE, Fault, Located, locate

VERSION: Final = 1
"""The version that can be read."""

LOG: Final = logging.getLogger("kinesim")


def scenario_in(root: Located) -> tuple[Located, list[Fault]]:
    """Return the scenario that `root` holds or is, and what is wrong with it as a manifest.

    Parameters
    ----------
    root : the table of a file.  A manifest has a ``manifest`` or a table ``scenario``; what else it
        says (packages, hashes, in older ones the engine) does not change a run.
    """
    version, scenario = root.get("manifest"), root.get("scenario")
    if version is None:
        return (scenario if scenario is not None and scenario.table else root), []
    faults = []
    if version.value != VERSION or isinstance(version.value, bool | float):
        message = f"version {shown(version.value)} of the manifest cannot be read; allowed: {VERSION}"
        faults.append(Fault(version.origin, ("manifest",), message))
    if scenario is None:
        message = "missing; the manifest of a run holds the scenario that was run"
        faults.append(Fault(root.origin, ("scenario",), message))
    elif not isinstance(scenario.value, dict):
        message = f"expected a table, got {shown(scenario.value)} (the scenario that was run)"
        faults.append(Fault(scenario.origin, ("scenario",), message))
    if faults or scenario is None:
        return Located(UNREADABLE, root.origin), faults
    return scenario, []


def warn_if_changed(root: Located) -> None:
    """Log a warning if `root` is a manifest whose scenario is not the one that was run."""
    scenario, stated = root.get("scenario"), root.get("scenario_sha256")
    if root.get("manifest") is None or scenario is None or stated is None:
        return
    canonical = json.dumps(scenario.plain(), sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(canonical.encode()).hexdigest() != stated.value:
        LOG.warning(
            "%s: scenario_sha256 does not match: the scenario was changed after the run",
            root.origin.source.label,
        )


Own = dict[tuple[str, ...], FrozenModel]
"""Components of the user's own by their paths in the scenario."""


def components_in(
    root: Located, scenario: Located, classes: Sequence[type[FrozenModel]]
) -> tuple[Located, Own, list[Fault]]:
    """Return the scenario of a manifest with stand-ins for components of the user's own, and these.

    Parameters
    ----------
    root : the table of a file.  A manifest says under ``components`` what is not shipped.
    scenario : what `scenario_in` has found in it.
    classes : what the caller has for them; told apart by ``kind``.
    """
    listed = root.get("components") if root.get("manifest") is not None else None
    known = by_kind(classes)
    found, faults = Own(), list[Fault]()
    seams = {seam.place: seam for seam in SEAMS.values()}
    for text, about in (listed.table if listed is not None else {}).items():
        keys = tuple(text.split("."))
        seam, table = seams.get((keys[-2], keys[-1]) if len(keys) > 1 else ("", "")), scenario.at(keys)
        if seam is None or table is None or not table.table:
            message = f"names {text}, where the scenario of the manifest has no component"
            faults.append(Fault(about.origin, ("components",), message))
            continue
        made = _made(table, about, known)
        if isinstance(made, str):
            faults.append(Fault(table.origin, keys, made))
        else:
            found[keys] = made
        # Also for one that is refused: its kind is told once.
        scenario = _with(scenario, keys, locate(seam.stand_in, table.origin))
    return scenario, found, faults


def _made(table: Located, about: Located, known: Mapping[str, type[FrozenModel]]) -> FrozenModel | str:
    """Return a component made of its table, or why it cannot be made."""
    kind, name = (
        found.value if found is not None else None for found in (table.get("kind"), about.get("class"))
    )
    one = known.get(kind) if isinstance(kind, str) else None
    if one is None:
        return (
            f"of kind {_quoted(kind)}, which is the class {_quoted(name)} of whoever ran it, and in no file; "
            "run it from Python: load_scenario(FILE, components=[CLASS])"
        )
    try:
        made = one.model_validate(table.plain(), strict=False)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return f"is no {name_of(one)}: {told}"
    stated = about.get("source_sha256")
    if stated is not None and stated.value not in (None, source_sha256(one)):
        LOG.warning(
            "%s: %s is not the class that was run: its text has changed",
            about.origin.source.label,
            name_of(one),
        )
    return made


def _quoted(value: object) -> str:
    return shown(value).removeprefix("the text ")


def _with(node: Located, keys: Sequence[str], value: Located) -> Located:
    if not keys:
        return value
    inner = node.table[keys[0]]
    return node.with_table({**node.table, keys[0]: _with(inner, keys[1:], value)})
