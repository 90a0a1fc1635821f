"""The manifest of a run as a scenario to run again: its version, and whether it was changed since."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Final

from simulator.scenario.document import shown
from simulator.scenario.located import UNREADABLE, Fault, Located

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
