"""``kinesim run``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answering import answering, flush_answer, say
from simulator.cli.arguments import AsJson, Overwrite, Sets, Source, Workers, cores
from simulator.cli.emitting import Wish, check_wishes, in_folder, say_notes, wishes, write_files
from simulator.cli.outputs import check_file, check_folder, refuse_existing, refuse_same
from simulator.cli.progress import ProgressBar

if TYPE_CHECKING:
    from simulator.api import Comparison


class Engine(StrEnum):
    """Which engine runs."""

    FAST = "fast"
    REFERENCE = "reference"


Seed = Annotated[int | None, typer.Option(min=0, help="Root of the random numbers.")]
OutFolder = Annotated[Path | None, typer.Option(help="Write records, summary and manifest to this folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only, and with --json the summary.")]
WhichEngine = Annotated[Engine, typer.Option(help="The fast engine, or the slow one with the same results.")]
Emit = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FORMAT[=FILE]",
        help="Write the requests as a benchmark tool would: vllm-bench, aiperf or csv; into --out, "
        "or into this folder. Repeatable.",
    ),
]
Perfetto = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write a trace of replicas and tasks for Perfetto or Chrome."),
]


@answering
def run(
    source: Source,
    *,
    sets: Sets = None,
    seed: Seed = None,
    out: OutFolder = None,
    html: Annotated[Path | None, typer.Option(help="Write a report page to this file.")] = None,
    emit: Emit = None,
    perfetto: Perfetto = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    check: Annotated[bool, typer.Option("--check", help="Check the invariants on the records.")] = False,
    engine: WhichEngine = Engine.FAST,
    workers: Workers = None,
) -> None:
    """Run a scenario and print its answer."""
    _check_outputs(source, out=out, html=html, overwrite=overwrite)
    asked = wishes(emit or (), perfetto)
    from simulator.api import compare  # noqa: PLC0415 - help and completion load no simulator
    from simulator.scenario.loader import load_scenario, path_of  # noqa: PLC0415 - as above

    seeds = [] if seed is None else [f"seed={seed}"]
    scenario = load_scenario(source, overrides=[*(sets or []), *seeds])
    if asked:
        check_wishes(asked, scenario, (out, html, path_of(source)), overwrite=overwrite)
    with ProgressBar(quiet=quiet) as progress:
        comparison = compare(
            scenario,
            engine=engine.value,
            check=check,
            token_times=bool(asked),
            workers=workers or cores(),
            progress=progress,
        )
    if check and not quiet:
        say(_checked(comparison))
    unprinted = _print(comparison, as_json=as_json, quiet=quiet)
    _write(comparison, asked, out=out, html=html, overwrite=overwrite, quiet=quiet)
    if unprinted is not None:
        raise unprinted


def _check_outputs(source: str, *, out: Path | None, html: Path | None, overwrite: bool) -> None:
    """Refuse what could not be written, before anything is simulated for it."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
    if html is None:
        return
    from simulator.scenario.loader import path_of  # noqa: PLC0415 - help and completion load no simulator

    if out is not None:
        refuse_same(out, html)
    check_file(html, overwrite=overwrite, reads=path_of(source))
    _require_plotly()


def _require_plotly() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - only a report page asks

    from simulator.errors import SimulatorError  # noqa: PLC0415 - as above

    if find_spec("plotly") is None:
        message = "--html needs plotly: pip install plotly"
        raise SimulatorError(message)


def _write(
    comparison: Comparison,
    asked: Sequence[Wish],
    *,
    out: Path | None,
    html: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    written = []
    if out is not None:
        refuse_existing(out, overwrite=overwrite)  # it may have been made during the run
        written.append(comparison.to_dir(out, overwrite=overwrite, more=in_folder(asked)))
    if html is not None:
        from simulator.report.html import write_page  # noqa: PLC0415 - loads plotly

        html.parent.mkdir(parents=True, exist_ok=True)
        write_page(comparison, html)
        written.append(html)
    written += write_files(asked, comparison, has_folder=out is not None)
    if not quiet:
        say_notes(asked, comparison)
        for path in written:
            say(f"wrote {path}")


def _print(comparison: Comparison, *, as_json: bool, quiet: bool) -> OSError | None:
    """Print the answer; what keeps it from being printed is returned, for files are still to be written."""
    try:
        _print_answer(comparison, as_json=as_json, quiet=quiet)
        flush_answer()
    except OSError as error:
        return error
    return None


def _print_answer(comparison: Comparison, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        typer.echo(json.dumps(comparison.summary, indent=2, allow_nan=False))
    elif not quiet:
        from simulator.report.text import render  # noqa: PLC0415 - --json and --quiet do without

        typer.echo(render(comparison).rstrip("\n"))


def _checked(comparison: Comparison) -> str:
    """Return which invariants were checked on every run, and which were not on some."""
    held: dict[int, bool] = {}
    notes: dict[str, None] = {}
    for results in comparison.runs.values():
        for check in (check for result in results for check in result.checks):
            held[check.number] = held.get(check.number, True) and check.checked
            if not check.checked:
                notes[f"INV-{check.number} not checked: {check.note or check.title}"] = None
    done = ", ".join(f"INV-{number}" for number in sorted(held) if held[number])
    return "\n".join([f"checked on every run: {done}", *notes])
