"""``kinesim kinetics``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_folder


@answering
def kinetics(
    *,
    curves: Annotated[
        Path | None,
        typer.Option(
            help="Long-CoT curves to use instead of the shipped ones: CSV, columns b200_s, dense_32B, "
            "topk_0.6B and so on.",
            metavar="FILE",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the claims as CSV and a page with figures to this folder.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Check the claims of the Kinetics paper against closed forms and curves."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
    from simulator.kinetics.accuracy import long_cot_curves, read_long_cot  # noqa: PLC0415 - help loads no simulator
    from simulator.kinetics.claims import HEADS, Sources, summary_line, table  # noqa: PLC0415 - as above
    from simulator.kinetics.reproduction import reproduce, to_json  # noqa: PLC0415 - as above

    sources = Sources(long_cot_curves() if curves is None else read_long_cot(curves))
    findings = reproduce(sources)
    if as_json:
        typer.echo(json.dumps(to_json(findings), indent=2, allow_nan=False))
    else:
        typer.echo(aligned(table(findings), columns=HEADS))
        typer.echo(summary_line(findings))
    if out is not None:
        from simulator.kinetics.reproduction import write_reproduction  # noqa: PLC0415 - only asked for here

        say(f"wrote {write_reproduction(out, findings, sources, overwrite=overwrite)}")
