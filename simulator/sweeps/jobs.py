"""One run of a sweep: a job is plain data, so any process or machine can take it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from simulator.api import simulate
from simulator.errors import InfeasiblePlanError, InvariantViolation, SimulatorError
from simulator.frozen import FrozenModel
from simulator.output import package_versions, scenario_sha256
from simulator.scenario.catalog import folder_of
from simulator.scenario.components import name_of, refuse_wrong, source_sha256, with_components
from simulator.scenario.loader import Resolved, resolve, vary
from simulator.scenario.located import Located, locate
from simulator.scenario.overrides import HERE, Overrides, split
from simulator.scenario.schema import Scenario

Status = Literal["ok", "infeasible", "invalid"]

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("simulator", "workloads")
SOURCES: Final = (".py", ".toml", ".yaml", ".json")
"""Ends of the files that results depend on: code, figures of benchmarks, presets and profiles."""

NAMED: Final = 16
"""Letters of the hashes of scenario and program in the key of a run, where they only sort."""

MADE_FOR: Final = ("sweep", "plan")
"""Sections of a scenario that say what to ask of it, and are no part of a run."""


class OtherCodeError(SimulatorError):
    """A worker with another version of the program: its results would not be those of this one."""

    def __init__(self, asked: str, here: str) -> None:
        self.asked, self.here = asked, here
        super().__init__(
            f"a worker has other versions of kinesim, Python, packages or components of your own (hash "
            f"{here[:12]}, asked for {asked[:12]}): install the same on all of them"
        )

    def __reduce__(self) -> tuple[type[OtherCodeError], tuple[str, str]]:
        """Let the error cross process boundaries."""
        return type(self), (self.asked, self.here)


@dataclass(frozen=True)
class Base:
    """What all points of a sweep have in common.

    Parameters
    ----------
    text : the document as JSON, its names and paths replaced: no file is needed where it is run.
    variants : names of its variants, or nothing.
    own : components of the caller's own in place of those of the document: name of the seam and object.
    own_sha256 : hash of what they are made of; empty where there are none.
    """

    text: str
    variants: tuple[str, ...]
    own: tuple[tuple[str, FrozenModel], ...] = ()
    own_sha256: str = ""

    @cached_property
    def sha256(self) -> str:
        """Hash of the document, and of components of one's own."""
        return hashlib.sha256((self.text + self.own_sha256).encode()).hexdigest()


