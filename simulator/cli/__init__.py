"""The command line: the only part that prints, writes progress or exits.

Results go to stdout and nothing else does.  Exit codes: 0 answered, 1 an invariant or limit does not
hold, 2 bad input, 3 infeasible plan, 130 interrupted, 143 told to end.  What a command needs is imported
when it runs, so ``kinesim --help`` loads neither numpy nor pydantic.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer

from simulator.cli import (
    calibrating,
    catalogs,
    comparing,
    describing,
    explaining,
    planning,
    reproducing,
    running,
    siding,
    studying,
    sweeping,
    tracing,
    validating,
)
from simulator.cli.answering import INTERRUPTED, answer_to, flush_answer
from simulator.cli.interrupts import INTERRUPTS

app = typer.Typer(
    name="kinesim",
    help="Simulate LLM inference for test-time scaling: solved tasks per second, dollar and joule.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
model = typer.Typer(help="Model presets.", no_args_is_help=True, rich_markup_mode=None)
validate = typer.Typer(
    cls=comparing.ScenarioFirst,
    help="Errors against measurements: of a scenario against your server's benchmark, or of all public runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("run")(running.run)
app.command("compare")(siding.compare)
app.command("describe")(describing.describe)
app.command("explain")(explaining.explain)
app.command("list")(catalogs.list_topic)
app.command("calibrate")(calibrating.calibrate)
app.command("kinetics")(reproducing.kinetics)
app.command("plan")(planning.plan)
app.command("sweep")(sweeping.sweep)
app.command("study")(studying.study)
app.command("trace")(tracing.trace)
app.command("schema")(catalogs.schema)
app.command("new")(catalogs.new)
model.command("import")(catalogs.import_model)
app.add_typer(model, name="model")
validate.command(
    comparing.DEFAULT, short_help="The same as SCENARIO --measured FILE: your server's benchmark, replayed."
)(comparing.measured)
validate.command("silicon")(validating.silicon)
validate.command("runs")(validating.runs)
app.add_typer(validate, name="validate")


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's callback
    if value:
        from simulator import __version__  # noqa: PLC0415 - only asked for here

        typer.echo(f"kinesim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


def _end(signum: int, _frame: FrameType | None) -> None:
    """Leave as after any error, so that nothing half-written stays behind."""
    sys.exit(128 + signum)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : what stands after the command's name; None takes it from the process.
    """
    # No matrix is multiplied here; the linear algebra library would start its threads for nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # a terminal without Unicode gets escapes, not a crash
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    INTERRUPTS.attend()
    try:
        try:
            app(args=None if arguments is None else list(arguments), prog_name="kinesim")
        finally:
            flush_answer()  # help and version are printed outside of any command
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        sys.exit(answer_to(error))
