"""What is compared: texts such as ``quickstart#dense@engine.max_sequences=64`` become scenarios.

A side is ``SOURCE[#VARIANT][@PATH=VALUE]...``.  The source is a scenario file, a shipped name, a manifest or
the folder of a finished run.  A folder's manifest is run again rather than its summary read: runs repeat to
the byte, and where the time went needs the records.  Without ``#VARIANT`` a scenario with variants counts
as all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simulator.errors import InfeasiblePlanError, ScenarioError, SimulatorError, suggest
from simulator.scenario.catalog import names_in
from simulator.scenario.document import shown
from simulator.scenario.loader import load_scenario
from simulator.scenario.schema import LARGEST_SEED, Scenario

CHANGE: Final = re.compile(r'@(?=[A-Za-z_][\w-]*(?:\."?[\w.-]+"?)*=)')
"""Where a change begins: an ``@`` before a dotted path and an equals sign, which no file name should hold."""

COMMON: Final = ("seed", "report.seeds", "report.confidence_ratio")
"""Values that are the same for all sides, or seeds would not be pairs."""

LEAST_SIDES: Final = 2

SideSource = str | Path | Scenario
"""A text as the command line takes it, the path of a file or folder, or a scenario."""


@dataclass(frozen=True, slots=True)
class Side:
    """One scenario of a comparison.

    Parameters
    ----------
    name : what it is called in tables; unique among the sides.
    scenario : what is run, without variants.
    source : the text or path that asked for it.
    folder : the finished run that is run again, where nothing of it was changed; else None.
    variant : what it is called in its own source.
    asked_seeds : the seeds that it would have had by itself: first and count.
    """

    name: str
    scenario: Scenario
    source: str
    folder: Path | None = None
    variant: str = ""
    asked_seeds: tuple[int, int] = (0, 1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A side as it was written."""

    source: str
    variant: str | None
    changes: tuple[str, ...]


def read_sides(sources: Sequence[SideSource], overrides: Sequence[str] = ()) -> list[Side]:
    """Return the sides that `sources` ask for.

    Parameters
    ----------
    sources : at least one; together they must make two sides.
    overrides : ``PATH=VALUE`` texts for every side; a side's own changes come after them.

    Raises
    ------
    ScenarioError
        With the faults of all sides, each line beginning with its side; if there is one side only, or two
        are the same scenario.
    InfeasiblePlanError
        If nothing else is wrong and a side does not fit its hardware; shows the sum.
    """
    found: list[tuple[str, Scenario, str, Path | None]] = []
    faults: list[str] = []
    misfits: list[str] = []
    for place, source in enumerate(sources, start=1):
        try:
            found += _of(source, overrides)
        except SimulatorError as error:
            kind = misfits if isinstance(error, InfeasiblePlanError) else faults
            label = source if isinstance(source, str) else shown(str(source))
            kind += [f"side {place} ({label}): {line}" for line in str(error).splitlines()]
    if faults:
        raise ScenarioError([*faults, *misfits])
    if misfits:
        raise InfeasiblePlanError("\n".join(misfits))
    names = _names([(name, source) for name, _, source, _ in found])
    first = found[0][1] if found else None
    sides = [
        Side(name, _with_seeds_of(scenario, first or scenario), source, folder, variant, _seeds(scenario))
        for name, (variant, scenario, source, folder) in zip(names, found, strict=True)
    ]
    _check(sides)
    return sides


def read_one(source: SideSource, overrides: Sequence[str] = ()) -> Side:
    """Return the one scenario that `source` asks for.

    Raises
    ------
    ScenarioError, UnknownNameError, InfeasiblePlanError
        As `simulator.load_scenario`; or if it has several variants and none is picked.
    """
    found = _of(source, overrides)
    if len(found) > 1:
        names = [name for name, _, _, _ in found]
        example = f"{source}#{names[0]}" if not isinstance(source, Scenario) else f"variants[{names[0]!r}]"
        allowed = f"(allowed: {', '.join(names)})"
        message = f"{found[0][2]}: has variants; pick one, for example {example} {allowed}"
        raise ScenarioError(message)
    name, scenario, text, folder = found[0]
    return Side(name, scenario, text, folder, name, _seeds(scenario))


def _of(source: SideSource, overrides: Sequence[str]) -> list[tuple[str, Scenario, str, Path | None]]:
    """Return (name, scenario, source, folder) of every side that one source stands for."""
    if isinstance(source, Scenario):
        if overrides:
            source = load_scenario(source.model_dump(mode="json", by_alias=True), overrides=overrides)
        variants = source.variants or {source.name: source}
        return [(name, variant, source.name, None) for name, variant in variants.items()]
    asked = _asked(str(source))
    path, folder = _path(asked.source)
    own = _placed(asked, has_variant=asked.variant is not None)
    scenario = load_scenario(path, overrides=[*overrides, *own])
    chosen = _chosen(scenario, asked)
    again = folder if not own and not overrides else None
    tail = "".join(f" {_brief(change)}" for change in asked.changes)
    return [
        (f"{name}{tail}", one.model_copy(update={"variants": {}}), str(source), again)
        for name, one in chosen.items()
    ]


