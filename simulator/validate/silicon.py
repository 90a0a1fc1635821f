"""Simulate measured serving runs: the mean time per output token of each.

A run becomes one replica behind as many clients as requests were in flight; a client sends its next
request when the last one ends.  Prompts have the measured length.  Outputs are spread evenly over 0.8 to
1.2 of the measured length, with the same mean: with equal lengths all sequences of a closed loop would end
in the same step for ever, which those of real clients do not.  Each client sends about
`TASKS_PER_CLIENT` requests; those that arrive after the warm-up and before the last one count.  The last
of them run in a batch that drains, which makes the mean up to 3 % shorter.

Not simulated: queueing before the engine, prefix caches, speculative decoding, what the client measures
around the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simulator.api import simulate
from simulator.calibrate.runs import ServingRun, believable
from simulator.errors import InfeasiblePlanError, UnknownNameError, suggest
from simulator.hardware import Gpu
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part, load_scenario

COLUMNS: Final = ("calibrated", "roofline")
"""Step latencies that are compared: as the run's engine was measured, and the bare bound."""

PEER: Final = "peer"
"""The column of another predictor."""

TASKS_PER_CLIENT: Final = 20
FEWEST_TASKS: Final = 80
MOST_TASKS: Final = 4000
SHORTEST_RATIO: Final = 0.8
LONGEST_RATIO: Final = 1.2
LENGTHS: Final = 41
MAX_BATCHED_TOKENS: Final = 8192

Progress = Callable[[int, int], None]
"""Called with (runs predicted, runs in all)."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A measured run and what was predicted for it.

    Parameters
    ----------
    run : the measured point.
    tpot_s : mean time per output token by column; empty where the plan does not fit.
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
    predictions : runs with a prediction in every one of `columns`.
    columns : what predicted them.
    not_believable : runs left out by the rules of `simulator.calibrate.runs`.
    infeasible : runs whose weights or a single sequence do not fit the memory.
    without_peer : runs that fit but that the other predictor says nothing of.
    """

    predictions: tuple[Prediction, ...]
    columns: tuple[str, ...]
    not_believable: tuple[ServingRun, ...] = ()
    infeasible: tuple[ServingRun, ...] = ()
    without_peer: tuple[ServingRun, ...] = ()


def scenario_of(run: ServingRun, latency: Mapping[str, str]) -> dict[str, object]:
    """Return the scenario that stands for `run`.

    Parameters
    ----------
    run : a measured point.
    latency : step latency of the engine, as in a scenario file.

    Examples
    --------
    >>> shape = (2, 1024, 100, 4, 0.01, 0.1)
    >>> run = ServingRun("a", "h100-sxm", "vllm", "0.19.0", "qwen3-32b", "fp8", "fp8", *shape)
    >>> scenario_of(run, {"kind": "roofline"})["parallelism"]
    {'tp': 2, 'expert_parallel': False}
    """
    count = min(max(TASKS_PER_CLIENT * run.concurrency, FEWEST_TASKS), MOST_TASKS)
    lengths = output_lengths(run.output_tokens)
    return {
        "schema": 1,
        "name": "measured-run",
        "hardware": {"kind": "node", "name": f"{run.gpu}-{run.tp}", "gpu": run.gpu, "gpus": run.tp},
        "model": {
            "preset": run.model,
            "weight_dtype": run.weight_dtype,
            "kv_dtype": run.kv_dtype,
            "compute_dtype": run.weight_dtype,
            "expert_dtype": run.expert_dtype,
        },
        "parallelism": {"tp": run.tp, "expert_parallel": run.expert_parallel},
        "engine": {
            "latency": dict(latency),
            "max_sequences": run.concurrency,
            "max_batched_tokens": max(MAX_BATCHED_TOKENS, run.concurrency),
        },
        "workload": {
            "tasks": {"kind": "synthetic", "count": count, "prompt_tokens": run.prompt_tokens},
            "lengths": {"kind": "empirical", "values": lengths},
            "outcomes": {"kind": "fixed", "solve_probability": 1.0},
            "arrivals": {"kind": "closed_loop", "concurrency": run.concurrency},
            "strategy": {"kind": "long_cot"},
            "max_tokens": max(lengths),
        },
        "report": {"window": "steady"},
    }


