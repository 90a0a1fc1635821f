"""``kinesim list``, ``schema``, ``new`` and ``model import``: what can stand in a scenario, and starts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answering import answering, refuse_existing, say
from simulator.cli.arguments import AsJson, Overwrite
from simulator.cli.layout import aligned


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
    text = template(path.stem)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        refuse_existing(path, overwrite=False)
    say(f"wrote {path}; try: kinesim run {path}")


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
    refuse_existing(out, overwrite=overwrite)
    from simulator.errors import ScenarioError  # noqa: PLC0415 - help and completion load no simulator
    from simulator.model import architecture_from_config, architecture_to_yaml  # noqa: PLC0415 - as above
    from simulator.scenario.document import read_document  # noqa: PLC0415 - as above

    document, faults = read_document(config, str(config))
    if faults:
        raise ScenarioError([str(fault) for fault in faults])
    content = document.plain()
    architecture = architecture_from_config(
        content if isinstance(content, dict) else {}, name=name or config.resolve().parent.name.lower()
    )
    text = architecture_to_yaml(architecture)
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8", newline="\n")
    say(f"wrote {out}: {architecture.parameters:,} parameters; use it as model.preset: ./{out.name}")
