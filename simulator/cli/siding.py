"""``kinesim compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Sets
from simulator.cli.outputs import check_folder, refuse_source
from simulator.cli.progress import ProgressBar

Sides = Annotated[
    list[str],
    typer.Argument(
        metavar="SIDE...",
        help="SOURCE[#VARIANT][@PATH=VALUE]...: a scenario file, a shipped name, a manifest or the folder of "
        "a finished run, which is run again; one of its variants; changes for this side alone.",
    ),
]
Seeds = Annotated[
    int | None, typer.Option(min=1, help="Repetitions with common seeds; else those of the first side.")
]

Workers = Annotated[
    int, typer.Option(min=1, max=1024, help="Processes that simulate; more than 1 pay for long runs.")
]
Out = Annotated[
    Path | None, typer.Option(help="Write the comparison, its tables and pictures to this folder.")
]


@answering
def compare(
    sides: Sides,
    *,
    sets: Sets = None,
    seeds: Seeds = None,
    workers: Workers = 1,
    out: Out = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Run scenarios side by side: what differs, where the time went, figures with paired intervals."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
        refuse_source(out, sides)
    from simulator.explaining.comparison import (  # noqa: PLC0415 - help and completion load no simulator
        compare_sides,
    )

    changes = [*(sets or []), *([] if seeds is None else [f"report.seeds={seeds}"])]
    with ProgressBar(quiet=False) as progress:
        found = compare_sides(sides, overrides=changes, workers=workers, progress=progress)
    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        typer.echo(json.dumps(found.summary, indent=2, allow_nan=False))
    else:
        from simulator.explaining.sides_text import render_sides  # noqa: PLC0415 - --json does without

        typer.echo(render_sides(found).rstrip("\n"))
    if out is not None:
        say(f"wrote {found.to_dir(out, overwrite=overwrite)}")
