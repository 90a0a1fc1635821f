"""``kinesim calibrate --from-bench --server``: whole runs, replayed until the simulation meets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from simulator.cli.layout import aligned

if TYPE_CHECKING:
    from simulator.hardware import Calibration, Gpu
    from simulator.validate.replay_fit import Misses, ReplayFit, Served

COLUMNS: Final = ("run", "server", "numbers", "first token", "per token", "end to end")
TOLD_COLUMNS: Final = ("number", "expected", "found", "doubt left")


def from_replays(
    profile: Gpu, paths: Sequence[Path], servers: Sequence[str], engine: str, *, units_are_right: bool = False
) -> Calibration:
    """Return the calibration of whole runs; prints how each is met before and after, and unseen.

    Parameters
    ----------
    profile : the GPU that is calibrated.
    paths : of the runs.
    servers : a scenario for each of them, or one for all.
    engine : whose numbers are fitted.
    units_are_right : times of results that no server is known to have are taken as they are.

    Raises
    ------
    SimulatorError
        If files, or the servers that they are of, cannot carry a fit.
    """
    from simulator.errors import SimulatorError  # noqa: PLC0415 - help loads no simulator
    from simulator.validate.replay_fit import fit_replays  # noqa: PLC0415 - as above

    base = profile.calibrations.get(engine)
    if base is None:
        message = f"{profile.name} has no kernel numbers of engine {engine!r} to start from"
        raise SimulatorError(message)
    if len(servers) not in (1, len(paths)):
        message = f"--server: {len(servers)} for {len(paths)} files; give one for all, or one for each"
        raise SimulatorError(message)
    named = list(servers) * (len(paths) if len(servers) == 1 else 1)
    served = [
        run
        for path, name in zip(paths, named, strict=True)
        for run in served_of(path, name, units_are_right=units_are_right)
    ]
    for each in served:
        if each.scenario.hardware.gpu.name != profile.name:
            message = (
                f"--server {each.scenario.name}: its GPU is {each.scenario.hardware.gpu.name}, "
                f"but --gpu says {profile.name}"
            )
            raise SimulatorError(message)
    names = ", ".join(dict.fromkeys(f"{path.parent.name}/{path.name}" for path in paths))
    fit = fit_replays(base, served, names)
    typer.echo(f"{runs_table(fit)}\n\n{account(fit)}\n")
    return fit.calibration


def served_of(path: Path, server: str, *, units_are_right: bool = False) -> list[Served]:
    """Return the runs of a file on a scenario's server, with what a file beside says of the load.

    Raises
    ------
    SimulatorError
        If one of them cannot be read, or the file is of another model.
    """
    from simulator.measured import read_runs  # noqa: PLC0415 - help loads no simulator
    from simulator.scenario.loader import load_scenario  # noqa: PLC0415 - as above
    from simulator.validate.measured_run import check_model  # noqa: PLC0415 - as above
    from simulator.validate.replay_fit import Served  # noqa: PLC0415 - as above
    from simulator.validate.told_load import ToldLoad, overrides_of, sidecar_of  # noqa: PLC0415 - as above

    beside = sidecar_of(path)
    scenario = load_scenario(server, overrides=overrides_of(beside))
    runs = read_runs(path, units_are_right=units_are_right)
    for run in runs:
        check_model(run, scenario)
    return [Served(run, scenario, ToldLoad().over(beside)) for run in runs]


def runs_table(fit: ReplayFit) -> str:
    """Return a row for every run and every set of numbers: how far its means are off."""
    rows = []
    for score in fit.scores:
        run = score.served.run
        first = (f"{run.path.parent.name}/{run.path.name}:{run.line}", score.served.scenario.name)
        rows.append((*first, "before", *_told(score.before)))
        if score.others is not None:
            rows.append(("", "", "fitted to the others", *_told(score.others)))
        rows.append(("", "", "fitted to all" if score.others else "fitted", *_told(score.after)))
    return aligned(rows, columns=COLUMNS)


def account(fit: ReplayFit) -> str:
    """Return what was fitted, what the runs said of each number, and what judges it."""
    from simulator.validate.replay_fit import TOLD  # noqa: PLC0415 - help loads no simulator

    count = len(fit.scores)
    runs = "1 run" if count == 1 else f"{count} runs"
    rows = [(each.name, f"{each.expected:.4g}", f"{each.found:.4g}", f"{each.left:.0%}") for each in fit.told]
    vague = [each.name for each in fit.told if each.left > TOLD]
    lines = [
        f"Fitted: {len(fit.told)} serving numbers, to {runs} replayed whole, {fit.simulations} simulations.",
        aligned(rows, columns=TOLD_COLUMNS),
    ]
    if vague:
        lines.append(
            f"Hardly told apart, so near what was expected unless all move: {', '.join(vague)}. "
            "Runs with other loads and lengths, or steps (--from), tell more."
        )
    lines.append(
        "Judged: each run by numbers fitted to the others alone."
        if count > 1
        else "Nothing was held out: a second run would judge these numbers."
    )
    return "\n".join(lines)


def _told(misses: Misses) -> tuple[str, ...]:
    return tuple("-" if each is None else f"{each:+.1%}" for each in (misses.ttft, misses.tpot, misses.e2e))
