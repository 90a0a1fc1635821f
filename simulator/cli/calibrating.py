"""``kinesim calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file, write_whole
from simulator.cli.own_engine import Format, Ran, from_bench, from_steps

if TYPE_CHECKING:
    from simulator.hardware import Calibration, Gpu

GpuName = Annotated[str, typer.Option(help="A GPU of the catalog, for example b200-sxm.")]
Engine = Annotated[str, typer.Option(help="Serving engine: vllm, trtllm or sglang.")]
Out = Annotated[
    Path | None, typer.Option(help="Write to this file; GPU.ENGINE.json in this folder if left out.")
]
Levels = Annotated[str, typer.Option(help="What is fitted: kernel, or kernel,serving.", metavar="LEVELS")]
Steps = Annotated[
    Path | None,
    typer.Option(
        "--from", help="Fit your engine: a CSV of decode steps (sequences, context_tokens, step_s)."
    ),
]
Bench = Annotated[
    list[Path] | None,
    typer.Option(
        "--from-bench",
        help="Fit your engine: results of vllm bench serve or sglang.bench_serving. May be repeated.",
    ),
]
Model = Annotated[str | None, typer.Option(help="With --from and --from-bench: the preset that ran.")]
Tp = Annotated[int, typer.Option(min=1, help="With the same: tensor-parallel GPUs.")]
Weights = Annotated[Format, typer.Option(help="With the same: format of the weights.")]
Kv = Annotated[Format, typer.Option(help="With the same: format of the KV cache.")]


@answering
def calibrate(
    *,
    gpu: GpuName,
    engine: Engine = "vllm",
    out: Out = None,
    levels: Levels = "kernel,serving",
    steps: Steps = None,
    bench: Bench = None,
    model: Model = None,
    tp: Tp = 1,
    weights: Weights = Format.BF16,
    kv: Kv = Format.BF16,
    overwrite: Overwrite = False,
) -> None:
    """Fit an engine's step latency on a GPU to public measurements, or to your own steps or benchmarks."""
    path = out or Path(f"{gpu}.{engine}.json")
    serving = _with_serving(levels)
    _check_sources(steps, bench, model)
    for read in [*(bench or []), steps]:
        check_file(path, overwrite=overwrite, reads=read)
    from simulator.calibrate.files import COLUMNS, table, to_json  # noqa: PLC0415 - help loads no simulator
    from simulator.hardware import Gpu  # noqa: PLC0415 - as above
    from simulator.scenario.catalog import find  # noqa: PLC0415 - as above
    from simulator.scenario.loader import load_part  # noqa: PLC0415 - as above

    profile, ran = load_part(find("gpu", gpu), Gpu), Ran(engine, model or "", tp, weights, kv)
    if bench:
        calibration = from_bench(profile, bench, ran)
    elif steps is not None:
        calibration = from_steps(profile, steps, ran)
    else:
        calibration = _from_tables(profile, engine, serving=serving)
    typer.echo(aligned(table(calibration), columns=COLUMNS))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, to_json(calibration))
    say(f"wrote {path}; use it as --set hardware.gpu.calibrations.{engine}={_as_given(path)}")


def _as_given(path: Path) -> str:
    """Return the path as `--set` takes it: from here, or from the root."""
    return str(path) if path.is_absolute() else f"./{path.as_posix()}"


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


def _check_sources(steps: Path | None, bench: list[Path] | None, model: str | None) -> None:
    """Refuse options that do not go together.

    Raises
    ------
    SimulatorError
        If both kinds of measurements are given, or they without their model, or the model without them.
    """
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help and completion load no simulator
    from simulator.scenario.catalog import names_in  # noqa: PLC0415 - as above

    own = [option for option, given in (("--from", steps), ("--from-bench", bench)) if given]
    message = None
    if len(own) > 1:
        message = "--from and --from-bench: choose one; steps say more than benchmarks"
    elif own and model is None:
        message = f"{own[0]} needs --model: the preset that ran; allowed: {', '.join(names_in('model'))}"
    elif model is not None and not own:
        message = f"--model {model}: goes with --from or --from-bench, and neither is given"
    if message:
        raise SimulatorError(message)


def _with_serving(levels: str) -> bool:
    """Say whether serving runs are fitted too.

    Raises
    ------
    SimulatorError
        If `levels` names anything else than the two levels, or leaves out the first.
    """
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help and completion load no simulator

    asked = [level.strip() for level in levels.split(",")]
    if asked not in (["kernel"], ["kernel", "serving"]):
        message = f"--levels: the text {levels!r} is neither kernel nor kernel,serving"
        raise SimulatorError(message)
    return len(asked) > 1
