"""``kinesim study``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Workers, cores
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_folder
from simulator.cli.progress import ProgressBar
from simulator.errors import SimulatorError

if TYPE_CHECKING:
    from simulator.studies.study import Study


@answering
def study(
    names: Annotated[
        list[str] | None, typer.Argument(help="Studies to run, or 'all'; without one they are listed.")
    ] = None,
    *,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Runs per point; intervals need two at least.")
    ] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="A coarse grid and short runs, to see what comes out.")
    ] = False,
    workers: Workers = None,
    out: Annotated[Path | None, typer.Option(help="Write tables, pictures and a page here.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Answer a question that takes many simulations."""
    if out is not None:
        _check_out(out, names, overwrite=overwrite)
    from simulator.studies.questions import STUDIES  # noqa: PLC0415 - help loads no simulator

    if not names:
        typer.echo(_listed(STUDIES.values(), as_json=as_json))
        return
    from simulator.studies.outputs import Answered, write_studies  # noqa: PLC0415 - as above
    from simulator.studies.questions import chosen  # noqa: PLC0415 - as above
    from simulator.studies.study import Budget  # noqa: PLC0415 - as above

    answered = {}
    for one in chosen(names):
        with ProgressBar(quiet=False) as progress:
            budget = Budget(seeds, workers or cores(), quick, progress)
            answered[one.name] = Answered(one, one.run(budget))
        if not as_json:
            typer.echo(f"{one.name}: {one.question}\n{answered[one.name].text}\n")
    if as_json:
        found = {name: one.to_json() for name, one in answered.items()}
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
    if out is not None:
        say(f"wrote {write_studies(out, answered, overwrite=overwrite)}")


def _check_out(out: Path, names: list[str] | None, *, overwrite: bool) -> None:
    if not names:
        message = f"--out {out} without a study: nothing would be written; name studies, or 'all'"
        raise SimulatorError(message)
    check_folder(out, overwrite=overwrite)


def _listed(studies: Iterable[Study], *, as_json: bool) -> str:
    rows = [(one.name, one.question, one.scenario) for one in studies]
    if as_json:
        heads = ("name", "question", "scenario")
        return json.dumps([dict(zip(heads, row, strict=True)) for row in rows], indent=2)
    return aligned(rows, columns=("study", "question", "scenario"))
