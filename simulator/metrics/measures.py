"""The figures that are compared across variants, and how to read them out of a summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal[
    "per_s", "ratio", "s", "tokens_per_s", "tokens", "joules", "watts", "kg_co2e", "usd", "count", "eflops"
]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a summary.

    Parameters
    ----------
    path : where it stands, keys joined by dots.
    label : what it is called in tables.
    unit : SI unit of the value.
    better : which direction is an improvement; None where it depends.
    interval : path of an interval that a single run gives, if any.
    over_seeds : how several seeds make one figure; a maximum is the largest of them.
    """

    path: str
    label: str
    unit: Unit
    better: Literal["higher", "lower"] | None = None
    interval: str | None = None
    over_seeds: Literal["mean", "max"] = "mean"


def _times(name: str, label: str) -> tuple[Measure, ...]:
    return tuple(
        Measure(
            f"latency.{name}.{point}",
            f"{label} {point}",
            "s",
            "lower",
            over_seeds="max" if point == "max" else "mean",
        )
        for point in ("mean", "p50", "p90", "p95", "p99", "max")
    )


HEADLINE: Final = Measure(
    "throughput.solved_tasks_per_s",
    "solved tasks/s",
    "per_s",
    "higher",
    "throughput.solved_tasks_per_s_interval",
)
"""What the whole comparison is about."""

MEASURES: Final = (
    HEADLINE,
    Measure("throughput.tasks_per_s", "tasks/s", "per_s", "higher", "throughput.tasks_per_s_interval"),
    Measure("quality.solving_rate.estimate", "solving rate", "ratio", "higher", "quality.solving_rate"),
    Measure("goodput.tasks_per_s", "goodput under SLO, tasks/s", "per_s", "higher"),
    Measure("goodput.met_ratio", "tasks within SLO", "ratio", "higher"),
    Measure("throughput.output_tokens_per_s", "output tokens/s, node", "tokens_per_s", "higher"),
    Measure("throughput.output_tokens_per_s_per_gpu", "output tokens/s per GPU", "tokens_per_s", "higher"),
    Measure("throughput.prompt_tokens_per_s", "prompt tokens/s", "tokens_per_s"),
    Measure("quality.trials_per_task", "trials per task", "count"),
    Measure("quality.output_tokens_per_task", "output tokens per task", "tokens", "lower"),
    Measure("quality.output_tokens_per_solved_task", "output tokens per solved task", "tokens", "lower"),
    Measure("quality.truncated_ratio", "trials cut off by their cap", "ratio", "lower"),
    *_times("ttft_s", "TTFT"),
    *_times("tpot_s", "TPOT"),
    *_times("itl_s", "ITL"),
    *_times("queueing_s", "queueing"),
    *_times("trial_s", "trial time"),
    *_times("task_s", "task time"),
    Measure("load.batch_sequences.mean", "batch per replica, mean", "count"),
    Measure("load.batch_sequences.p95", "batch per replica, p95", "count"),
    Measure("load.batch_sequences.max", "batch per replica, max", "count", over_seeds="max"),
    Measure("load.running_mean", "trials running, mean", "count"),
    Measure("load.waiting_mean", "trials waiting, mean", "count"),
    Measure("load.kv_occupancy_mean_ratio", "KV occupancy mean", "ratio"),
    Measure("load.kv_occupancy_max_ratio", "KV occupancy max", "ratio", over_seeds="max"),
    Measure("load.kv_tokens_max", "KV tokens held, max", "tokens", over_seeds="max"),
    Measure("load.cached_prompt_ratio", "prompt tokens found cached", "ratio"),
    Measure("load.preemptions", "preemptions", "count", "lower"),
    Measure("load.busy_ratio", "busy", "ratio"),
    Measure("hardware.mfu_busy_ratio", "MFU while busy", "ratio", "higher"),
    Measure("hardware.mbu_busy_ratio", "MBU while busy", "ratio", "higher"),
    Measure("hardware.mfu_window_ratio", "MFU over the window", "ratio", "higher"),
    Measure("hardware.mbu_window_ratio", "MBU over the window", "ratio", "higher"),
    Measure("energy.joules_per_solved_task", "energy per solved task", "joules", "lower"),
    Measure("energy.joules_per_output_token", "energy per output token", "joules", "lower"),
    Measure("energy.mean_watts_per_gpu", "power per GPU, mean", "watts"),
    Measure("energy.kg_co2e_per_solved_task", "carbon per solved task", "kg_co2e", "lower"),
    Measure("cost.usd_per_solved_task", "cost per solved task", "usd", "lower"),
    Measure("cost.usd_per_million_output_tokens", "cost per 1M output tokens", "usd", "lower"),
    Measure("kinetics.decode_eflops_per_task", "eFLOPs per task (decode)", "eflops", "lower"),
    Measure("kinetics.executed_eflops_per_task", "eFLOPs per task (executed)", "eflops", "lower"),
)
"""Every figure that has a row, in the order of the rows."""


def look_up(summary: Mapping[str, object], path: str) -> object:
    """Return what stands in `summary` at `path`; None where a section on the way is None.

    Raises
    ------
    KeyError
        If a key on the way does not exist.
    """
    found: object = summary
    for key in path.split("."):
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise KeyError(path)
        found = found[key]
    return found


def number(summary: Mapping[str, object], path: str) -> float | None:
    """Return the number at `path` of `summary`, None where it is undefined.

    Raises
    ------
    KeyError
        If there is no such figure.

    Examples
    --------
    >>> number({"load": {"busy_ratio": 0.5}}, "load.busy_ratio")
    0.5
    """
    found = look_up(summary, path)
    if found is None:
        return None
    if not isinstance(found, int | float):
        raise KeyError(path)
    return float(found)


def text(summary: Mapping[str, object], path: str) -> str:
    """Return what stands at `path` of `summary` as text."""
    return str(look_up(summary, path))
