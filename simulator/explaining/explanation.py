"""Why one scenario is as fast as it is: its operations, its time, and what would help.

Five sentences are made from the numbers and say no more than they do: where the time goes is an account,
what helps is what doubling it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.api import Comparison, Result
from simulator.explaining.doubling import (
    FIGURES,
    Gain,
    Job,
    Outcome,
    RunProgress,
    doublings,
    gain_of,
    ranked,
    run_job,
)
from simulator.explaining.finished import folder_notes
from simulator.explaining.mean_time import mean_times
from simulator.explaining.operations import OperationTime, operation_times
from simulator.explaining.sides import Side, SideSource, read_one
from simulator.explaining.targets import settled, target_of
from simulator.processes import run_all

if TYPE_CHECKING:
    import pandas as pd

    from simulator.kvcache import KvCapacity
    from simulator.scenario.schema import Scenario


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
        name, confidence = self.side.name, self.side.scenario.report.confidence_ratio
        return mean_times({name: self.results}, confidence)[name]

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
            "notes": self.notes,
        }

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know: whether a finished run gives other figures now, and the runs' caveats."""
        caveats = [str(entry["note"]) for entry in self.comparison.summary["notes"]]
        return [*folder_notes(self.side, self.results), *caveats]

    @cached_property
    def operations(self) -> pd.DataFrame:
        """One row per operation; columns as in `OperationTime`, the source in words and errors."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        return pd.DataFrame(operation_rows(self))

    @cached_property
    def doubled(self) -> pd.DataFrame:
        """One row per doubled resource: ``gain`` with bounds, the ratio of each figure, ``refusal``."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        return pd.DataFrame(doubled_rows(self))

    def to_dir(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``explanation.json``, ``operations.csv``, ``doubled.csv``, ``time.csv`` and pictures.

        Pictures are drawn where matplotlib is installed.  All is written, or nothing; returns the folder.

        Raises
        ------
        OutputExistsError
            If the folder exists and `overwrite` is not set, or holds something else.
        """
        from simulator.explaining.files import write_explanation  # noqa: PLC0415 - it reads this class

        return write_explanation(self, path, overwrite=overwrite)


def operation_rows(found: Explanation) -> list[dict[str, Any]]:
    """Return the rows of `Explanation.operations`."""
    rows = []
    for one in found.operation_times:
        row = one.to_dict()
        source = row.pop("source")
        told = {f"source_{key}": value for key, value in source.items() if key in {"kind", "text"}}
        rows.append(row | told | {key: source[key] for key in ("median_error_ratio", "p90_error_ratio")})
    return rows


def doubled_rows(found: Explanation) -> list[dict[str, Any]]:
    """Return the rows of `Explanation.doubled`."""
    rows = []
    for each in found.gains:
        gain = each.gain
        row: dict[str, Any] = {"resource": each.resource.name, "label": each.resource.label}
        for column, key in (("gain", "estimate"), ("low", "low"), ("high", "high")):
            row[column] = None if gain is None else getattr(gain, key)
        for path in FIGURES:
            ratio = each.ratios.get(path)
            row[path] = None if ratio is None else ratio.estimate
        rows.append(row | {"refusal": each.refusal})
    return rows


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
    workers : processes; 1 runs in this one.  The result does not depend on it.
    progress : called with (runs ended, runs in all).

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
    WorkerLostError
        If one of the processes is killed.

    Examples
    --------
    >>> few = ["workload.tasks.repeats=1", "report.seeds=1"]
    >>> found = explain("quickstart#dense", overrides=few, doubling=False)
    >>> found.operations["name"][0], len(found.lines)
    ('attention', 5)
    """
    side = read_one(source, list(overrides))
    results, found = _run(side.scenario, doubling=doubling, workers=workers, progress=progress)
    target = settled(target_of(results), results, found)
    return Explanation(
        side, Comparison(side.scenario, {side.name: results}), tuple(ranked(found, target)), target
    )


def _run(
    scenario: Scenario, *, doubling: bool, workers: int, progress: RunProgress | None
) -> tuple[tuple[Result, ...], list[Gain]]:
    """Return the runs of a scenario, one per seed, and what doublings change, in the order of tables."""
    seeds = range(scenario.seed, scenario.seed + scenario.report.seeds)
    doubled = doublings(scenario) if doubling else []
    jobs = [Job(scenario, seed, whole=True) for seed in seeds]
    jobs += [Job(changed, seed) for _, changed in doubled for seed in seeds]
    outcomes = list[Outcome]()
    for outcome in run_all(run_job, jobs, workers):
        outcomes.append(outcome)
        if progress is not None:
            progress(len(outcomes), len(jobs))
    count = len(seeds)
    base = outcomes[:count]
    figures, confidence = [one.figures for one in base], scenario.report.confidence_ratio
    found = [
        gain_of(resource, figures, outcomes[start : start + count], confidence)
        for start, (resource, _) in zip(range(count, len(jobs), count), doubled, strict=True)
    ]
    return tuple(one.result for one in base if one.result is not None), found
