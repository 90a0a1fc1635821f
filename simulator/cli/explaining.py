"""``kinesim explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Sets, Workers, cores
from simulator.cli.outputs import check_folder, refuse_source
from simulator.cli.progress import ProgressBar

Side = Annotated[
    str,
    typer.Argument(
        metavar="RUN|SCENARIO",
        help="SOURCE[#VARIANT][@PATH=VALUE]...: the folder of a finished run, a manifest, a scenario file or "
        "a shipped name; one of its variants; changes.",
    ),
]
Seeds = Annotated[int | None, typer.Option(min=1, help="Repetitions; else those of the scenario.")]
Out = Annotated[
    Path | None, typer.Option(help="Write the explanation, its tables and pictures to this folder.")
]


@answering
def explain(
    side: Side,
    *,
    sets: Sets = None,
    seeds: Seeds = None,
    doubling: Annotated[bool, typer.Option(help="Run again with each resource doubled.")] = True,
    workers: Workers = None,
    out: Out = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say why a run is as fast as it is: per operation, in time and memory, and what would help most."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
        refuse_source(out, [side])
    from simulator.explaining.explanation import explain as explained  # noqa: PLC0415 - help loads no simulator

    changes = [*(sets or []), *([] if seeds is None else [f"report.seeds={seeds}"])]
    with ProgressBar(quiet=False, what="runs") as progress:
        found = explained(
            side, overrides=changes, doubling=doubling, workers=workers or cores(), progress=progress
        )
    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        typer.echo(json.dumps(found.summary, indent=2, allow_nan=False))
    else:
        from simulator.explaining.explanation_text import (  # noqa: PLC0415 - --json does without
            render_explanation,
        )

        typer.echo(render_explanation(found).rstrip("\n"))
    if out is not None:
        say(f"wrote {found.to_dir(out, overwrite=overwrite)}")
