"""``kinesim describe``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from simulator.cli.answering import answering
from simulator.cli.arguments import AsJson, Sets, Source
from simulator.cli.layout import aligned

if TYPE_CHECKING:
    from simulator.scenario.describe import Row


@answering
def describe(source: Source, *, sets: Sets = None, as_json: AsJson = False) -> None:
    """Show the resolved scenario: every value, its unit, where it was written, and its source."""
    from simulator.scenario.describe import (  # noqa: PLC0415 - help and completion load no simulator
        describe as rows_of,
    )
    from simulator.scenario.describe import describe_plans, describe_variants  # noqa: PLC0415 - as above
    from simulator.scenario.loader import resolve  # noqa: PLC0415 - as above

    resolved = resolve(source, overrides=sets or [])
    rows = rows_of(resolved)
    variants = describe_variants(resolved)
    plans = describe_plans(resolved.scenario)
    if as_json:
        _print_json(rows, variants, plans)
        return
    parts = [_table(rows)]
    parts += [f"variant {name}\n{_table(changed)}" for name, changed in variants.items()]
    parts += [f"one replica of {name}\n{_table(plan)}" for name, plan in plans.items()]
    typer.echo("\n\n".join(parts))


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "as above"
    return aligned([(row.path, written(row.value), row.unit, row.origin, row.source) for row in rows])


def written(value: object) -> str:
    """Return a value as a scenario file would say it.

    Examples
    --------
    >>> written(None), written(True), written(8e12), written("bf16")
    ('null', 'true', '8e+12', 'bf16')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _print_json(rows: Sequence[Row], variants: dict[str, list[Row]], plans: dict[str, list[Row]]) -> None:
    import json  # noqa: PLC0415 - only asked for here
    from dataclasses import asdict  # noqa: PLC0415 - as above

    document = {
        "values": [asdict(row) for row in rows],
        "variants": {name: [asdict(row) for row in changed] for name, changed in variants.items()},
        "replicas": {name: [asdict(row) for row in plan] for name, plan in plans.items()},
    }
    typer.echo(json.dumps(document, indent=2, allow_nan=False))
