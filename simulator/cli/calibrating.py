"""``kinesim calibrate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file, write_whole

if TYPE_CHECKING:
    from simulator.hardware import Calibration, Gpu


class Format(StrEnum):
    """Number formats that weights and cached keys and values may have."""

    BF16 = "bf16"
    FP8 = "fp8"
    FP4 = "fp4"


@answering
def calibrate(
    *,
    gpu: Annotated[str, typer.Option(help="A GPU of the catalog, for example b200-sxm.")],
    engine: Annotated[str, typer.Option(help="Serving engine: vllm, trtllm or sglang.")] = "vllm",
    out: Annotated[
        Path | None, typer.Option(help="Write to this file; GPU.ENGINE.json in this folder if left out.")
    ] = None,
    levels: Annotated[
        str, typer.Option(help="What is fitted: kernel, or kernel,serving.", metavar="LEVELS")
    ] = "kernel,serving",
    steps: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Fit your engine: a CSV of decode steps (sequences, context_tokens, step_s)."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="With --from: the preset that ran.")] = None,
    tp: Annotated[int, typer.Option(min=1, help="With --from: tensor-parallel GPUs.")] = 1,
    weights: Annotated[Format, typer.Option(help="With --from: format of the weights.")] = Format.BF16,
    kv: Annotated[Format, typer.Option(help="With --from: format of the KV cache.")] = Format.BF16,
    overwrite: Overwrite = False,
) -> None:
    """Fit an engine's step latency on a GPU to public measurements, or to your own steps."""
    path = out or Path(f"{gpu}.{engine}.json")
    serving = _with_serving(levels)
    check_file(path, overwrite=overwrite, reads=steps)
    from simulator.calibrate.files import COLUMNS, table, to_json  # noqa: PLC0415 - help loads no simulator
    from simulator.hardware import Gpu  # noqa: PLC0415 - as above
    from simulator.scenario.catalog import find  # noqa: PLC0415 - as above
    from simulator.scenario.loader import load_part  # noqa: PLC0415 - as above

    profile = load_part(find("gpu", gpu), Gpu)
    if steps is None:
        calibration = _from_tables(profile, engine, serving=serving)
    else:
        calibration = _from_steps(profile, engine, steps, model=model, tp=tp, weights=weights, kv=kv)
    typer.echo(aligned(table(calibration), columns=COLUMNS))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, to_json(calibration))
    say(f"wrote {path}; use it as --set hardware.gpu.calibrations.{engine}=./{path.name}")


def _from_tables(profile: Gpu, engine: str, *, serving: bool) -> Calibration:
    from datetime import UTC, datetime  # noqa: PLC0415 - only asked for here

    from simulator.calibrate import (  # noqa: PLC0415 - help and completion load no simulator
        KernelTables,
        calibrate_kernels,
        with_serving,
    )

    calibration = calibrate_kernels(KernelTables(profile, engine), on=datetime.now(UTC).date())
    return with_serving(calibration, profile) if serving else calibration


def _from_steps(
    profile: Gpu, engine: str, path: Path, *, model: str | None, tp: int, weights: Format, kv: Format
) -> Calibration:
    from simulator.calibrate.steps import (  # noqa: PLC0415 - help loads no simulator
        calibrate_steps,
        check_steps,
        read_steps,
    )
    from simulator.deployment import Deployment, own_attention  # noqa: PLC0415 - as above
    from simulator.errors import SimulatorError, suggest  # noqa: PLC0415 - as above
    from simulator.model import Architecture  # noqa: PLC0415 - as above
    from simulator.scenario.catalog import find, names_in  # noqa: PLC0415 - as above
    from simulator.scenario.loader import load_part  # noqa: PLC0415 - as above

    base = profile.calibrations.get(engine)
    if base is None:
        known = suggest(engine, profile.calibrations) if profile.calibrations else "it has none"
        message = f"{profile.name} has no kernel numbers of engine {engine!r} to start from; {known}"
        raise SimulatorError(message)
    if model is None:
        message = f"--from needs --model: the preset that ran; allowed: {', '.join(names_in('model'))}"
        raise SimulatorError(message)
    architecture = load_part(find("model", model), Architecture)
    found = read_steps(path, tp=tp)
    deployments = {
        gpus: Deployment(
            architecture=architecture,
            attention=own_attention(architecture),
            gpu=profile,
            tp=gpus,
            weight_dtype=weights.value,
            kv_dtype=kv.value,
            compute_dtype=weights.value,
        )
        for gpus in sorted({int(gpus) for gpus in found["tp"]})
    }
    check_steps(found, deployments, path)
    tps = ", ".join(str(gpus) for gpus in deployments)
    return calibrate_steps(base, deployments, found, f"{path.name}: {model}, tp {tps}")


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
