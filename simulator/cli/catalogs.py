"""``kinesim list``, ``schema``, ``new`` and ``model import``: what can stand in a scenario, and starts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file, write_whole


class Topic(StrEnum):
    """What can be listed."""

    HARDWARE = "hardware"
    MODELS = "models"
    ATTENTION = "attention"
    LATENCY = "latency"
    SCHEDULERS = "schedulers"
    ROUTERS = "routers"
    TASKS = "tasks"
    ARRIVALS = "arrivals"
    LENGTHS = "lengths"
    OUTCOMES = "outcomes"
    STRATEGIES = "strategies"
    SCENARIOS = "scenarios"


@answering
def list_topic(
    topic: Annotated[Topic | None, typer.Argument(help="What to list; all topics if left out.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List what can stand in a scenario: catalogs, kinds and their parameters."""
    if topic is None:
        typer.echo("\n".join(topic.value for topic in Topic))
        return
    from simulator.scenario.listing import TOPICS  # noqa: PLC0415 - help and completion load no simulator

    listing = TOPICS[topic.value]()
    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        rows = [dict(zip(listing.columns, row, strict=True)) for row in listing.rows]
        typer.echo(json.dumps(rows, indent=2))
    else:
        typer.echo(aligned(listing.rows, columns=listing.columns))


@answering
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    import json  # noqa: PLC0415 - only asked for here

    from simulator.scenario.json_schema import scenario_json_schema  # noqa: PLC0415 - loads the simulator

    typer.echo(json.dumps(scenario_json_schema(), indent=2))


@answering
def new(name: Annotated[str, typer.Argument(metavar="NAME", help="Writes NAME.yaml.")]) -> None:
    """Write a commented scenario to start from."""
    from simulator.scenario.template import template  # noqa: PLC0415 - only asked for here

    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    text = template(path.name.removesuffix(".yaml").removesuffix(".yml"))
    check_file(path, overwrite=False)
    write_whole(path, text)
    say(f"wrote {path}; try: kinesim run {quote(str(path))}")


@answering
def import_model(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.JSON", help="A Hugging Face config.json.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the preset; the folder of the file if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of stdout.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn a model's config.json into a preset for `model.preset`."""
    if out is not None:
        check_file(out, overwrite=overwrite, reads=config)
    from simulator.errors import ScenarioError  # noqa: PLC0415 - help and completion load no simulator
    from simulator.model import architecture_from_config, architecture_to_yaml  # noqa: PLC0415 - as above
    from simulator.scenario.document import read_document  # noqa: PLC0415 - as above

    document, faults = read_document(config, str(config))
    if faults:
        raise ScenarioError([str(fault) for fault in faults])
    content = document.plain()
    preset = name or config.resolve().parent.name.lower()
    try:
        architecture = architecture_from_config(content if isinstance(content, dict) else {}, name=preset)
    except ScenarioError as error:
        raise ScenarioError([_of_file(fault, preset, config) for fault in error.faults]) from error
    text = architecture_to_yaml(architecture)
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, text)
    use = quote(f"./{out.name}")
    say(f"wrote {out}: {architecture.parameters:,} parameters; use it as model.preset: {use}")


def _of_file(fault: str, preset: str, config: Path) -> str:
    """Return a fault that begins with the name of the preset so that it begins with the file."""
    return f"{config}: {fault.removeprefix(f'{preset}: ')}"
