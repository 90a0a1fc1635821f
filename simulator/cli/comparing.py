"""``kinesim validate SCENARIO --measured FILE``, and the group of it and ``kinesim validate silicon``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Sets, Source, UnitsAreRight
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_folder
from simulator.cli.progress import ProgressBar

if TYPE_CHECKING:
    from simulator.measured import BenchRun
    from simulator.validate.measured_run import Judgement
    from simulator.validate.told_load import ToldLoad

DEFAULT: Final = "measured"
"""The command that is meant where none is named."""

DEFAULT_USAGE: Final = "--measured FILE [OPTIONS]"


class ScenarioFirst(TyperGroup):
    """A group whose first word may be a scenario: then the command `DEFAULT` is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer hides the class
        """Put the name of the default command before words that name none."""
        known = {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, [DEFAULT, *args] if args and args[0] not in known else args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer hides the classes
        """Show both ways to call the group."""
        formatter.write_usage(ctx.command_path, f"SCENARIO {DEFAULT_USAGE}")
        formatter.write_usage(ctx.command_path, "silicon [OPTIONS]")


Measured = Annotated[
    list[Path],
    typer.Option(
        "--measured",
        metavar="FILE",
        help="A benchmark's result, or requests.csv; two scrapes of /metrics, the one before the run first.",
    ),
]
Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        "--tolerance",
        metavar="FIGURE=PERCENT",
        help="Largest error, such as ttft.p90=20%; may be repeated. "
        "Else tpot.mean=5%, ttft.mean=10%, e2e.mean=5%.",
    ),
]
Run = Annotated[int | None, typer.Option(min=1, help="Which run of a file of several.")]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Requests that the client kept in flight.")]
Rate = Annotated[float | None, typer.Option(min=1e-9, help="Requests per second, arrivals drawn at random.")]
Prompt = Annotated[float | None, typer.Option(min=1, help="Mean prompt, tokens, where the file has none.")]
Output = Annotated[float | None, typer.Option(min=1, help="Mean output, tokens, where the file has none.")]
Requests = Annotated[int | None, typer.Option(min=1, help="Requests in all, where the file does not say.")]
Duration = Annotated[float | None, typer.Option(min=1e-9, help="Seconds between two scrapes.")]


@answering
def measured(
    source: Source,
    *,
    results: Measured,
    tolerance: Tolerances = None,
    sets: Sets = None,
    run: Run = None,
    concurrency: Concurrency = None,
    rate: Rate = None,
    prompt_tokens: Prompt = None,
    output_tokens: Output = None,
    requests: Requests = None,
    duration: Duration = None,
    out: Annotated[
        Path | None, typer.Option(help="Write tables, pictures and a page to this folder.")
    ] = None,
    overwrite: Overwrite = False,
    units_are_right: UnitsAreRight = False,
    as_json: AsJson = False,
) -> None:
    """Replay a measured run through a scenario and compare; exit with 1 where more is off than allowed."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
    from simulator.validate.told_load import ToldLoad  # noqa: PLC0415 - help and completion load no simulator
    from simulator.validate.verdict import tolerances  # noqa: PLC0415 - as above

    allowed = tolerances(tolerance or ())
    said = ToldLoad(concurrency, rate, prompt_tokens, output_tokens, requests, duration)
    chosen = _chosen(results, run, units_are_right=units_are_right)
    one = _judged(source, sets or [], results[-1], chosen, said, allowed=allowed, asked=bool(tolerance))
    for note in one.notes:
        say(f"note: {note}")
    typer.echo(
        json.dumps(one.to_json(), indent=2, allow_nan=False) if as_json else _text(one, asked=bool(tolerance))
    )
    if out is not None:
        from simulator.validate.measured_files import write_judgement  # noqa: PLC0415 - only asked for here

        say(f"wrote {write_judgement(out, one, asked=bool(tolerance), overwrite=overwrite)}")
    if not one.verdict.inside:
        raise typer.Exit(1)


def _chosen(results: list[Path], number: int | None, *, units_are_right: bool) -> BenchRun:
    from simulator.validate.measured_run import chosen_run  # noqa: PLC0415 - help loads no simulator

    return chosen_run(results, number, units_are_right=units_are_right)


def _judged(
    source: str,
    sets: list[str],
    path: Path,
    run: BenchRun,
    said: ToldLoad,
    *,
    allowed: dict[str, float],
    asked: bool,
) -> Judgement:
    """Return the comparison that is asked for."""
    from simulator.scenario.loader import load_scenario  # noqa: PLC0415 - help and completion load no simulator
    from simulator.validate.measured_run import judgement  # noqa: PLC0415 - as above
    from simulator.validate.told_load import overrides_of, sidecar_of  # noqa: PLC0415 - as above

    sidecar = sidecar_of(path)
    scenario = load_scenario(source, overrides=[*overrides_of(sidecar), *sets])
    with ProgressBar(quiet=False) as progress:
        return judgement(scenario, run, said.over(sidecar), allowed=allowed, asked=asked, progress=progress)


def _text(one: Judgement, *, asked: bool) -> str:
    """Return the tables and the verdict."""
    from simulator.validate import measured_text as text  # noqa: PLC0415 - help loads no simulator

    quantities = list(one.compared.quantities.values())
    tables = (
        (text.HEADS, text.quantity_rows(quantities)),
        (text.SERIES_HEADS, text.series_rows(quantities)),
        (text.REGIME_HEADS, text.regime_rows(one.compared.regimes)),
        (text.VERDICT_HEADS, text.verdict_rows(one.verdict)),
    )
    lines = [aligned(text.about(one))]
    lines += [f"\n{aligned(rows, columns=heads)}" for heads, rows in tables if rows]
    return "\n".join([*lines, "", text.sentence(one, asked=asked)])
