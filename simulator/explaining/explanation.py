"""Why one scenario is as fast as it is: its operations, its time, and what would help.

Five sentences are made from the numbers and say no more than they do: where the time goes is an account,
what helps is what doubling it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.api import Comparison, Result, simulate
from simulator.explaining.comparison import mean_machine, mean_task
from simulator.explaining.doubling import FIGURES, Gain, RunProgress, figures_of, gains
from simulator.explaining.operations import OperationTime, operation_times
from simulator.explaining.sides import Side, SideSource, read_one
from simulator.metrics.headline import KEEPS_UP_RATIO, OPEN_ARRIVALS, TASK_TIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from simulator.kvcache import KvCapacity


@dataclass(frozen=True)
class Explanation:
    """One scenario, taken apart.

    Parameters
    ----------
    side : what was explained.
    comparison : its runs, one per seed.
    gains : what doubling each resource changes, the largest gain first; empty if that was not asked for.
    target : the figure that counts, and whether less of it is better.
    """

    side: Side
    comparison: Comparison
    gains: tuple[Gain, ...]
    target: tuple[str, bool]

    @property
    def results(self) -> tuple[Result, ...]:
        """The runs, one per seed."""
        return self.comparison.runs[self.side.name]

    @cached_property
    def operation_times(self) -> list[OperationTime]:
        """The operations of the steps in the window, the longest first, all seeds together."""
        return operation_times(self.results)

    @cached_property
    def time(self) -> dict[str, Any]:
        """Where the GPUs' time (``machine``) and the mean task's (``task``) went, means over seeds."""
        return {"machine": mean_machine(self.results), "task": mean_task(self.results)}

    @property
    def speed_of_light_ratio(self) -> float | None:
        """Least time of all operations by the data sheet over the time they took; None without operations."""
        whole = sum(one.seconds for one in self.operation_times)
        return sum(one.bound_seconds for one in self.operation_times) / whole if whole else None

    @cached_property
    def lines(self) -> list[str]:
        """Five lines: what it does, where the time goes, what helps most, what does not, how much room."""
        from simulator.explaining.sentences import five_lines  # noqa: PLC0415 - it reads this class

        return five_lines(self)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Everything as nested plain values in SI units; None where undefined."""
        return {
            "scenario": self.side.name,
            "source": self.side.source,
            "lines": self.lines,
            "seeds": len(self.results),
            "metrics": self.comparison.summary["variants"][self.side.name]["metrics"],
            "operations": [one.to_dict() for one in self.operation_times],
            "speed_of_light_ratio": self.speed_of_light_ratio,
            "time": self.time,
            "memory": _memory(self.results[0].capacity),
            "target": self.target[0],
            "doubled": [gain.to_dict() for gain in self.gains],
            "notes": [entry["note"] for entry in self.comparison.summary["notes"]],
        }

    @cached_property
    def operations(self) -> pd.DataFrame:
        """One row per operation; columns as in `OperationTime`, the source in words and errors."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        rows = []
        for one in self.operation_times:
            row = one.to_dict()
            source = row.pop("source")
            told = {f"source_{key}": value for key, value in source.items() if key in {"kind", "text"}}
            rows.append(row | told | {key: source[key] for key in ("median_error_ratio", "p90_error_ratio")})
        return pd.DataFrame(rows)

    @cached_property
    def doubled(self) -> pd.DataFrame:
        """One row per doubled resource: ``gain`` with bounds, the ratio of each figure, ``refusal``."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        rows = []
        for gain in self.gains:
            row: dict[str, Any] = {"resource": gain.resource.name, "label": gain.resource.label}
            if gain.gain is not None:
                row |= {"gain": gain.gain.estimate, "low": gain.gain.low, "high": gain.gain.high}
            for path in FIGURES:
                ratio = gain.ratios.get(path)
                row[path] = None if ratio is None else ratio.estimate
            rows.append(row | {"refusal": gain.refusal})
        return pd.DataFrame(rows)


def _memory(capacity: KvCapacity) -> dict[str, Any]:
    """Return the memory of one GPU, bytes."""
    return {
        "claimed_bytes": capacity.hbm_bytes,
        "weight_bytes": capacity.weight_bytes,
        "activation_bytes": capacity.activation_bytes,
        "state_bytes": capacity.state_bytes,
        "kv_bytes": capacity.blocks * capacity.block_bytes if capacity.limited else None,
        "kv_source": capacity.source,
    }


def keeps_up(summaries: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether open arrivals, not the node, set how many tasks end in every run's steady window."""
    return all(
        summary["plan"]["arrivals"] in OPEN_ARRIVALS
        and summary["window"]["kind"] == "steady"
        and summary["throughput"]["tasks_ended"] >= KEEPS_UP_RATIO * summary["window"]["tasks_arrived"]
        for summary in summaries
    )


def target_of(summaries: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    """Return the figure that counts, and whether less of it is better.

    Task time where arrivals set the rate; else the first throughput that is positive for every seed.
    """
    if keeps_up(summaries):
        return TASK_TIME, True
    figures = [figures_of(summary) for summary in summaries]
    rates = [path for path in FIGURES if path != TASK_TIME]
    positive = [path for path in rates if all(one[path] for one in figures)]
    return (positive or rates)[0], False


def explain(
    source: SideSource,
    *,
    overrides: Sequence[str] = (),
    doubling: bool = True,
    workers: int = 1,
    progress: RunProgress | None = None,
) -> Explanation:
    """Explain one scenario: run it with its seeds, take the time apart, and double each resource in turn.

    Parameters
    ----------
    source : a ``SOURCE[#VARIANT][@PATH=VALUE]...`` text (`simulator.explaining.sides`), a path, a folder of a
        finished run, or a scenario.
    overrides : ``PATH=VALUE`` texts.
    doubling : also run with each resource doubled, which takes some eight times as long.
    workers : processes for these runs; 1 runs in this one.
    progress : called with (runs ended, runs in all) of the doublings.

    Returns
    -------
    Explanation
        With ``lines``, ``summary`` and the frames ``operations`` and ``doubled``.

    Raises
    ------
    ScenarioError
        If the scenario cannot be read, or has variants of which none was picked.
    InfeasiblePlanError
        If it does not fit its hardware; shows the sum.

    Examples
    --------
    >>> few = ["workload.tasks.repeats=1", "report.seeds=1"]
    >>> found = explain("quickstart#dense", overrides=few, doubling=False)
    >>> found.operations["name"][0], len(found.lines)
    ('attention', 5)
    """
    side = read_one(source, list(overrides))
    scenario = side.scenario
    seeds = range(scenario.seed, scenario.seed + scenario.report.seeds)
    results = tuple(simulate(scenario, seed=seed) for seed in seeds)
    summaries = [result.summary for result in results]
    target = target_of(summaries)
    base = [figures_of(summary) for summary in summaries]
    found = gains(scenario, base, target, workers=workers, progress=progress) if doubling else []
    return Explanation(side, Comparison(scenario, {side.name: results}), tuple(found), target)
