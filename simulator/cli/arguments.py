"""Arguments that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def _scenario_names(incomplete: str) -> list[str]:
    """Return the shipped scenarios that a shell may complete `incomplete` to."""
    from simulator.scenario.catalog import names_in  # noqa: PLC0415 - only a completing shell asks

    names = [name for name in names_in("scenario") if name.startswith(incomplete)]
    before, slash, start = incomplete.rpartition("/")
    folder = Path(before + slash or ".")
    files = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [*names, *(f"{before}{slash}{file}" for file in files if file.startswith(start))]


Source = Annotated[
    str,
    typer.Argument(
        metavar="FILE|NAME",
        help="A scenario file, a run's manifest.json, or a name from `kinesim list scenarios`.",
        autocompletion=_scenario_names,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a value, for example --set parallelism.dp=4; repeatable."
    ),
]
UnitsAreRight = Annotated[
    bool,
    typer.Option(
        "--units-are-right", help="Take times and rates of results that no server is known to have."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=1024, help="Processes that simulate; as many as cores if left out."),
]


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
