"""A folder of results, one file a run, each of them there as a whole or not at all.

The name of a file is a hash of the scenario, the point, the seed and the code, so a result is found again if
and only if it would be the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from simulator.errors import SimulatorError
from simulator.sweeps.jobs import Job, Outcome

MARK: Final = "kinesim-sweep.json"
"""File that says that a folder is a store."""

VERSION: Final = 1
"""Version of the layout."""

PART: Final = ".part"
"""End of the name of a file that is being written."""

ABANDONED_S: Final = 600.0
"""Age from which a file half written was left by a process that was killed, s: writing takes milliseconds."""


class StoreError(SimulatorError):
    """A folder that cannot be used as a store, or a result in it that cannot be written or read."""


@dataclass(frozen=True)
class Others:
    """Results in a store that are not of this sweep as it stands now.

    Parameters
    ----------
    other_code : of this scenario, made by another version of the program.
    other_scenario : of another scenario.
    """

    other_code: int = 0
    other_scenario: int = 0


class Store:
    """Results of sweeps in a folder.

    Results lie under ``results/<hash of the scenario>/<hash of the program>/``, so what belongs to others is
    told from the names alone.

    Parameters
    ----------
    folder : made if it is not there.

    Raises
    ------
    StoreError
        If `folder` holds something else, or cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._results = folder / "results"
        try:
            self._claim()
        except OSError as error:
            raise _failed(folder, "cannot be used as a store", error) from error

    def _claim(self) -> None:
        mark = self.folder / MARK
        if self.folder.exists() and not mark.is_file():
            if not self.folder.is_dir():
                message = f"{self.folder} is no folder; a store is one"
                raise StoreError(message)
            # Whoever makes the same store at this moment leaves its mark first.
            others = [each for each in self.folder.iterdir() if not _is_mark(each)]
            if others and not mark.is_file():
                message = f"{self.folder} is not empty and no store of a sweep ({MARK} is missing)"
                raise StoreError(message)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not mark.is_file():
            write_whole(mark, json.dumps({"store": VERSION}) + "\n")
        self._check_version(mark)
        self._results.mkdir(exist_ok=True)
        for left in self._results.glob(f"*/*/??/.*{PART}"):
            try:
                if time.time() - left.stat().st_mtime > ABANDONED_S:
                    left.unlink(missing_ok=True)
            except FileNotFoundError:
                continue  # whoever wrote it has finished

    @staticmethod
    def _check_version(mark: Path) -> None:
        try:
            version = json.loads(mark.read_text(encoding="utf-8"))["store"]
        except (ValueError, KeyError, TypeError) as error:
            message = f"{mark} cannot be read as the mark of a store; choose another folder"
            raise StoreError(message) from error
        if version != VERSION:
            message = f"{mark}: version {version!r} of a store cannot be read; allowed: {VERSION}"
            raise StoreError(message)

    def _path(self, key: str) -> Path:
        folder, _, name = key.rpartition("/")
        return self._results / folder / name[:2] / f"{name}.json"

    def put(self, job: Job, outcome: Outcome) -> None:
        """Keep what came of a job; after this returns a killed process does not lose it.

        Raises
        ------
        StoreError
            If it cannot be written: a full disk, say.
        """
        table = {
            "store": VERSION,
            "base_sha256": job.base.sha256,
            "code_sha256": job.code_sha256,
            "changes": json.loads(job.changes),
            "variant": job.variant,
            "repetition": job.repetition,
            "outcome_sha256": _sha256(asdict(outcome)),
            **asdict(outcome),
        }
        path = self._path(job.key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(table, allow_nan=False) + "\n")
        except OSError as error:
            told = f"{_failed(path, 'cannot be written', error)}; what was done before is kept"
            message = f"{told}: make room, or let it be written, and give the same line again"
            raise StoreError(message) from error

    def get(self, key: str) -> Outcome | None:
        """Return what came of a job; None if it is not known or its file is damaged.

        Raises
        ------
        StoreError
            If it is there and cannot be read.
        """
        path = self._path(key)
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
            fields = {name: table[name] for name in Outcome.__dataclass_fields__}
            whole = table["outcome_sha256"] == _sha256(fields)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(path, "cannot be read", error) from error
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return Outcome(**fields) if whole else None

    def others(self, job: Job) -> Others:
        """Return how many results in the folder are of other scenarios, or of other code, than `job`."""
        scenario, code, _ = job.key.split("/")
        try:
            found = [
                path.relative_to(self._results).parts[:2] for path in self._results.glob("*/*/??/*.json")
            ]
        except OSError as error:
            raise _failed(self._results, "cannot be read", error) from error
        return Others(
            other_code=sum(parts[0] == scenario and parts[1] != code for parts in found),
            other_scenario=sum(parts[0] != scenario for parts in found),
        )


def _sha256(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def _is_mark(path: Path) -> bool:
    """Say whether a file is the mark of a store, or one in the making."""
    return path.name == MARK or (path.name.startswith(f".{MARK}.") and path.suffix == PART)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it has all of `text` or is as it was, whenever the process is killed.

    The disk is not waited for: a file that a power failure left damaged is computed again.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex}{PART}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _failed(path: Path, what: str, error: OSError) -> StoreError:
    return StoreError(f"{path}: {what}: {error.strerror or error}")
