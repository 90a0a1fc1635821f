"""``kinesim calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answering import answering, say
from simulator.cli.arguments import Overwrite
from simulator.cli.layout import aligned
from simulator.cli.outputs import check_file, write_whole


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
    overwrite: Overwrite = False,
) -> None:
    """Fit an engine's step latency on a GPU to public measurements of kernels and of serving runs."""
    serving = _with_serving(levels)
    path = out or Path(f"{gpu}.{engine}.json")
    check_file(path, overwrite=overwrite)
    from datetime import UTC, datetime  # noqa: PLC0415 - help and completion load no simulator

    from simulator.calibrate import KernelTables, calibrate_kernels, with_serving  # noqa: PLC0415 - as above
    from simulator.calibrate.files import COLUMNS, table, to_json  # noqa: PLC0415 - as above
    from simulator.hardware import Gpu  # noqa: PLC0415 - as above
    from simulator.scenario.catalog import find  # noqa: PLC0415 - as above
    from simulator.scenario.loader import load_part  # noqa: PLC0415 - as above

    tables = KernelTables(load_part(find("gpu", gpu), Gpu), engine)
    calibration = calibrate_kernels(tables, on=datetime.now(UTC).date())
    if serving:
        calibration = with_serving(calibration, tables.gpu)
    typer.echo(aligned(table(calibration), columns=COLUMNS))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, to_json(calibration))
    say(f"wrote {path}; use it as --set hardware.gpu.calibrations.{engine}=./{path.name}")


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
