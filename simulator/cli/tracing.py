"""``kinesim trace``: of workloads here, of the PyTorch profiler in `simulator.cli.profiling`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import AsJson, Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file
from simulator.cli.profiling import show_profile
from simulator.cli.progress import ProgressBar

if TYPE_CHECKING:
    from workloads.traces import Trace
    from workloads.traces.statistics import Lengths, Statistics


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A trace of a workload, a folder of ServeGen's clients, or a trace of the PyTorch profiler.",
    ),
]
Convert = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT",
        help="Write our own form to OUT.parquet or OUT.csv; of a profiler's trace the steps, as CSV.",
    ),
]
Context = Annotated[
    int | None,
    typer.Option(min=1, help="Tokens in each cache, where a profiler's trace does not say."),
]


@answering
def trace(
    file: File,
    *,
    format_name: Annotated[
        str, typer.Option("--format", help="Name of the format; auto sees it by what the file holds.")
    ] = "auto",
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="FROM TO", help="Requests of this part alone, seconds of the trace."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of requests that are drawn: ServeGen.")] = 0,
    convert: Convert = None,
    context: Context = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say what a trace is and holds, of a workload or of the PyTorch profiler, and convert it."""
    if _is_profile(file, format_name, window, context):
        show_profile(file, convert, context, overwrite=overwrite, as_json=as_json)
        return
    if convert is not None:
        _check_output(convert, file, overwrite=overwrite)
    from workloads.traces.statistics import statistics  # noqa: PLC0415 - help loads no numpy

    found = _read(file, format_name, window, seed)
    figures = statistics(found)
    if as_json:
        typer.echo(json.dumps(_as_json(file, found, figures), indent=2, allow_nan=False))
    else:
        typer.echo(_as_text(file, found, figures))
    if convert is not None:
        from workloads.traces.writing import write  # noqa: PLC0415 - only asked for here

        convert.parent.mkdir(parents=True, exist_ok=True)
        with ProgressBar(quiet=False, what="rows") as progress:
            write(found, convert, progress)
        say(f"wrote {convert}: {found.rows:,} requests")


def _is_profile(
    file: Path, format_name: str, window: tuple[float, float] | None, context: int | None
) -> bool:
    """Say whether a file is a trace of the profiler; refuse options that go with the other kind alone."""
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help loads no simulator
    from simulator.measured.profiler import knows  # noqa: PLC0415 - as above

    is_profile = knows(file)
    faults = []
    if is_profile and format_name != "auto":
        faults.append(f"--format {format_name}: {file} is a trace of the PyTorch profiler; leave it out")
    if is_profile and window is not None:
        faults.append(
            f"--window: {file} is a trace of the PyTorch profiler, which holds no requests; leave it out"
        )
    if not is_profile and context is not None:
        faults.append(f"--context {context}: goes with traces of the PyTorch profiler, and {file} is none")
    if faults:
        raise SimulatorError("\n".join(faults))
    return is_profile


def _check_output(path: Path, reads: Path, *, overwrite: bool) -> None:
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help loads no simulator
    from workloads.traces.writing import SUFFIXES  # noqa: PLC0415 - as above

    if path.suffix not in SUFFIXES:
        message = f"--convert {path}: ends in none of {', '.join(SUFFIXES)}"
        raise SimulatorError(message)
    check_file(path, overwrite=overwrite, reads=reads)


def _read(file: Path, format_name: str, window: tuple[float, float] | None, seed: int) -> Trace:
    from workloads.traces import Reading, read_window  # noqa: PLC0415 - help loads no numpy

    with ProgressBar(quiet=False, what="bytes") as progress:
        return read_window(file, format_name, Reading(seed, window, progress))


def _as_json(file: Path, found: Trace, figures: Statistics) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415 - only asked for here

    return {
        "file": str(file),
        "format": found.format,
        **asdict(figures),
        "dropped": dict(found.dropped),
        "ignored": list(found.ignored),
        "notes": list(found.notes),
    }


def _as_text(file: Path, found: Trace, figures: Statistics) -> str:
    from workloads.traces.reading import READERS  # noqa: PLC0415 - help loads no numpy

    about = next(reader.about for reader in READERS if reader.name == found.format)
    rows = [
        ("requests", f"{figures.rows:,}"),
        ("span", f"{figures.span_s:,.1f} s"),
        ("rate", _or_none(figures.rate_per_s, "{:.4g}/s")),
        ("burstiness", f"CV {_cv(figures.gap_cv)} of gaps, {_cv(figures.second_cv)} per second"),
        *_relations(figures),
        *(("left out", f"{count:,}: {reason}") for reason, count in found.dropped.items()),
        *([("not read", ", ".join(found.ignored))] if found.ignored else []),
    ]
    lengths = [_lengths("prompt", figures.prompts), _lengths("output", figures.outputs)]
    heads = ("tokens", "mean", "p50", "p90", "p99", "max")
    return "\n".join(
        [f"{file}: {about}", "", aligned(rows), "", aligned(lengths, columns=heads), *_notes(found, figures)]
    )


def _relations(figures: Statistics) -> list[tuple[str, str]]:
    """Return what is told of requests that share prefixes or follow each other."""
    rows = []
    if figures.sharing is not None:
        shared = figures.sharing
        blocks = f"{shared.blocks:,} prompt blocks of {shared.block_tokens} tokens"
        rows.append(("prefixes", f"{shared.seen_ratio:.1%} of {blocks} seen before"))
    if figures.sessions is not None:
        one = figures.sessions
        size = f"at most {one.longest:,} in one, {one.deepest} deep"
        waiting = f"; {one.waiting:,} wait for another's end" if one.waiting else ""
        rows.append(("sessions", f"{one.count:,} with {one.requests:,} requests, {size}{waiting}"))
    return rows


def _lengths(name: str, lengths: Lengths | None) -> tuple[str, ...]:
    if lengths is None:
        return (name, "not recorded", "", "", "", "")
    figures = (lengths.mean, lengths.p50, lengths.p90, lengths.p99, lengths.longest)
    return (name, *(f"{figure:,.1f}".removesuffix(".0") for figure in figures))


def _notes(found: Trace, figures: Statistics) -> list[str]:
    notes = list(found.notes)
    if figures.tick_s is not None:
        notes.append(
            f"{figures.rows:,} requests arrive at {figures.moments:,} moments, usually {figures.tick_s:g} s "
            "apart: spread_ticks spreads them, or the burstiness is that of the clock."
        )
    return ["", *notes] if notes else []


def _or_none(value: float | None, form: str) -> str:
    return "unknown" if value is None else form.format(value)


def _cv(value: float | None) -> str:
    return _or_none(value, "{:.2f}")
