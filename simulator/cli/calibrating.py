"""``kinesim calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import Overwrite, UnitsAreRight
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file, write_whole
from simulator.cli.own_engine import ExpertFormat, Format, Ran, from_bench, from_steps
from simulator.cli.replayed_runs import from_replays

if TYPE_CHECKING:
    from simulator.hardware import Calibration, Gpu

GpuName = Annotated[str, typer.Option(help="A GPU of the catalog, for example b200-sxm.")]
Engine = Annotated[str, typer.Option(help="Serving engine: vllm, trtllm or sglang.")]
Out = Annotated[
    Path | None, typer.Option(help="Write to this file; GPU.ENGINE.json in this folder if left out.")
]
Levels = Annotated[
    str | None,
    typer.Option(
        help="Without --from and --from-bench: kernel, or kernel,serving, which is the default.",
        metavar="LEVELS",
    ),
]
Steps = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Fit your engine: a CSV of decode steps (sequences, context_tokens, step_s), or a trace of the "
        "PyTorch profiler.",
    ),
]
Bench = Annotated[
    list[Path] | None,
    typer.Option(
        "--from-bench",
        help="Fit your engine: results of vllm bench serve, sglang.bench_serving, AIPerf, GenAI-Perf, "
        "guidellm or InferenceX, or requests.csv. May be repeated.",
    ),
]
Server = Annotated[
    list[str] | None,
    typer.Option(
        help="With --from-bench, instead of what follows: a scenario with the hardware, model and engine "
        "that the runs were measured on, one for all files or one for each. Runs are then replayed whole.",
        metavar="SCENARIO",
    ),
]
Model = Annotated[str | None, typer.Option(help="With --from and --from-bench: the preset that ran.")]
Tp = Annotated[int | None, typer.Option(min=1, help="With the same: tensor-parallel GPUs; else 1.")]
Weights = Annotated[Format | None, typer.Option(help="With the same: format of the weights; else bf16.")]
Kv = Annotated[Format | None, typer.Option(help="With the same: format of the KV cache; else bf16.")]
Experts = Annotated[
    ExpertFormat | None,
    typer.Option(help="With the same: format of the experts' weights; else that of the weights."),
]
ExpertParallel = Annotated[
    bool, typer.Option("--expert-parallel", help="With the same: GPUs held whole experts.")
]
Context = Annotated[
    int | None,
    typer.Option(min=1, help="With --from: tokens in each cache, where a profiler's trace does not say."),
]
Like = Annotated[
    str | None,
    typer.Option(
        help="A GPU of the same architecture whose kernels were timed, for one that nobody timed.",
        metavar="GPU",
    ),
]


LEVELS: Final = ("kernel", "kernel,serving")


@answering
def calibrate(
    *,
    gpu: GpuName,
    engine: Engine = "vllm",
    out: Out = None,
    levels: Levels = None,
    steps: Steps = None,
    bench: Bench = None,
    server: Server = None,
    model: Model = None,
    tp: Tp = None,
    weights: Weights = None,
    kv: Kv = None,
    experts: Experts = None,
    expert_parallel: ExpertParallel = False,
    context: Context = None,
    like: Like = None,
    units_are_right: UnitsAreRight = False,
    overwrite: Overwrite = False,
) -> None:
    """Fit an engine's step latency on a GPU to public measurements, or to your own steps or benchmarks."""
    path = out or Path(f"{gpu}.{engine}.json")
    ran = Ran(engine, model or "", tp, weights, kv, experts, expert_parallel, context, units_are_right)
    sources = {"--from": steps, "--from-bench": bench, "--like": like}
    _check_sources([option for option, given in sources.items() if given], ran, levels, server)
    for read in [*(bench or []), steps]:
        check_file(path, overwrite=overwrite, reads=read)
    from simulator.calibrate.bounds import own_warnings, table_bounds  # noqa: PLC0415 - help loads no simulator
    from simulator.calibrate.files import COLUMNS, fits, table, to_json  # noqa: PLC0415 - as above

    profile = _profile(gpu)
    if bench or steps is not None:
        calibration = _own(profile, bench or [], steps, server, ran)
    elif like is not None:
        calibration = _carried_over(profile, engine, _profile(like))
    else:
        calibration = _from_tables(profile, engine, serving=_plain(levels) != "kernel")
    typer.echo(aligned(table(calibration), columns=COLUMNS))
    for line in own_warnings(calibration) if bench or steps else table_bounds(fits(calibration)):
        say(f"warning: {line}")
    _write(path, to_json(calibration), engine)