def _asked(text: str) -> _Asked:
    if text and Path(text).exists():
        return _Asked(text, None, ())
    begin = _end_of_file_name(text)
    source, *changes = CHANGE.split(text[begin:])
    source = text[:begin] + source
    if "@" in source[begin:]:
        message = f"{text}: no such file, and what follows an @ is a change: expected @PATH=VALUE"
        raise ScenarioError(message)
    name, mark, variant = source.rpartition("#")
    if not mark or Path(source).exists():
        return _Asked(source, None, tuple(changes))
    return _Asked(name, variant, tuple(changes))


def _end_of_file_name(text: str) -> int:
    """Return where the longest file name ends that a side begins with, if its name holds what changes do."""
    ends = [found.start() for found in re.finditer(r"[@#]", text)]
    return next((end for end in reversed(ends) if "@" in text[:end] and Path(text[:end]).exists()), 0)


def _path(source: str) -> tuple[str, Path | None]:
    """Return what to load for a source, and the folder of a finished run if it is one."""
    folder = Path(source)
    if folder.name == "manifest.json" and folder.is_file():
        return source, folder.parent
    if not source or not folder.is_dir():
        return source, None
    if (folder / "manifest.json").is_file():
        return str(folder / "manifest.json"), folder
    if source in names_in("scenario"):
        return source, None
    parents = [above for above in folder.resolve().parents[:2] if (above / "manifest.json").is_file()]
    hint = f"; it lies in the run {parents[0]}: take that, with #VARIANT" if parents else ""
    message = (
        f"{source}: is no folder of a run: it has no manifest.json, which kinesim run --out writes{hint}"
    )
    raise ScenarioError(message)


def _placed(asked: _Asked, *, has_variant: bool) -> list[str]:
    """Return a side's own changes as overrides; those of a picked variant are put below it."""
    if not has_variant:
        return list(asked.changes)
    below = f'variants."{asked.variant}".'
    return [
        change if change.partition("=")[0].strip() in COMMON else f"{below}{change}"
        for change in asked.changes
    ]


def _chosen(scenario: Scenario, asked: _Asked) -> dict[str, Scenario]:
    if asked.variant is None:
        return dict(scenario.variants or {scenario.name: scenario})
    if asked.variant in scenario.variants:
        return {asked.variant: scenario.variants[asked.variant]}
    known = suggest(asked.variant, scenario.variants) if scenario.variants else "the scenario has none"
    message = f"unknown variant {asked.variant!r}; {known}"
    raise ScenarioError(message)


def _brief(change: str) -> str:
    """Return a change as a table's head shows it: the last key and the value."""
    path, _, value = change.partition("=")
    return f"{path.strip().rpartition('.')[2]}={value.strip()}"


def _names(found: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name per side: with its source where two are alike, and numbered if they still are."""
    names = [name for name, _ in found]
    alike = {name for name in names if names.count(name) > 1}
    named = [f"{name} ({source})" if name in alike else name for name, source in found]
    return [
        name if named.count(name) == 1 else f"{name} {named[: place + 1].count(name)}"
        for place, name in enumerate(named)
    ]


def _seeds(scenario: Scenario) -> tuple[int, int]:
    return scenario.seed, scenario.report.seeds


def _with_seeds_of(scenario: Scenario, first: Scenario) -> Scenario:
    """Return `scenario` with the seeds and the confidence of the first side."""
    r = first.report
    same = {"seeds": r.seeds, "confidence_ratio": r.confidence_ratio}
    report = scenario.report.model_copy(update=same)
    return scenario.model_copy(update={"seed": first.seed, "report": report})


def _check(sides: Sequence[Side]) -> None:
    """Refuse what is no comparison, and seeds beyond the largest."""
    if len(sides) < LEAST_SIDES:
        only = sides[0].source if sides else "nothing"
        message = (
            f"only one side: {only}; a comparison needs two, for example "
            f"{only} {only}@parallelism.dp=4, or a scenario with variants"
        )
        raise ScenarioError(message)
    first = sides[0].scenario
    if first.seed + first.report.seeds - 1 > LARGEST_SEED:
        message = f"report.seeds: {first.report.seeds} seeds from {first.seed} on go beyond {LARGEST_SEED}"
        raise ScenarioError(message)
    seen: dict[str, str] = {}
    faults = []
    for place, side in enumerate(sides, start=1):
        key = json.dumps(document_of(side.scenario), sort_keys=True)
        told = f"side {place} ({side.name})"
        if key in seen:
            faults.append(
                f"{told}: is the same scenario as {seen[key]}; change something, for example "
                f"{side.source}@engine.max_sequences=64 (seeds are common to all sides)"
            )
        seen.setdefault(key, told)
    if faults:
        raise ScenarioError(faults)


def document_of(scenario: Scenario) -> dict[str, Any]:
    """Return the values of a scenario that its results depend on, the common seeds left out."""
    document = scenario.model_dump(mode="json", by_alias=True, exclude={"variants"})
    for key in ("name", "question", "seed", "schema"):
        document.pop(key, None)
    for key in ("seeds", "confidence_ratio"):
        document["report"].pop(key, None)
    return document
