"""``kinesim trace`` for traces of the PyTorch profiler: the decode steps that they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from simulator.cli.answering import say
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file, write_whole

if TYPE_CHECKING:
    from simulator.measured.profiler import Profile

COLUMNS = "sequences,context_tokens,step_s"
"""Columns of the table that ``kinesim calibrate --from`` reads."""


def show_profile(
    file: Path, convert: Path | None, context: int | None, *, overwrite: bool, as_json: bool
) -> None:
    """Say which decode steps a trace holds, and write them as a table of steps.

    Parameters
    ----------
    file : the trace.
    convert : where the table goes; None: nowhere.
    context : tokens in the cache of each sequence, where the trace does not say.
    overwrite : replace a table that is there.
    as_json : print JSON.

    Raises
    ------
    SimulatorError
        If the trace cannot be read, or the table not be written.
    """
    from simulator.measured.profiler import read_profile, with_contexts  # noqa: PLC0415 - help loads no simulator

    if convert is not None:
        _check_output(convert, file, overwrite=overwrite)
    found = read_profile(file)
    if convert is not None or context is not None:
        found = with_contexts(found, context)
    typer.echo(json.dumps(_as_json(found), indent=2, allow_nan=False) if as_json else _as_text(found))
    if convert is not None:
        rows = (f"{step.sequences},{step.context_tokens},{step.step_s!r}\n" for step in found.steps)
        convert.parent.mkdir(parents=True, exist_ok=True)
        write_whole(convert, [f"{COLUMNS}\n", *rows])
        say(f"wrote {convert}: {_counted(len(found.steps))}; kinesim calibrate --from reads it")


def _check_output(path: Path, reads: Path, *, overwrite: bool) -> None:
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help loads no simulator

    if path.suffix != ".csv":
        message = f"--convert {path}: decode steps of a profiler's trace are written as .csv"
        raise SimulatorError(message)
    check_file(path, overwrite=overwrite, reads=reads)


def _counted(steps: int) -> str:
    return f"{steps} decode {'step' if steps == 1 else 'steps'}"


def _as_json(found: Profile) -> dict[str, Any]:
    kernels, busy_s = found.kernels
    return {
        "file": str(found.path),
        "format": "torch_profiler",
        "gpu": found.gpu,
        "gpus": found.gpus,
        "kernels": kernels,
        "kernel_s": busy_s,
        "steps": [step._asdict() for step in found.steps],
        "notes": list(found.notes),
    }


def _as_text(found: Profile) -> str:
    kernels, busy_s = found.kernels
    about = [
        ("gpu", found.gpu or "not named"),
        ("gpus", str(found.gpus or "not said")),
        ("kernels", f"{kernels:,}, {1e3 * busy_s:,.3f} ms in all"),
        *(("note", note) for note in found.notes),
        ("note", "the time of a step is the GPU's; what passes between two steps is not in it"),
    ]
    rows = [
        (
            str(step.event),
            f"{step.sequences:,}",
            "not said" if step.context_tokens is None else f"{step.context_tokens:,}",
            f"{1e3 * step.step_s:,.3f} ms",
            step.basis,
        )
        for step in found.steps
    ]
    heads = ("event", "sequences", "tokens in caches", "step", "from")
    title = f"{found.path}: a trace of the PyTorch profiler with {_counted(len(found.steps))}"
    return "\n".join([title, "", aligned(about), "", aligned(rows, columns=heads)])
