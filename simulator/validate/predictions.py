"""Predictions of measured runs: every distinct scenario once, over several processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import Final

from simulator.api import simulate
from simulator.calibrate.runs import ServingRun
from simulator.errors import InfeasiblePlanError, SimulatorError
from simulator.hardware import Calibration
from simulator.processes import process_pool
from simulator.scenario.loader import load_scenario
from simulator.validate.silicon import Trust, scenario_of

CALIBRATED: Final = "calibrated"
ROOFLINE: Final = "roofline"
PEER: Final = "peer"
ANOTHER_MODEL: Final = "other models"
COLUMNS: Final = (CALIBRATED, ROOFLINE)
"""What predicts every run: step times as the run's engine was measured, and the bare bound."""

MANY_RUNS: Final = 20
"""Runs of which a working peer must have predicted one."""

Progress = Callable[[int, int], None]
"""Called with (predictions made, predictions in all)."""

Peer = Callable[[ServingRun], float | None]
"""Another predictor: the mean time per output token of a run, s, or None where it has none."""

Key = tuple[str, str, str]
"""GPU, engine and model."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A measured run and what was predicted for it.

    Parameters
    ----------
    run : the measured point.
    tpot_s : mean time per output token by column.
    """

    run: ServingRun
    tpot_s: Mapping[str, float]

    def error_ratio(self, column: str) -> float:
        """Return predicted over measured, less 1."""
        return self.tpot_s[column] / self.run.tpot_s - 1.0


@dataclass(frozen=True, slots=True)
class Validation:
    """All predictions, and what has none.

    Parameters
    ----------
    predictions : runs with a prediction in every one of `columns`; some have one of `ANOTHER_MODEL` too.
    columns : what predicted all of them.
    not_believable : runs left out by the rules of `simulator.calibrate.runs`.
    infeasible : runs whose weights or a single sequence do not fit the memory.
    without_peer : predictions of runs that the other predictor says nothing of.
    """

    predictions: tuple[Prediction, ...]
    columns: tuple[str, ...]
    not_believable: tuple[ServingRun, ...] = ()
    infeasible: tuple[ServingRun, ...] = ()
    without_peer: tuple[Prediction, ...] = ()


def validate(
    runs: Sequence[ServingRun],
    *,
    peer: Peer | None = None,
    without_model: Mapping[Key, Calibration] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Validation:
    """Predict `runs` and set aside those that no prediction can be judged by.

    Parameters
    ----------
    runs : measured points.
    peer : another predictor, for a third column.
    without_model : calibrations that were fitted without any run of a model, for that model's runs.
    workers : processes that simulate; the predictions do not depend on it.
    progress : called with (predictions made, predictions in all).
    """
    trusts = Trust()
    judged = [(run, trusts(run)) for run in runs]
    believed = [run for run, trusted in judged if trusted]
    asked = [_documents(run, without_model or {}) for run in believed]
    times = _simulated([text for texts in asked for text in texts.values()], workers, progress)
    predictions, infeasible, without = [], [], []
    for run, texts in zip(believed, asked, strict=True):
        found = {column: time for column, text in texts.items() if (time := times[text]) is not None}
        told = peer(run) if peer is not None else None
        if told is not None:
            found[PEER] = told
        if not set(COLUMNS) <= found.keys():
            infeasible.append(run)
        elif peer is not None and told is None:
            without.append(Prediction(run, found))
        else:
            predictions.append(Prediction(run, found))
    if len(without) >= MANY_RUNS and not predictions:
        message = f"the peer has no prediction of any of {len(without)} runs; has the package changed?"
        raise SimulatorError(message)
    return Validation(
        predictions=tuple(predictions),
        columns=COLUMNS if peer is None else (*COLUMNS, PEER),
        not_believable=tuple(run for run, trusted in judged if not trusted),
        infeasible=tuple(infeasible),
        without_peer=tuple(without),
    )


def _documents(run: ServingRun, without_model: Mapping[Key, Calibration]) -> dict[str, str]:
    """Return the scenarios of a run by column, as text: equal ones are simulated once."""
    measured = {"kind": "calibrated", "engine": run.engine}
    found = {CALIBRATED: scenario_of(run, measured), ROOFLINE: scenario_of(run, {"kind": "roofline"})}
    other = without_model.get((run.gpu, run.engine, run.model))
    if other is not None:
        found[ANOTHER_MODEL] = scenario_of(run, measured, other)
    return {column: json.dumps(document) for column, document in found.items()}


def _simulated(texts: Sequence[str], workers: int, progress: Progress | None) -> dict[str, float | None]:
    """Return the mean time per output token of every distinct scenario, s; None where it does not fit."""
    distinct = list(dict.fromkeys(texts))
    found: dict[str, float | None] = {}

    def keep(text: str, time: float | None) -> None:
        found[text] = time
        if progress is not None:
            progress(len(found), len(distinct))

    if workers == 1 or len(distinct) == 1:
        for text in distinct:
            keep(text, mean_tpot_s(text))
        return found
    with process_pool(workers) as pool:
        pending = {pool.submit(mean_tpot_s, text): text for text in distinct}
        for future in as_completed(pending):
            keep(pending[future], future.result())
    return found


def mean_tpot_s(text: str) -> float | None:
    """Return the mean time per output token of a scenario, s; None where its plan does not fit.

    Parameters
    ----------
    text : the scenario as JSON.
    """
    try:
        result = simulate(load_scenario(json.loads(text)))
    except InfeasiblePlanError:
        return None
    mean = result.summary["latency"]["tpot_s"]["mean"]
    return None if mean is None else float(mean)
