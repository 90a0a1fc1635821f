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
    from simulator.hardware import Calibration, Dtype, Gpu
    from simulator.measured import BenchRun
    from simulator.model import Architecture


class Format(StrEnum):
    """Number formats that weights and cached keys and values may have."""

    BF16 = "bf16"
    FP8 = "fp8"
    FP4 = "fp4"


class ExpertFormat(StrEnum):
    """Number formats that the weights of experts may have."""

    BF16 = "bf16"
    FP8 = "fp8"
    FP4 = "fp4"
    MXFP4 = "mxfp4"


@dataclass(frozen=True, slots=True)
class Ran:
    """What the user says of the server: none of the files does.

    Parameters
    ----------
    engine, model : the engine and the preset.
    tp : GPUs of the replica; None: not said.
    weights, kv : formats; None: bf16.
    experts : format of the experts' weights; None: that of all weights.
    expert_parallel : whether GPUs held whole experts.
    context : tokens in the cache of each sequence, where a profiler's trace does not say.
    units_are_right : times of results that no server is known to have are taken as they are.
    """

    engine: str
    model: str
    tp: int | None = None
    weights: Format | None = None
    kv: Format | None = None
    experts: ExpertFormat | None = None
    expert_parallel: bool = False
    context: int | None = None
    units_are_right: bool = False

    def given(self) -> list[str]:
        """Return the options that the user gave, the engine aside, as they are typed."""
        values = {
            "--model": self.model or None,
            "--tp": self.tp,
            "--weights": self.weights,
            "--kv": self.kv,
            "--experts": self.experts,
            "--context": self.context,
        }
        named = [f"{option} {value}" for option, value in values.items() if value is not None]
        return named + ["--expert-parallel"] * self.expert_parallel


def from_steps(profile: Gpu, path: Path, ran: Ran) -> Calibration:
    """Return the calibration of a file of decode steps.

    Raises
    ------
    SimulatorError
        If the file or what is said of it cannot carry a fit.
    """
    from simulator.calibrate.step_checks import check_steps  # noqa: PLC0415 - help loads no simulator
    from simulator.calibrate.step_files import read_steps  # noqa: PLC0415 - as above
    from simulator.calibrate.steps import calibrate_steps  # noqa: PLC0415 - as above

    found = read_steps(path, tp=ran.tp, context=ran.context)
    starts = {gpus: _start(profile, replace(ran, tp=gpus)) for gpus in sorted(set(found["tp"].astype(int)))}
    deployments = {gpus: deployment for gpus, (_, deployment) in starts.items()}
    check_steps(found, deployments, path)
    tps = ", ".join(str(gpus) for gpus in deployments)
    base, deployment = next(iter(starts.values()))
    for note in _unmeasured(base, deployment):
        say(f"note: {note}")
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
    runs = _read_all(paths, units_are_right=ran.units_are_right)
    _check_model(runs, deployment.architecture.name)
    points = points_of(runs)
    check_points(points, deployment)
    names = ", ".join(path.name for path in paths)
    fit = calibrate_bench(base, deployment, points, f"{names}: {ran.model}, tp {deployment.tp}")
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
    _check_experts(architecture, ran)
    weights: Dtype = (ran.weights or Format.BF16).value
    deployment = Deployment(
        architecture=architecture,
        attention=own_attention(architecture),
        gpu=profile,
        tp=ran.tp or 1,
        weight_dtype=weights,
        kv_dtype=(ran.kv or Format.BF16).value,
        compute_dtype=weights,
        expert_dtype=ran.experts.value if ran.experts else None,
        expert_parallel=ran.expert_parallel,
    )
    return base, deployment


def _check_experts(architecture: Architecture, ran: Ran) -> None:
    """Refuse options of experts for a model that has none.

    Raises
    ------
    SimulatorError
        With each option that does not go with the model.
    """
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help loads no simulator

    given = [f"--experts {ran.experts.value}"] if ran.experts else []
    given += ["--expert-parallel"] if ran.expert_parallel else []
    if given and architecture.experts is None:
        faults = [f"{option}: {architecture.name} has no experts; leave it out" for option in given]
        raise SimulatorError("\n".join(faults))


def _read_all(paths: Sequence[Path], *, units_are_right: bool) -> list[BenchRun]:
    from simulator.errors import TraceFormatError  # noqa: PLC0415 - help loads no simulator
    from simulator.measured import read_runs  # noqa: PLC0415 - as above

    runs, faults = list["BenchRun"](), list[str]()
    for place, path in enumerate(paths):
        if any(path.exists() and other.exists() and path.samefile(other) for other in paths[:place]):
            faults.append(f"{path}: is given twice")
            continue
        try:
            runs += read_runs(path, units_are_right=units_are_right)
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
    from simulator.measured.model_names import is_named  # noqa: PLC0415 - help loads no simulator

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
    if any(run.requests is not None and run.requests.start_s is not None for run in runs):
        notes.append(
            "arrivals are recorded, but requests in flight are taken from means: with --server SCENARIO the "
            "runs are replayed, queues included"
        )
    return [*notes, *_unmeasured(base, deployment)]


def _unmeasured(base: Calibration, deployment: Deployment) -> list[str]:
    """Return a note where the kernel numbers are not of the formats that ran."""
    from simulator.latency.coverage import covers  # noqa: PLC0415 - help loads no simulator

    if covers(base, deployment):
        return []
    note = (
        f"{base.gpu} has no kernel numbers of {base.engine} in these formats: their roofline stands in, "
        "and `engine.latency: auto` takes the roofline; ask for `calibrated`"
    )
    return [note]
