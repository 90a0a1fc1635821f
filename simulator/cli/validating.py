"""``kinesim validate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Workers, cores
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_folder
from simulator.cli.progress import ProgressBar

if TYPE_CHECKING:
    from simulator.validate import Validation
    from simulator.validate.kernel_level import KernelLevel


@answering
def silicon(
    *,
    gpu: Annotated[str | None, typer.Option(help="Runs on this GPU only, for example h100-sxm.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="Runs of this serving engine only: vllm, trtllm or sglang.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Runs of this model preset only.")] = None,
    peer: Annotated[
        bool, typer.Option(help="Ask the predictor shipped with the measurements for a third column.")
    ] = True,
    by_tp: Annotated[
        bool, typer.Option("--by-tp", help="A line for each number of GPUs per replica.")
    ] = False,
    workers: Workers = None,
    out: Annotated[
        Path | None, typer.Option(help="Write predictions, summary and a page to this folder.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate public measured serving runs and report the errors."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
    validation = _validated(gpu, engine, model, peer=peer, workers=workers or cores())
    level = _kernel_level(gpu, engine, peer=peer)
    if as_json:
        from simulator.validate import errors, kernel_level  # noqa: PLC0415 - help loads no simulator

        answer = errors.to_json(validation) | kernel_level.to_json(level)
        typer.echo(json.dumps(answer, indent=2, allow_nan=False))
    else:
        typer.echo(_tables(validation, level, by_tp=by_tp))
    if out is not None:
        from simulator.validate.files import write_validation  # noqa: PLC0415 - only asked for here

        whole = gpu is None and engine is None and model is None
        written = write_validation(out, validation, overwrite=overwrite, level=level, whole=whole)
        say(f"wrote {written}")


@answering
def runs(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of the measurements, as docs/validation.md describes it.", metavar="FOLDER"
        ),
    ],
) -> None:
    """Replay published whole runs by numbers that have not seen them; prints a table in Markdown."""
    from simulator.validate.whole_runs import judged, table  # noqa: PLC0415 - help loads no simulator

    typer.echo(table(judged(folder)))


def _validated(
    gpu: str | None, engine: str | None, model: str | None, *, peer: bool, workers: int
) -> Validation:
    """Return the predictions of the runs that were asked for."""
    from simulator.calibrate.runs import measured_runs  # noqa: PLC0415 - help loads no simulator
    from simulator.validate import validate, without_models  # noqa: PLC0415 - as above
    from simulator.validate.peer import peer_seconds  # noqa: PLC0415 - as above
    from simulator.validate.silicon import select  # noqa: PLC0415 - as above

    measured = measured_runs()
    runs = select(measured, gpu=gpu, engine=engine, model=model)
    pairs = {(run.gpu, run.engine) for run in runs}
    alike = [run for run in measured if (run.gpu, run.engine) in pairs]
    with ProgressBar(quiet=False) as progress:
        return validate(
            runs,
            peer=peer_seconds if peer else None,
            without_model=without_models(alike),
            workers=workers,
            progress=progress,
        )


def _kernel_level(gpu: str | None, engine: str | None, *, peer: bool) -> KernelLevel:
    """Return what the kernels of the calibrations that were asked for tell."""
    from simulator.validate.kernel_level import kernel_level  # noqa: PLC0415 - help loads no simulator
    from simulator.validate.peer import peer_steps  # noqa: PLC0415 - as above

    return kernel_level(gpu=gpu, engine=engine, peer=peer_steps if peer else None)


def _tables(validation: Validation, level: KernelLevel, *, by_tp: bool) -> str:
    """Return the tables of errors and what a reader has to know of them."""
    from simulator.validate.errors import (  # noqa: PLC0415 - help loads no simulator
        groups,
        groups_without_peer,
        other_model_groups,
    )
    from simulator.validate.kernel_level import told  # noqa: PLC0415 - as above
    from simulator.validate.predictions import ANOTHER_MODEL, COLUMNS  # noqa: PLC0415 - as above
    from simulator.validate.text import heads, notes, table  # noqa: PLC0415 - as above

    columns = validation.columns
    rows = table(groups(validation, by_tp=by_tp), columns, by_tp=by_tp)
    lines = [aligned(rows, columns=heads(columns, by_tp=by_tp))]
    further = {
        "Without a prediction of the peer:": (groups_without_peer(validation), COLUMNS),
        "Serving numbers fitted to the runs of other models alone; all runs are judged:": (
            other_model_groups(validation),
            (ANOTHER_MODEL, *columns[1:]),
        ),
    }
    for title, (found, heard) in further.items():
        if found:
            lines += ["", title, aligned(table(found, heard), columns=heads(heard))]
    for title, about, tables_of_kernels in told(level):
        lines += ["", f"{title}. {about}", *(aligned(rows) for rows in tables_of_kernels)]
    return "\n".join([*lines, *notes(validation)])