def output_lengths(mean_tokens: int) -> list[int]:
    """Return lengths evenly spread around a mean, so that sequences do not end together.

    Examples
    --------
    >>> lengths = output_lengths(1000)
    >>> lengths[0], lengths[-1], sum(lengths) / len(lengths)
    (800, 1200, 1000.0)
    """
    step = (LONGEST_RATIO - SHORTEST_RATIO) / (LENGTHS - 1)
    ratios = (SHORTEST_RATIO + step * place for place in range(LENGTHS))
    return [max(2, round(mean_tokens * ratio)) for ratio in ratios]  # one token has no time after the first


class Predictor:
    """Simulates runs; runs that differ only in what the simulator does not know are simulated once."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], float | None] = {}

    def __call__(self, run: ServingRun) -> dict[str, float]:
        """Return the mean time per output token of `run` by column, s; empty where the plan does not fit."""
        latencies = {
            "calibrated": {"kind": "calibrated", "engine": run.engine},
            "roofline": {"kind": "roofline"},
        }
        times = {column: self._tpot_s(run, latencies[column]) for column in COLUMNS}
        return {column: time for column, time in times.items() if time is not None}

    def _tpot_s(self, run: ServingRun, latency: Mapping[str, str]) -> float | None:
        shape = (run.prompt_tokens, run.output_tokens, run.concurrency)
        plan = (run.gpu, run.tp, run.model, run.weight_dtype, run.kv_dtype, run.expert_parallel)
        key = (*latency.values(), *plan, *shape)
        if key not in self._known:
            self._known[key] = _simulated(scenario_of(run, latency))
        return self._known[key]


def _simulated(document: Mapping[str, object]) -> float | None:
    try:
        result = simulate(load_scenario(document))
    except InfeasiblePlanError:
        return None
    mean = result.summary["latency"]["tpot_s"]["mean"]
    return None if mean is None else float(mean)


def select(
    runs: Sequence[ServingRun], *, gpu: str | None = None, engine: str | None = None, model: str | None = None
) -> list[ServingRun]:
    """Return the runs of a GPU, an engine and a model; None takes all.

    Raises
    ------
    UnknownNameError
        If no run has a name that is asked for, or none has all of them.
    """
    asked = {"gpu": gpu, "engine": engine, "model": model}
    names = {what: name for what, name in asked.items() if name is not None}
    for what, name in names.items():
        known = {str(getattr(run, what)) for run in runs}
        if name not in known:
            message = f"no measured run with {what} {name!r}; {suggest(name, known)}"
            raise UnknownNameError(message)
    chosen = [run for run in runs if all(getattr(run, what) == name for what, name in names.items())]
    if not chosen:
        together = ", ".join(f"{what} {name!r}" for what, name in names.items())
        known = {f"{run.gpu} {run.engine} {run.model}" for run in runs}
        message = f"no measured run with {together} together; measured: {', '.join(sorted(known))}"
        raise UnknownNameError(message)
    return chosen


def validate(
    runs: Sequence[ServingRun],
    *,
    peer_s: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Predict `runs` and set aside those that no prediction can be judged by.

    Parameters
    ----------
    runs : measured points.
    peer_s : another predictor's mean time per output token, s, by the name of the row.
    progress : called with (runs predicted, runs in all).
    """
    trusts, predict = _Trust(), Predictor()
    believed = [run for run in runs if trusts(run)]
    predictions, infeasible, without = [], [], []
    for place, run in enumerate(believed, start=1):
        times = predict(run)
        if peer_s is not None and run.row in peer_s:
            times[PEER] = peer_s[run.row]
        if not set(COLUMNS) <= times.keys():
            infeasible.append(run)
        elif peer_s is not None and PEER not in times:
            without.append(run)
        else:
            predictions.append(Prediction(run, times))
        if progress is not None:
            progress(place, len(believed))
    return Validation(
        predictions=tuple(predictions),
        columns=COLUMNS if peer_s is None else (*COLUMNS, PEER),
        not_believable=tuple(run for run in runs if not trusts(run)),
        infeasible=tuple(infeasible),
        without_peer=tuple(without),
    )


class _Trust:
    """Says whether a run can have been measured as described; reads each profile once."""

    def __init__(self) -> None:
        self._gpus: dict[str, Gpu] = {}
        self._models: dict[str, Architecture] = {}

    def __call__(self, run: ServingRun) -> bool:
        if run.gpu not in self._gpus:
            self._gpus[run.gpu] = load_part(find("gpu", run.gpu), Gpu)
        if run.model not in self._models:
            self._models[run.model] = load_part(find("model", run.model), Architecture)
        return believable(run, self._models[run.model].active_parameters, self._gpus[run.gpu])
