"""``kinesim sweep``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Sets, Source, Workers, cores
from simulator.cli.outputs import check_file
from simulator.cli.progress import RateBar

if TYPE_CHECKING:
    from simulator.metrics.measures import Measure
    from simulator.sweeps import Swept


class Combine(StrEnum):
    """How axes are put together."""

    GRID = "grid"
    ZIP = "zip"
    RANDOM = "random"
    LATIN_HYPERCUBE = "latin_hypercube"


AxisOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--axis",
        metavar="PATH=VALUES",
        help="What to vary: a,b,c or 1:64:*2 or 0:10:2.5, or 0.5..8 to draw from; repeatable.",
    ),
]
Store = Annotated[
    Path | None,
    typer.Option(help="Folder that keeps each result; a sweep goes on from there. Default: NAME.sweep"),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS|local", help="Run on a Dask cluster: tcp://HOST:PORT, or a local one."),
]


Combining = Annotated[Combine | None, typer.Option("--combine", help="All combinations, rows, or draws.")]
Samples = Annotated[int | None, typer.Option(min=1, help="Points to draw.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Runs of each point.")]
DrawSeed = Annotated[int | None, typer.Option(min=0, help="Seed of the drawn points.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", help="Show this figure of docs/metrics.md; repeatable.")
]
RowsFile = Annotated[
    Path | None, typer.Option(help="Write a row for each run to this file: .csv or .parquet.")
]
MeansFile = Annotated[
    Path | None, typer.Option(help="Write a row for each point, means over its seeds: .csv or .parquet.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only, and with --json the rows.")]


@answering
def sweep(
    source: Source,
    *,
    axes: AxisOptions = None,
    combine: Combining = None,
    samples: Samples = None,
    seeds: Seeds = None,
    draw_seed: DrawSeed = None,
    sets: Sets = None,
    metrics: Metrics = None,
    store: Store = None,
    out: RowsFile = None,
    means: MeansFile = None,
    overwrite: Overwrite = False,
    workers: Workers = None,
    dask: Dask = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a scenario at many points and print what came of each."""
    _check_files((out, means), overwrite=overwrite)
    from simulator.sweeps import sweep as run_sweep  # noqa: PLC0415 - help and completion load no simulator
    from simulator.sweeps.text import chosen_measures  # noqa: PLC0415 - as above

    measures = chosen_measures(metrics or [])
    with RateBar(quiet=quiet) as progress:
        swept = run_sweep(
            source,
            parsed_axes(axes or []),
            overrides=sets or [],
            combine=combine and combine.value,
            samples=samples,
            seeds=seeds,
            draw_seed=draw_seed,
            store=store or _store_of(source, sets or []),
            workers=workers or cores(),
            dask=dask,
            progress=progress,
        )
    _answer(swept, measures, (out, means), as_json=as_json, quiet=quiet)


def _check_files(files: Sequence[Path | None], *, overwrite: bool) -> None:
    """Refuse tables that cannot be written, before anything runs."""
    for path in files:
        if path is not None:
            check_file(path, overwrite=overwrite)
    from simulator.sweeps.table_files import check_table_file  # noqa: PLC0415 - help loads no simulator

    for path in files:
        if path is not None:
            check_table_file(path)
    one, other = files
    if one is not None and other is not None and one.resolve() == other.resolve():
        from simulator.errors import OutputExistsError  # noqa: PLC0415 - as above

        message = f"--out {one} and --means {other} are the same file; choose two names"
        raise OutputExistsError(message)


def _store_of(source: str, sets: Sequence[str]) -> Path:
    """Return the folder that keeps results where nobody names one."""
    from simulator.scenario.loader import resolve  # noqa: PLC0415 - help loads no simulator

    return Path(f"{resolve(source, overrides=sets, must_fit=False).scenario.name}.sweep")


def _answer(
    swept: Swept,
    measures: Sequence[Measure],
    files: tuple[Path | None, Path | None],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the tables, print the answer, and exit with 3 if no point could run."""
    from simulator.sweeps.table_files import write_table  # noqa: PLC0415 - help loads no simulator
    from simulator.sweeps.text import render  # noqa: PLC0415 - as above

    for path, name in zip(files, ("run_columns", "point_columns"), strict=True):
        if path is not None:
            write_table(getattr(swept, name), path)  # a table that nobody asks for is not made
            if not quiet:
                say(f"wrote {path}")
    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        from simulator.sweeps.columns import rows_of  # noqa: PLC0415 - help loads no simulator

        named = [dict(zip(swept.run_columns, row, strict=True)) for row in rows_of(swept.run_columns)]
        typer.echo(json.dumps(named, indent=2, allow_nan=False))
    elif not quiet:
        typer.echo(render(swept, measures, **_width()))
    if all(row.status != "ok" for row in swept.rows):
        from simulator.errors import InfeasiblePlanError  # noqa: PLC0415 - as above

        message = f"no point of the sweep can run: {swept.rows[0].reason}"
        raise InfeasiblePlanError(message)


def _width() -> dict[str, int]:
    """Return the width of the terminal, if there is one."""
    return {"width": shutil.get_terminal_size().columns} if sys.stdout.isatty() else {}


def parsed_axes(texts: Sequence[str], *, option: str = "--axis") -> dict[str, object]:
    """Return the axes that options say, by path.

    Raises
    ------
    ScenarioError
        With every option that cannot be read.

    Examples
    --------
    >>> parsed_axes(["parallelism.tp=1:8:*2", "model.preset=qwen3-8b,qwen3-14b"])
    {'parallelism.tp': '1:8:*2', 'model.preset': ['qwen3-8b', 'qwen3-14b']}
    """
    from simulator.errors import ScenarioError  # noqa: PLC0415 - help and completion load no simulator
    from simulator.scenario.document import parse_value  # noqa: PLC0415 - as above
    from simulator.scenario.located import Source as From  # noqa: PLC0415 - as above

    found: dict[str, object] = {}
    faults: list[str] = []
    for text in texts:
        path, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not path:
            faults.append(f"{option} {text}: expected PATH=VALUES, such as {option} parallelism.tp=1,2,4")
            continue
        if path in found:
            faults.append(f"{option} {path}: given twice; give all values at once")
            continue
        node, wrong = parse_value(f"[{values}]", From(f"{option} {path}", Path()))
        faults += [str(fault) for fault in wrong]
        plain = None if wrong else node.plain()
        found[path] = plain[0] if isinstance(plain, list) and len(plain) == 1 else plain
    if faults:
        raise ScenarioError(faults)
    return found