@dataclass(frozen=True)
class Job:
    """One run.

    Parameters
    ----------
    base : the scenario.
    changes : the point, as JSON: values by dotted path.
    variant : one of the base's variants; empty where it has none.
    repetition : seeds from the point's own on, from 0.
    code_sha256 : hash of the program that hands it out.
    files_sha256 : hash of the files that the changes name; empty where there are none.
    """

    base: Base
    changes: str
    variant: str
    repetition: int
    code_sha256: str
    files_sha256: str = ""

    @cached_property
    def key(self) -> str:
        """What the run is kept under: hashes of the scenario, the program, and of all it depends on."""
        told = [self.base.sha256, self.changes, self.variant, self.repetition, self.code_sha256]
        told += [self.files_sha256] if self.files_sha256 else []
        whole = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        return f"{self.base.sha256[:NAMED]}/{self.code_sha256[:NAMED]}/{whole}"


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Parameters
    ----------
    status : ``ok``; ``infeasible`` where the plan does not fit its hardware; ``invalid`` where the values of
        the point do not go together.
    reason : why it did not run, empty if it did.
    seed : root of its random numbers; None if it did not run.
    scenario_sha256 : hash of the resolved scenario as its manifest has it; empty if there is none.
    summary : the metrics; None if it did not run.
    """

    status: Status
    reason: str
    seed: int | None
    scenario_sha256: str
    summary: dict[str, Any] | None


def base_of(
    source: str | Path | Mapping[str, object],
    overrides: Overrides = (),
    components: Mapping[str, FrozenModel] | None = None,
) -> tuple[Base, Resolved]:
    """Return a scenario as the base of a sweep, and what it was resolved from.

    Whether it fits its hardware is a question to each point.

    Parameters
    ----------
    source, overrides : the scenario.
    components : put in place of its own at every point, by the names of `with_components`.

    Raises
    ------
    ScenarioError, UnknownNameError
        As `load_scenario`.
    """
    found = resolve(source, overrides=overrides, must_fit=False)
    document = _run_of(found.document)
    variants = {name: _run_of(node) for name, node in found.variants.items()}
    if variants:
        document = {**document, "variants": variants}
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    own = tuple(sorted((components or {}).items()))
    refuse_wrong(found.scenario, dict(own))
    return Base(text, tuple(variants), own, _own_sha256(own)), found


def _run_of(document: Located) -> dict[str, Any]:
    """Return a document as plain values, without the sections that ask something of it."""
    plain: Any = document.plain()  # a scenario is a table
    return {key: value for key, value in plain.items() if key not in MADE_FOR}


def _own_sha256(own: tuple[tuple[str, FrozenModel], ...]) -> str:
    """Return a hash of the classes, their texts and the parameters of components; empty without any."""
    if not own:
        return ""
    told = [
        [name, name_of(type(one)), source_sha256(type(one)), one.model_dump(mode="json")] for name, one in own
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def changes_of(changes: Mapping[str, object], variant: str) -> dict[str, object]:
    """Return the changes that concern a variant: not those of its neighbours."""
    foreign = [path for path in changes if (keys := split(path))[0] == "variants" and keys[1:2] != (variant,)]
    return {path: value for path, value in changes.items() if path not in foreign}


def path_in(path: str, variant: str) -> str:
    """Return the path that changes a value whether the variant has one of its own there or not."""
    return path if not variant or split(path)[0] == "variants" else f"variants.{variant}.{path}"


@cache
def code_sha256() -> str:
    """Return a hash of the program, its catalogs, and the packages that its results can depend on."""
    digest = hashlib.sha256(json.dumps(package_versions(), sort_keys=True).encode())
    folders = {package: ROOT / package for package in PACKAGES} | {"hardware": folder_of("node")}
    for name, folder in folders.items():
        for path in sorted(path for path in folder.rglob("*") if path.suffix in SOURCES):
            digest.update(f"{name}/{path.relative_to(folder).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def document_of(text: str, variant: str | None = None) -> Located:
    """Return the document of a base, with all its variants or one: others have no say in what comes of it."""
    found: dict[str, Any] = json.loads(text)
    if variant is not None:
        found["variants"] = {
            name: whole for name, whole in found.get("variants", {}).items() if name == variant
        }
    return locate(found, HERE)


@lru_cache(maxsize=8)
def _resolved(text: str, variant: str, changes: str, _files_sha256: str) -> Scenario:
    """Return a point; kept for the seeds that follow."""
    scenario = vary(document_of(text, variant), json.loads(changes), must_fit=False).scenario
    return scenario.variants[variant] if variant else scenario


def run_job(job: Job) -> Outcome:
    """Simulate one run of a sweep; what keeps it from running is part of the outcome.

    Raises
    ------
    InvariantViolation
        If the simulator is wrong.
    OtherCodeError
        If this process runs another version of the program than the one that asks.
    """
    if job.code_sha256 != code_sha256():
        raise OtherCodeError(job.code_sha256, code_sha256())
    if job.base.own_sha256 != (here := _own_sha256(job.base.own)):
        raise OtherCodeError(job.base.own_sha256, here)
    seed, digest = None, ""
    try:
        scenario = _resolved(job.base.text, job.variant, job.changes, job.files_sha256)
        if job.base.own:
            scenario = with_components(scenario, **dict(job.base.own))
        seed = scenario.seed + job.repetition
        digest = scenario_sha256(scenario, seed=seed)
        summary = simulate(scenario, seed=seed).summary
    except InfeasiblePlanError as error:
        return Outcome("infeasible", _without_label(error), seed, digest, None)
    except InvariantViolation:
        raise
    except SimulatorError as error:
        return Outcome("invalid", _without_label(error), seed, digest, None)
    return Outcome("ok", "", seed, digest, summary)


def _without_label(error: SimulatorError) -> str:
    """Return the lines of an error without where they come from: the point alone can have caused them."""
    return "\n".join(line.removeprefix(f"{HERE.source.label}: ") for line in str(error).splitlines())