def _own(
    profile: Gpu, bench: list[Path], steps: Path | None, server: list[str] | None, ran: Ran
) -> Calibration:
    """Return what a user's own runs or steps say."""
    if bench and server:
        return from_replays(profile, bench, server, ran.engine, units_are_right=ran.units_are_right)
    if bench or steps is None:
        return from_bench(profile, bench, ran)
    return from_steps(profile, steps, ran)


def _profile(name: str) -> Gpu:
    from simulator.hardware import Gpu  # noqa: PLC0415 - help loads no simulator
    from simulator.scenario.catalog import find  # noqa: PLC0415 - as above
    from simulator.scenario.loader import load_part  # noqa: PLC0415 - as above

    return load_part(find("gpu", name), Gpu)


def _write(path: Path, text: str, engine: str) -> None:
    """Write a calibration and say how to use it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    say(f"wrote {path}; use it as --set hardware.gpu.calibrations.{engine}={_as_given(path)}")


def _as_given(path: Path) -> str:
    """Return the path as `--set` takes it: from here, or from the root."""
    return str(path) if path.is_absolute() else f"./{path.as_posix()}"


def _carried_over(profile: Gpu, engine: str, measured: Gpu) -> Calibration:
    from simulator.calibrate.likeness import carried_over  # noqa: PLC0415 - only asked for here
    from simulator.errors import UnknownNameError, suggest  # noqa: PLC0415 - help loads no simulator

    shipped = measured.calibrations.get(engine)
    if shipped is None:
        near = suggest(engine, measured.calibrations) if measured.calibrations else "it has none"
        message = f"no calibration of {engine!r} on {measured.name}; {near}"
        raise UnknownNameError(message)
    found = carried_over(shipped, measured, profile)
    say(f"note: that {profile.name} has the architecture of {measured.name} is taken on trust")
    return found


def _from_tables(profile: Gpu, engine: str, *, serving: bool) -> Calibration:
    from datetime import UTC, datetime  # noqa: PLC0415 - only asked for here

    from simulator.calibrate import (  # noqa: PLC0415 - help and completion load no simulator
        KernelTables,
        calibrate_kernels,
        with_serving,
    )

    calibration = calibrate_kernels(KernelTables(profile, engine), on=datetime.now(UTC).date())
    found = with_serving(calibration, profile) if serving else calibration
    shipped = profile.calibrations.get(engine)
    if serving and found.serving is None and shipped is not None and shipped.serving is not None:
        say(f"note: the shipped numbers of a running engine come from {shipped.serving.fitted.table};")
        say("note: the installed tables have none, and neither does this file")
    return found


def _plain(levels: str | None) -> str:
    return ",".join(level.strip() for level in (levels or "").split(","))


def _check_sources(own: list[str], ran: Ran, levels: str | None, server: list[str] | None) -> None:
    """Refuse options that do not go together, all of them at once.

    Parameters
    ----------
    own : which of ``--from``, ``--from-bench`` and ``--like`` are given.
    ran : what is said of the server, which goes with them.
    levels : as given, which goes without them.
    server : scenarios, which go with ``--from-bench`` and say all of the server.

    Raises
    ------
    SimulatorError
        With a line for every option that is out of place or missing.
    """
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help loads no simulator
    from simulator.scenario.catalog import names_in  # noqa: PLC0415 - as above

    faults = []
    if len(own) > 1:
        faults.append(f"{' and '.join(own)}: choose one; steps say more than benchmarks")
    measured = [option for option in own if option != "--like"]
    if ran.units_are_right and "--from-bench" not in own:
        faults.append("--units-are-right: is said of results; it goes with --from-bench")
    if server:
        faults += [f"{option}: --server says it; leave it out" for option in ran.given()]
        faults += ["--server: goes with --from-bench alone"] if own != ["--from-bench"] else []
    elif measured and not ran.model:
        allowed = ", ".join(names_in("model"))
        faults.append(f"{measured[0]} needs --model: the preset that ran; allowed: {allowed}")
    if not measured and not server:
        faults += [
            f"{option}: goes with --from or --from-bench, and neither is given" for option in ran.given()
        ]
    if ran.context is not None and measured and "--from" not in measured:
        faults.append(f"--context {ran.context}: goes with --from, which is not given")
    if own and levels is not None:
        faults.append(f"--levels {levels}: goes with the public tables, not with {own[0]}")
    elif levels is not None and _plain(levels) not in LEVELS:
        faults.append(f"--levels: the text {levels!r} is neither kernel nor kernel,serving")
    if faults:
        raise SimulatorError("\n".join(faults))
