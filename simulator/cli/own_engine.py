"""A user's own engine: its calibration from decode steps or from benchmark results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from simulator.cli.answering import say
from simulator.cli.bench_rows import account, runs_table

if TYPE_CHECKING:
    from simulator.deployment import Deployment
    from simulator.hardware import Calibration, Gpu
    from simulator.measured import BenchRun


class Format(StrEnum):
    """Number formats that weights and cached keys and values may have."""

    BF16 = "bf16"
    FP8 = "fp8"
    FP4 = "fp4"


@dataclass(frozen=True, slots=True)
class Ran:
    """What the user says of the server: none of the files does."""

    engine: str
    model: str
    tp: int
    weights: Format
    kv: Format


def from_steps(profile: Gpu, path: Path, ran: Ran) -> Calibration:
    """Return the calibration of a file of decode steps.

    Raises
    ------
    SimulatorError
        If the file or what is said of it cannot carry a fit.
    """
    from simulator.calibrate.step_files import read_steps  # noqa: PLC0415 - help loads no simulator
    from simulator.calibrate.steps import calibrate_steps, check_steps  # noqa: PLC0415 - as above

    found = read_steps(path, tp=ran.tp)
    starts = {gpus: _start(profile, replace(ran, tp=gpus)) for gpus in sorted(set(found["tp"].astype(int)))}
    deployments = {gpus: deployment for gpus, (_, deployment) in starts.items()}
    check_steps(found, deployments, path)
    tps = ", ".join(str(gpus) for gpus in deployments)
    base, _ = next(iter(starts.values()))
    return calibrate_steps(base, deployments, found, f"{path.name}: {ran.model}, tp {tps}")


def from_bench(profile: Gpu, paths: Sequence[Path], ran: Ran) -> Calibration:
    """Return the calibration of benchmark results; prints what was taken from each run.

    Raises
    ------
    SimulatorError
        If files or what is said of them cannot carry a fit.
    """
    from simulator.calibrate.bench import calibrate_bench  # noqa: PLC0415 - help loads no simulator
    from simulator.calibrate.points import check_points, points_of  # noqa: PLC0415 - as above

    base, deployment = _start(profile, ran)
    runs = _read_all(paths)
    _check_model(runs, deployment.architecture.name)
    points = points_of(runs)
    check_points(points, deployment)
    names = ", ".join(path.name for path in paths)
    fit = calibrate_bench(base, deployment, points, f"{names}: {ran.model}, tp {ran.tp}")
    for note in _notes(runs, base, deployment):
        say(f"note: {note}")
    typer.echo(f"{runs_table(fit)}\n\n{account(fit)}\n")
    return fit.calibration


def _start(profile: Gpu, ran: Ran) -> tuple[Calibration, Deployment]:
    """Return the kernel numbers to start from, and what ran."""
    from simulator.deployment import Deployment, own_attention  # noqa: PLC0415 - help loads no simulator
    from simulator.errors import SimulatorError, suggest  # noqa: PLC0415 - as above
    from simulator.model import Architecture  # noqa: PLC0415 - as above
    from simulator.scenario.catalog import find  # noqa: PLC0415 - as above
    from simulator.scenario.loader import load_part  # noqa: PLC0415 - as above

    if find_spec("scipy") is None:
        message = "a fit needs scipy: pip install 'kinesim[calibrate]'"
        raise SimulatorError(message)
    base = profile.calibrations.get(ran.engine)
    if base is None:
        known = suggest(ran.engine, profile.calibrations) if profile.calibrations else "it has none"
        message = f"{profile.name} has no kernel numbers of engine {ran.engine!r} to start from; {known}"
        raise SimulatorError(message)
    architecture = load_part(find("model", ran.model), Architecture)
    deployment = Deployment(
        architecture=architecture,
        attention=own_attention(architecture),
        gpu=profile,
        tp=ran.tp,
        weight_dtype=ran.weights.value,
        kv_dtype=ran.kv.value,
        compute_dtype=ran.weights.value,
    )
    return base, deployment


def _read_all(paths: Sequence[Path]) -> list[BenchRun]:
    from simulator.errors import TraceFormatError  # noqa: PLC0415 - help loads no simulator
    from simulator.measured import read_runs  # noqa: PLC0415 - as above

    runs, faults = list["BenchRun"](), list[str]()
    for place, path in enumerate(paths):
        if any(path.exists() and other.exists() and path.samefile(other) for other in paths[:place]):
            faults.append(f"{path}: is given twice")
            continue
        try:
            runs += read_runs(path)
        except TraceFormatError as error:
            faults.append(str(error))
    if faults:
        raise TraceFormatError("\n".join(faults))
    return runs


def _check_model(runs: Sequence[BenchRun], preset: str) -> None:
    """Refuse runs of another model than the preset.

    Raises
    ------
    TraceFormatError
        If the family or the size that the file names is another one.
    """
    from simulator.errors import TraceFormatError  # noqa: PLC0415 - help loads no simulator
    from simulator.measured.model_names import contradiction  # noqa: PLC0415 - as above

    faults = [
        f"{run.where}: model_id: {run.model!r} is {found}: --model says {preset}"
        for run in runs
        if run.model and (found := contradiction(run.model, preset))
    ]
    if faults:
        raise TraceFormatError("\n".join(faults))


def _notes(runs: Sequence[BenchRun], base: Calibration, deployment: Deployment) -> list[str]:
    """Return what does not stop a fit but may make it one of something else."""
    from simulator.latency.calibrated import covers  # noqa: PLC0415 - help loads no simulator
    from simulator.measured.model_names import is_named  # noqa: PLC0415 - as above

    preset, engines = deployment.architecture.name, {"vllm", "sglang", "trt", "tensorrt-llm"}
    notes = [
        f"the server calls its model {name!r}; taken as {preset}"
        for name in sorted({run.model for run in runs if run.model})
        if not is_named(name, preset)
    ]
    others = sorted({run.backend for run in runs if run.backend in engines} - {base.engine})
    notes += [f"the client's backend is {name!r}; taken as --engine {base.engine}" for name in others]
    notes += [
        f"{run.where}: {run.failed} requests failed; the means are of the others"
        for run in runs
        if run.failed
    ]
    if not covers(base, deployment):
        notes.append(
            f"{base.gpu} has no kernel numbers of {base.engine} in these formats: their roofline stands in, "
            "and `engine.latency: auto` takes the roofline; ask for `calibrated`"
        )
    return notes
