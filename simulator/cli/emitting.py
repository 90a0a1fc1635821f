"""Files that ``kinesim run`` writes for other tools: ``--emit`` and ``--perfetto``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator.cli.answering import say
from simulator.cli.outputs import check_file, write_whole

if TYPE_CHECKING:
    from simulator.api import Comparison, Result
    from simulator.scenario.schema import Scenario

PERFETTO: Final = "perfetto"
"""What the files of ``--perfetto`` are called among the others."""

NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._+-]+")
LONGEST_NAME: Final = 80
"""Characters of a scenario's name that go into the name of a file."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A file that is asked for.

    Parameters
    ----------
    format : its name.
    path : where it goes; None: by its own name into the folder of results, or into this folder.
    """

    format: str
    path: Path | None

    @property
    def holds_requests(self) -> bool:
        """Whether it is a list of requests."""
        return self.format != PERFETTO

    @property
    def option(self) -> str:
        """The option as it was typed."""
        if self.format == PERFETTO:
            return f"--perfetto {self.path}"
        return f"--emit {self.format}" + (f"={self.path}" if self.path else "")


def wishes(emit: Sequence[str], perfetto: Path | None) -> list[Wish]:
    """Return what is asked for.

    Parameters
    ----------
    emit : texts of ``--emit``: ``FORMAT`` or ``FORMAT=FILE``.
    perfetto : the file of ``--perfetto``.

    Raises
    ------
    SimulatorError
        With every text that names no format or no file.
    """
    if not emit and perfetto is None:
        return []
    from simulator.emit import FORMATS  # noqa: PLC0415 - help and completion load no simulator
    from simulator.errors import SimulatorError, suggest  # noqa: PLC0415 - as above

    found, faults = list[Wish](), list[str]()
    for text in emit:
        name, equals, path = text.partition("=")
        if name not in FORMATS:
            faults.append(f"--emit {text}: unknown format {name!r}; {suggest(name, FORMATS)}")
        elif equals and not path:
            faults.append(f"--emit {text}: no file follows the =; leave it out, or name one")
        elif any(name == one.format for one in found):
            faults.append(f"--emit {text}: {name} is asked for twice")
        else:
            found.append(Wish(name, Path(path) if path else None))
    if faults:
        raise SimulatorError("\n".join(faults))
    return [*found, *([Wish(PERFETTO, perfetto)] if perfetto else [])]


def check_wishes(
    asked: Sequence[Wish], scenario: Scenario, others: Sequence[Path | None], *, overwrite: bool
) -> None:
    """Refuse files that could not be written, before anything is simulated for them.

    Parameters
    ----------
    asked : what is asked for.
    scenario : what will be run.
    others : the folder of results, the page and the file that is read, or None.
    overwrite : replace files that are there.

    Raises
    ------
    OutputExistsError
        If one is there already, or two are one path.
    """
    from simulator.errors import OutputExistsError  # noqa: PLC0415 - help and completion load no simulator

    out, *files = others
    taken = {path.resolve(): str(path) for path in (out, *files) if path is not None}
    for wish in asked:
        if wish.path is None and out is not None:
            continue  # inside a folder that is new
        for name, seed in _runs(scenario):
            path = _path(wish, scenario, name, seed)
            if path.resolve() in taken:
                message = (
                    f"{wish.option} would write {path}, which is {taken[path.resolve()]}; choose two names"
                )
                raise OutputExistsError(message)
            taken[path.resolve()] = f"that of {wish.option}"
            check_file(path, overwrite=overwrite)


def in_folder(asked: Sequence[Wish]) -> Callable[[Path, Result], None] | None:
    """Return what writes, into the folder of a run, the files that go there; None if none does."""
    inside = [wish for wish in asked if wish.path is None]
    if not inside:
        return None

    def fill(folder: Path, result: Result) -> None:
        for wish in inside:
            write_whole(folder / _file_name(wish), text_of(wish, result))

    return fill


def write_files(asked: Sequence[Wish], comparison: Comparison, *, has_folder: bool) -> Iterator[Path]:
    """Write the files that go into no folder of results, and yield their paths."""
    scenario = comparison.scenario
    for wish in asked:
        if wish.path is None and has_folder:
            continue
        for name, results in comparison.runs.items():
            for result in results:
                path = _path(wish, scenario, name, result.seed)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, text_of(wish, result))
                yield path


def say_notes(asked: Sequence[Wish], comparison: Comparison) -> None:
    """Say what the lists of requests do not hold, run by run."""
    from simulator.emit import served_by  # noqa: PLC0415 - help and completion load no simulator

    if not any(wish.holds_requests for wish in asked):
        return
    several = sum(len(results) for results in comparison.runs.values()) > 1
    for name, results in comparison.runs.items():
        for result in results:
            of = f"{name}, seed {result.seed}: " if several else ""
            for note in served_by(result).notes:
                say(f"note: {of}{note}")


def text_of(wish: Wish, result: Result) -> Iterator[str]:
    """Return the text of a file in pieces."""
    from simulator.emit import FORMATS, perfetto, served_by  # noqa: PLC0415 - help loads no simulator

    if wish.format == PERFETTO:
        return perfetto.text(result)
    return FORMATS[wish.format].text(result, served_by(result))


def _runs(scenario: Scenario) -> list[tuple[str, int]]:
    """Return the variant and the seed of every run."""
    names = list(scenario.variants) or [scenario.name]
    seeds = range(scenario.seed, scenario.seed + scenario.report.seeds)
    return [(name, seed) for name in names for seed in seeds]


def _path(wish: Wish, scenario: Scenario, name: str, seed: int) -> Path:
    """Return where the file of a run goes: of several runs each has a name of its own."""
    own = f".{name}.seed-{seed}" if len(_runs(scenario)) > 1 else ""
    own = NOT_IN_NAMES.sub("-", own)
    if wish.path is not None:
        return wish.path.with_name(f"{wish.path.stem}{own}{wish.path.suffix}")
    title = NOT_IN_NAMES.sub("-", scenario.name)[:LONGEST_NAME].strip("-") or "scenario"
    return Path(f"{title}{own}.{_file_name(wish)}")


def _file_name(wish: Wish) -> str:
    from simulator.emit import FORMATS  # noqa: PLC0415 - help and completion load no simulator

    return FORMATS[wish.format].file
