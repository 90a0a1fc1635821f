"""``kinesim validate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_folder
from simulator.cli.progress import ProgressBar


@answering
def silicon(
    *,
    gpu: Annotated[str | None, typer.Option(help="Runs on this GPU only, for example h100-sxm.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="Runs of this serving engine only: vllm, trtllm or sglang.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Runs of this model preset only.")] = None,
    peer: Annotated[
        Path | None,
        typer.Option(help="CSV file of another predictor: columns id and peer_tpot_ms.", metavar="FILE"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write predictions, summary and a page to this folder.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Simulate public measured serving runs and report the errors."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
    from simulator.calibrate.runs import measured_runs  # noqa: PLC0415 - help and completion load no simulator
    from simulator.validate import errors, groups, validate  # noqa: PLC0415 - as above
    from simulator.validate.peer import read_peer  # noqa: PLC0415 - as above
    from simulator.validate.silicon import select  # noqa: PLC0415 - as above

    peer_s = None if peer is None else read_peer(peer)
    runs = select(measured_runs(), gpu=gpu, engine=engine, model=model)
    with ProgressBar(quiet=False) as progress:
        validation = validate(runs, peer_s=peer_s, progress=progress)
    found = groups(validation)
    if as_json:
        typer.echo(json.dumps(errors.to_json(validation, found), indent=2, allow_nan=False))
    else:
        typer.echo(aligned(errors.table(found, validation.columns), columns=errors.heads(validation.columns)))
        typer.echo("\n".join(errors.notes(validation)))
    if out is not None:
        from simulator.validate.files import write_validation  # noqa: PLC0415 - only asked for here

        say(f"wrote {write_validation(out, validation, found, overwrite=overwrite)}")
