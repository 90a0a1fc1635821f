"""A measured run judged: replayed through a scenario, compared and held against what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.api import Progress, Result, simulate
from simulator.errors import TraceFormatError
from simulator.measured import BenchRun, read_measured
from simulator.measured.model_names import contradiction
from simulator.scenario.schema import Scenario
from simulator.validate.comparison import Compared, compared
from simulator.validate.replay import Replay, replay
from simulator.validate.sides import Side, measured_side, simulated_side
from simulator.validate.told_load import ToldLoad
from simulator.validate.verdict import Verdict, judge


@dataclass(frozen=True)
class Judgement:
    """All of one comparison.

    Parameters
    ----------
    run : as measured.
    replay : what was simulated for it.
    result : of the simulation.
    measured, simulated : the two sides.
    compared : their errors.
    verdict : against what is allowed.
    """

    run: BenchRun
    replay: Replay
    result: Result
    measured: Side
    simulated: Side
    compared: Compared
    verdict: Verdict

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures has to know."""
        return (*self.run.notes, *self.replay.notes, *_other_servers(self), *self.compared.notes)

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain values; times in s, errors as parts of 1, None where undefined."""
        return {
            "measured": {"file": str(self.run.path), "line": self.run.line, "tool": self.run.tool},
            "scenario": self.replay.scenario.name,
            "load": self.replay.load,
            "quantities": {
                name: {
                    "count": one.count,
                    "measured": {figure: pair[0] for figure, pair in one.figures.items()},
                    "simulated": {figure: pair[1] for figure, pair in one.figures.items()},
                    "error": {figure: one.error(figure) for figure in one.known},
                }
                for name, one in self.compared.quantities.items()
            },
            "regimes": [
                {
                    "regime": regime.name,
                    "count": regime.count,
                    "error": {
                        one.name: {figure: one.error(figure) for figure in one.known}
                        for one in regime.quantities
                    },
                }
                for regime in self.compared.regimes
            ],
            "verdict": {
                "inside": self.verdict.inside,
                "judged": [
                    {"figure": one.name, "error": one.error, "allowed": one.allowed, "inside": one.inside}
                    for one in self.verdict.judged
                ],
            },
            "notes": list(self.notes),
        }


def chosen_run(paths: Sequence[Path], number: int | None, *, units_are_right: bool = False) -> BenchRun:
    """Return the run of a file that is asked for.

    Parameters
    ----------
    paths : one file, or two scrapes of a server.
    number : from 1; None takes the only one.
    units_are_right : times and rates that no server is known to have are taken as they are.

    Raises
    ------
    TraceFormatError
        If the file cannot be read, or holds several runs and none is chosen.
    """
    runs = read_measured(paths, units_are_right=units_are_right)
    if number is None and len(runs) == 1:
        return runs[0]
    if number is not None and 1 <= number <= len(runs):
        return runs[number - 1]
    held = "\n".join(f"  --run {place}: {_load(run)}" for place, run in enumerate(runs, start=1))
    message = f"{paths[0]}: holds {len(runs)} {'run' if len(runs) == 1 else 'runs'}; choose one:\n{held}"
    raise TraceFormatError(message)


def _load(run: BenchRun) -> str:
    told = [f"line {run.line}", f"{run.completed or 'some'} requests"]
    told += [f"{run.max_concurrency} in flight at most"] if run.max_concurrency else []
    told += [f"{run.request_rate_per_s:g} a second"] if run.request_rate_per_s else []
    return ", ".join(told)


def check_model(run: BenchRun, scenario: Scenario) -> None:
    """Refuse a run of another model than the scenario's.

    Raises
    ------
    TraceFormatError
        If the family or the size that the file names is another one.
    """
    preset = scenario.model.architecture.name
    found = contradiction(run.model, preset) if run.model else None
    if found:
        message = f"{run.where}: the server calls its model {run.model!r}: {found}; the scenario has {preset}"
        raise TraceFormatError(message)


def judgement(
    scenario: Scenario,
    run: BenchRun,
    said: ToldLoad,
    *,
    allowed: dict[str, float],
    asked: bool,
    progress: Progress | None = None,
) -> Judgement:
    """Return how far the scenario's server is from the measured one.

    Parameters
    ----------
    scenario : hardware, model and engine; its workload is replaced.
    run : as measured.
    said : what the file does not say.
    allowed : sizes of errors by quantity and figure.
    asked : whether a user named them.
    progress : called with (requests ended, requests in all).

    Raises
    ------
    SimulatorError
        If the run cannot be replayed, or cannot be judged as asked.
    """
    check_model(run, scenario)
    made = replay(scenario, run, said)
    measured, kept = measured_side(run, made.rows)
    result = simulate(made.scenario, token_times=True, progress=progress)
    moments = None if measured.series is None else np.array(measured.series.t_s)
    simulated = simulated_side(result, kept, moments)
    found = compared(measured, simulated)
    return Judgement(run, made, result, measured, simulated, found, judge(found, allowed, asked=asked))


def _other_servers(judgement: Judgement) -> list[str]:
    """Return a note for each number of the file's server that is another one in the scenario."""
    stated, scenario, notes = judgement.run.stated, judgement.replay.scenario, []
    tp = stated.get("tp")
    if tp is not None and tp != str(scenario.parallelism.tp):
        notes.append(f"the file says tp {tp}, the scenario has {scenario.parallelism.tp}")
    gpu = stated.get("gpu")
    if gpu is not None and gpu.split("-")[0] not in scenario.hardware.gpu.name:
        notes.append(f"the file says {gpu}, the scenario has {scenario.hardware.gpu.name}")
    precision = stated.get("precision")
    if precision is not None and precision not in scenario.model.weight_dtype:
        notes.append(f"the file says {precision}, the scenario has weights in {scenario.model.weight_dtype}")
    blocks, capacity = stated.get("kv_blocks"), judgement.result.capacity
    own = f"{capacity.blocks} of {capacity.block_tokens} tokens"
    if blocks is not None and blocks != own:
        notes.append(f"KV blocks: {blocks} on the server, {own} in the scenario (engine.kv.blocks sets them)")
    return notes
