"""Measured serving runs as scenarios: what is simulated of each, and which can be judged by.

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

from collections.abc import Mapping, Sequence
from typing import Final

from simulator.calibrate.runs import ServingRun, believable
from simulator.errors import UnknownNameError, suggest
from simulator.hardware import Calibration, Gpu
from simulator.model import Architecture
from simulator.scenario.catalog import find
from simulator.scenario.loader import load_part

TASKS_PER_CLIENT: Final = 20
FEWEST_TASKS: Final = 80
MOST_TASKS: Final = 4000
SHORTEST_RATIO: Final = 0.8
LONGEST_RATIO: Final = 1.2
LENGTHS: Final = 41
MAX_BATCHED_TOKENS: Final = 8192


def scenario_of(
    run: ServingRun, latency: Mapping[str, str], calibration: Calibration | None = None
) -> dict[str, object]:
    """Return the scenario that stands for `run`.

    Parameters
    ----------
    run : a measured point.
    latency : step latency of the engine, as in a scenario file.
    calibration : numbers of the run's engine that stand in for those of the GPU's profile.

    Examples
    --------
    >>> shape = (2, 1024, 100, 4, 0.01, 0.1)
    >>> run = ServingRun("a", "h100-sxm", "vllm", "0.19.0", "qwen3-32b", "fp8", "fp8", *shape)
    >>> scenario_of(run, {"kind": "roofline"})["parallelism"]
    {'tp': 2, 'expert_parallel': False}
    """
    count = min(max(TASKS_PER_CLIENT * run.concurrency, FEWEST_TASKS), MOST_TASKS)
    lengths = output_lengths(run.output_tokens)
    gpu: object = run.gpu
    if calibration is not None:
        profile = load_part(find("gpu", run.gpu), Gpu)
        gpu = profile.model_copy(update={"calibrations": {run.engine: calibration}}).model_dump(mode="json")
    return {
        "schema": 1,
        "name": "measured-run",
        "hardware": {"kind": "node", "name": f"{run.gpu}-{run.tp}", "gpu": gpu, "gpus": run.tp},
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


class Trust:
    """Says whether a run can have been measured as described; reads each profile once."""

    def __init__(self) -> None:
        self._gpus: dict[str, Gpu] = {}
        self._models: dict[str, Architecture] = {}

    def __call__(self, run: ServingRun) -> bool:
        """Say whether `run` can be believed."""
        if run.gpu not in self._gpus:
            self._gpus[run.gpu] = load_part(find("gpu", run.gpu), Gpu)
        if run.model not in self._models:
            self._models[run.model] = load_part(find("model", run.model), Architecture)
        return believable(run, self._models[run.model], self._gpus[run.gpu])
