"""Folders of results: written beside their destination, then moved into place whole.

Files hold integers, SI units and sorted or fixed key orders, so equal runs give equal bytes.
"""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from simulator.engine.records import STEP_COLUMNS, TASK_COLUMNS, TRIAL_COLUMNS, RunRecords
from simulator.errors import OutputExistsError
from simulator.scenario.components import own_components
from simulator.scenario.schema import Scenario

PACKAGES: Final = ("kinesim", "numpy", "pydantic", "simpy")
"""Packages whose versions a result can depend on."""

_ROWS_AT_A_TIME: Final = 1 << 14
"""Rows turned into Python integers at once: those of a million requests would take gigabytes."""

MANIFEST_VERSION: Final = 1
"""Version of the manifest's layout."""


class RunOutput(Protocol):
    """What a folder of one run is written from."""

    @property
    def records(self) -> RunRecords:
        """Integer records."""
        ...

    @property
    def summary(self) -> dict[str, Any]:
        """Metrics."""
        ...


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def package_versions() -> dict[str, Any]:
    """Return what a manifest says of the software behind a result."""
    packages = {name: _version(name) for name in PACKAGES}
    return {"packages": packages, "python": platform.python_version()}


def _document(scenario: Scenario, seed: int) -> dict[str, Any]:
    return scenario.model_dump(mode="json", by_alias=True) | {"seed": seed}


def _sha256(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def scenario_sha256(scenario: Scenario, *, seed: int) -> str:
    """Return the hash that the manifest of a run of `scenario` alone, without variants, says."""
    return _sha256(_document(scenario.model_copy(update={"variants": {}}), seed))


def manifest(scenario: Scenario, *, seed: int) -> dict[str, Any]:
    """Return the resolved scenario, seed and versions behind a result; the engine does not matter to it.

    Parameters
    ----------
    scenario : what was run.
    seed : its root seed, which replaces the scenario's own when the manifest is run again.
    """
    document, own = _document(scenario, seed), own_components(scenario)
    return {
        "manifest": MANIFEST_VERSION,
        "scenario_sha256": _sha256(document),
        "seed": seed,
        **package_versions(),
        **({"components": own} if own else {}),
        "scenario": document,
    }


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _write_table(path: Path, columns: tuple[str, ...], rows: NDArray[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            writer.writerows(rows[start : start + _ROWS_AT_A_TIME].tolist())


def _write_run(folder: Path, run: RunOutput) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _write_table(folder / "tasks.csv", TASK_COLUMNS, run.records.tasks)
    _write_table(folder / "trials.csv", TRIAL_COLUMNS, run.records.trials)
    _write_table(folder / "timeline.csv", STEP_COLUMNS, run.records.steps)
    _write_json(folder / "summary.json", run.summary)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def refuse_foreign(path: Path) -> None:
    """Refuse to replace what is not a folder of results alone.

    Raises
    ------
    OutputExistsError
        If `path` is no folder, has no manifest of ours, or holds a file that the manifest does not list.
    """
    if path.is_dir() and not any(path.iterdir()):
        return
    try:
        about = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        ours = {"manifest.json", *about["files"]} if about["manifest"] == MANIFEST_VERSION else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if not ours:
        message = f"{path} is not a folder of results (no manifest.json of kinesim); it is left alone"
        raise OutputExistsError(message)
    present = {file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()}
    foreign = sorted(present - ours)
    if foreign:
        message = f"{path} also holds {foreign[0]}, which is not part of its results; it is left alone"
        raise OutputExistsError(message)


def _replace(path: Path, building: Path) -> None:
    """Move `building` to `path`; what was there goes, or comes back if the move fails."""
    retired = building.with_name(building.name + "-old")
    path.rename(retired)
    try:
        building.rename(path)
    except OSError:
        retired.rename(path)
        raise
    shutil.rmtree(retired)


def write_folder(
    destination: str | Path,
    runs: Mapping[str, RunOutput],
    summary: Mapping[str, Any],
    about: Mapping[str, Any],
    *,
    overwrite: bool,
    more: Callable[[Path, str], None] | None = None,
) -> Path:
    """Write runs, their summary and a manifest with the hash of every file; return the folder.

    Parameters
    ----------
    destination : folder to make.
    runs : runs by the sub-folder they go to.
    summary : written as ``summary.json`` at the top.
    about : the manifest, to which the hashes are added.
    overwrite : replace an existing folder; otherwise it is refused.
    more : called with the folder of each run and its name in `runs`, to write what else belongs there.

    Raises
    ------
    OutputExistsError
        If `destination` exists and `overwrite` is not set, or if it is not a folder of results.
    """

    def fill(folder: Path) -> None:
        for name, run in runs.items():
            _write_run(folder / name, run)
            if more is not None:
                more(folder / name, name)
        _write_json(folder / "summary.json", summary)

    return write_files(destination, fill, about, overwrite=overwrite)


def write_files(
    destination: str | Path, fill: Callable[[Path], None], about: Mapping[str, Any], *, overwrite: bool
) -> Path:
    """Make a folder that `fill` writes into and add a manifest with the hash of every file; return it.

    Parameters
    ----------
    destination, about, overwrite : as in `write_folder`, whose errors are raised.
    fill : called with an empty folder beside `destination`, which is moved into place when it is whole.

    Raises
    ------
    OSError
        With `destination` as its file name where the system names none, as for a disk that is full.
    """
    path = Path(destination)
    if path.exists():
        if not overwrite:
            message = f"{path} exists; choose another folder or pass overwrite=True"
            raise OutputExistsError(message)
        refuse_foreign(path)
    path = path.resolve()  # the folder that a link points to is replaced, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        building.chmod(0o755)
        fill(building)
        _write_json(building / "manifest.json", {**about, "files": _hashes(building)})
        if path.exists():
            _replace(path, building)
        else:
            building.rename(path)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error  # a disk that is full
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Path(destination)
