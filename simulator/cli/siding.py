"""``kinesim compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from simulator.cli.answering import answering
from simulator.cli.arguments import AsJson, Sets
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


@answering
def compare(sides: Sides, *, sets: Sets = None, seeds: Seeds = None, as_json: AsJson = False) -> None:
    """Run scenarios side by side: what differs, where the time went, figures with paired intervals."""
    from simulator.explaining.comparison import (  # noqa: PLC0415 - help and completion load no simulator
        compare_sides,
    )

    changes = [*(sets or []), *([] if seeds is None else [f"report.seeds={seeds}"])]
    with ProgressBar(quiet=False) as progress:
        found = compare_sides(sides, overrides=changes, progress=progress)
    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        typer.echo(json.dumps(found.summary, indent=2, allow_nan=False))
        return
    from simulator.explaining.sides_text import render_sides  # noqa: PLC0415 - --json does without

    typer.echo(render_sides(found).rstrip("\n"))
