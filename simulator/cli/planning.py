"""``kinesim plan``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite, Sets, Source, Workers, cores
from simulator.cli.outputs import check_folder
from simulator.cli.progress import ProgressBar
from simulator.cli.sweeping import Dask, Store, parsed_axes

if TYPE_CHECKING:
    from simulator.planning import Answer

LIMIT: Final = re.compile(r"\s*([\w.]+)\s*(>=|<=)\s*([-+.\w]+)\s*(%?)\s*")
ENDS: Final = re.compile(r"\s*([\w.\"-]+)\s*=\s*([-+\w.]*?\w)\s*\.\.\s*([-+]?[\w.]+)\s*")


def _many(option: str, metavar: str, text: str) -> Any:  # noqa: ANN401 - typer's
    return typer.Option(option, metavar=metavar, help=text)


Minimise = Annotated[
    list[str] | None, _many("--minimise", "FIGURE", "Make this small: cost, gpus, energy, ...; repeatable.")
]
Maximise = Annotated[
    list[str] | None, _many("--maximise", "FIGURE", "Make this large: solved_tasks_per_s, ...; repeatable.")
]
Limits = Annotated[
    list[str] | None,
    _many("--limit", "FIGURE>=X", "What must hold: solving_rate>=0.8, task_p95<=600; repeatable."),
]
Options = Annotated[
    list[str] | None,
    _many("--choice", "PATH=VALUES", "What may be chosen: a,b,c or 1:64:*2 or 1..64; repeatable."),
]
Highest = Annotated[
    str | None, _many("--highest", "PATH=LOW..HIGH", "The highest value under which all limits hold.")
]
Lowest = Annotated[
    str | None, _many("--lowest", "PATH=LOW..HIGH", "The lowest value under which all limits hold.")
]
Runs = Annotated[int | None, typer.Option(min=1, help="Candidates that are simulated at most.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Seeds of the best candidates.")]
Storage = Annotated[
    str | None,
    typer.Option(metavar="URL|FILE.log", help="Optuna storage, for processes that share one search."),
]
Out = Annotated[
    Path | None, typer.Option(help="Write the best plans, the ledger and pictures to this folder.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only, and with --json the answer.")]


@answering
def plan(
    source: Source,
    *,
    minimise: Minimise = None,
    maximise: Maximise = None,
    limits: Limits = None,
    choices: Options = None,
    highest: Highest = None,
    lowest: Lowest = None,
    runs: Runs = None,
    seeds: Seeds = None,
    sets: Sets = None,
    store: Store = None,
    storage: Storage = None,
    out: Out = None,
    overwrite: Overwrite = False,
    workers: Workers = None,
    dask: Dask = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the best choice under limits, or the most that a plan sustains."""
    if out is not None:
        check_folder(out, overwrite=overwrite)
    asked = {
        "minimise": minimise,
        "maximise": maximise,
        "constraints": _limits(limits or []) or None,
        "choices": parsed_axes(choices or [], option="--choice") or None,
        "highest": None if highest is None else _ends("--highest", highest),
        "lowest": None if lowest is None else _ends("--lowest", lowest),
        "runs": runs,
        "seeds": seeds,
    }
    where = {"store": store, "storage": storage, "workers": workers or cores(), "dask": dask}
    answer = _found(source, sets or [], asked, where, quiet=quiet)
    _answer(answer, source, sets or [], out=out, overwrite=overwrite, as_json=as_json, quiet=quiet)


def _found(
    source: str, sets: Sequence[str], asked: Mapping[str, object], where: dict[str, Any], *, quiet: bool
) -> Answer:
    """Return the answer; results are kept in a folder of the scenario's name where no other is given."""
    from simulator.planning import plan as find  # noqa: PLC0415 - help and completion load no simulator
    from simulator.scenario.loader import resolve  # noqa: PLC0415 - as above

    if where["store"] is None:
        where["store"] = Path(f"{resolve(source, overrides=sets, must_fit=False).scenario.name}.sweep")
    with ProgressBar(quiet=quiet, what="runs") as progress:
        return find(source, overrides=sets, asked=asked, progress=lambda done: progress(done, done), **where)


def _answer(
    answer: Answer,
    source: str,
    sets: Sequence[str],
    *,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from simulator.planning.files import answer_document, write_answer  # noqa: PLC0415 - help loads no pandas
    from simulator.planning.text import render  # noqa: PLC0415 - as above

    if as_json:
        import json  # noqa: PLC0415 - only asked for here

        typer.echo(json.dumps(answer_document(answer), indent=2, allow_nan=False))
    elif not quiet:
        typer.echo(render(answer))
    if out is not None:
        write_answer(answer, source, out, overrides=sets, overwrite=overwrite)
        if not quiet:
            say(f"wrote {out}")
    answer.require_met()


def _limits(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return limits by figure.

    Raises
    ------
    ScenarioError
        With every text that is no limit.

    Examples
    --------
    >>> _limits(["solving_rate>=80%", "task_p95 <= 600"])
    {'solving_rate': {'at_least': 0.8}, 'task_p95': {'at_most': 600.0}}
    """
    from simulator.errors import ScenarioError  # noqa: PLC0415 - help and completion load no simulator

    found: dict[str, dict[str, float]] = {}
    faults = []
    for text in texts:
        match = LIMIT.fullmatch(text)
        try:
            value = float(match[3]) if match else None
        except ValueError:
            value = None
        if match is None or value is None or not isfinite(value):
            faults.append(f"--limit {text}: expected FIGURE>=NUMBER or FIGURE<=NUMBER, such as task_p95<=600")
            continue
        side = "at_least" if match[2] == ">=" else "at_most"
        if side in found.setdefault(match[1], {}):
            faults.append(f"--limit {text}: {match[1]}{match[2]} is given twice")
        found[match[1]][side] = value / 100.0 if match[4] else value
    if faults:
        raise ScenarioError(faults)
    return found


def _ends(option: str, text: str) -> dict[str, object]:
    """Return the path and the ends of ``PATH=LOW..HIGH``.

    Raises
    ------
    ScenarioError
        If it is something else.

    Examples
    --------
    >>> _ends("--highest", "workload.arrivals.rate_per_s=0.1..8")
    {'path': 'workload.arrivals.rate_per_s', 'low': 0.1, 'high': 8}
    """
    from simulator.errors import ScenarioError  # noqa: PLC0415 - help and completion load no simulator
    from simulator.scenario.sweeps import number_of  # noqa: PLC0415 - as above

    match = ENDS.fullmatch(text)
    try:
        if match is not None:
            return {"path": match[1], "low": number_of(match[2]), "high": number_of(match[3])}
    except ValueError:
        pass
    message = f"{option} {text}: expected PATH=LOW..HIGH, such as workload.arrivals.rate_per_s=0.1..8"
    raise ScenarioError(message)
