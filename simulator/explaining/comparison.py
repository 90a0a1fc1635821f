"""Several scenarios side by side: figures, what differs in the inputs, and where the time went.

All sides run with the seeds of the first one, so that luck they share cancels in ratios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from simulator.api import Comparison, Progress, Result, simulate
from simulator.explaining.inputs import Difference, differences
from simulator.explaining.machine_time import PARTS as MACHINE_PARTS
from simulator.explaining.machine_time import machine_time
from simulator.explaining.sides import Side, SideSource, read_sides, recorded_summary
from simulator.explaining.task_time import PARTS as TASK_PARTS
from simulator.explaining.task_time import task_time

if TYPE_CHECKING:
    import pandas as pd

SAME_TASKS: Final = ("tasks", "lengths", "outcomes")
"""Keys of a workload that say which tasks come; arrivals and strategies only say when and how often."""


@dataclass(frozen=True)
class SideBySide:
    """Scenarios that ran with common seeds.

    Parameters
    ----------
    sides : what was compared; the first is what the others are compared with.
    comparison : their runs.
    """

    sides: tuple[Side, ...]
    comparison: Comparison

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The comparison's summary with ``sides``, ``inputs``, ``paired`` and ``time`` beside it.

        ``time`` holds, per side, ``machine`` (GPU time of the window by part) and ``task`` (the mean task's
        time by part, None where no task was answered), means over seeds in s.
        """
        return {
            **self.comparison.summary,
            "sides": {side.name: side.source for side in self.sides},
            "inputs": [{"path": d.path, "values": list(d.values)} for d in self.differences],
            "paired": not self._other_tasks,
            "time": {
                name: {"machine": mean_machine(runs), "task": mean_task(runs)}
                for name, runs in self.comparison.runs.items()
            },
            "notes": [*({"note": n, "variants": list(self.names)} for n in self.notes), *self._run_notes],
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Sides in order."""
        return tuple(side.name for side in self.sides)

    @cached_property
    def differences(self) -> list[Difference]:
        """The values in which the scenarios differ."""
        return differences([side.scenario for side in self.sides])

    @cached_property
    def notes(self) -> list[str]:
        """What a reader of this comparison must know, beyond the notes on each run."""
        found = []
        if self._other_tasks:
            found.append(
                f"The sides do not have the same tasks ({', '.join(self._other_tasks)} differ), so they are "
                "not paired: ratios are still taken seed by seed, but luck does not cancel in them, and "
                "their intervals are as wide as that makes them."
            )
        seed, count = self.sides[0].scenario.seed, self.sides[0].scenario.report.seeds
        others = [side.name for side in self.sides if side.asked_seeds != (seed, count)]
        if others:
            found.append(
                f"All sides ran with {count} seed{'s' * (count > 1)} from {seed} on, those of "
                f"{self.names[0]}; {', '.join(others)} had others."
            )
        return found + [note for side in self.sides for note in self._about_folder(side)]

    @property
    def _run_notes(self) -> Sequence[Any]:
        notes = self.comparison.summary["notes"]
        return notes if isinstance(notes, Sequence) else ()

    @cached_property
    def _other_tasks(self) -> list[str]:
        workloads = [side.scenario.workload.model_dump(mode="json", by_alias=True) for side in self.sides]
        keys = [key for key in SAME_TASKS if any(w.get(key) != workloads[0].get(key) for w in workloads)]
        return [f"workload.{key}" for key in keys]

    def _about_folder(self, side: Side) -> list[str]:
        """Say so where a finished run, run again, gives other figures than it holds."""
        if side.folder is None:
            return []
        results = self.comparison.runs[side.name]
        # A folder holds one run, whose summary is at its top, or a folder for each variant and seed.
        for result in results:
            of_variant = side.folder / side.name / f"seed-{result.seed}"
            held = recorded_summary(of_variant if of_variant.is_dir() else side.folder)
            if held is None or "variants" in held or (not of_variant.is_dir() and len(results) > 1):
                continue
            if held != result.summary:
                told = (
                    f"{side.source}: run again, {side.name} gives other figures than the folder holds (seed "
                    f"{result.seed}): it was made by another version; the figures here are those of now."
                )
                return [told]
        return []

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per side and figure: the estimate and its ratio to the first side, each with bounds.

        Columns ``estimate``, ``low``, ``high``, ``ratio``, ``ratio_low`` and ``ratio_high``; NaN where a
        figure or an interval is undefined.
        """
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        rows = []
        for name in self.names:
            figures = self.comparison.summary["variants"][name]["metrics"]
            against = self.comparison.summary["against_reference"].get(name, {})
            for path, found in figures.items():
                ratio = (against.get(path) or {}).get("ratio")
                rows.append({"side": name, "figure": path, **_bounds(found, ""), **_bounds(ratio, "ratio")})
        return pd.DataFrame(rows)

    @cached_property
    def inputs(self) -> pd.DataFrame:
        """One row per value in which the sides differ, one column per side; indexed by path."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        table = {path: list(values) for path, values in self.differences}
        return pd.DataFrame.from_dict(table, orient="index", columns=list(self.names))

    @cached_property
    def time(self) -> pd.DataFrame:
        """One row per side, whole and part: ``seconds``, ``share_ratio``, ``gpu_seconds_per_task``."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        rows = [
            {"side": name, "whole": whole, "part": part, **figures}
            for name, tables in self.summary["time"].items()
            for whole, table in tables.items()
            if table is not None
            for part, figures in table["parts"].items()
        ]
        return pd.DataFrame(rows)


def _bounds(found: Mapping[str, Any] | None, prefix: str) -> dict[str, float | None]:
    names = {"estimate": prefix or "estimate"}
    names |= {key: f"{prefix}_{key}" if prefix else key for key in ("low", "high")}
    return {column: None if found is None else found[key] for key, column in names.items()}


def mean_machine(runs: Sequence[Result]) -> dict[str, Any]:
    """Return the GPU time of the window by part, averaged over seeds."""
    found = [machine_time(run) for run in runs]
    per_task = [one.gpu_seconds_per(one.tasks_ended) for one in found]
    known = [table for table in per_task if table is not None]
    complete = len(known) == len(found)
    parts = {
        part: {
            "seconds": fmean(one.seconds[part] * one.gpus_per_replica for one in found),
            "share_ratio": fmean(one.share_ratios[part] for one in found),
            "gpu_seconds_per_task": fmean(table[part] for table in known) if complete else None,
        }
        for part in MACHINE_PARTS
    }
    return {
        "gpu_seconds": fmean(one.total_s * one.gpus_per_replica for one in found),
        "gpu_seconds_per_task": _per_task(parts) if complete else None,
        "parts": parts,
    }


def _per_task(parts: Mapping[str, Mapping[str, float | None]]) -> float:
    return sum(figures["gpu_seconds_per_task"] or 0.0 for figures in parts.values())


def mean_task(runs: Sequence[Result]) -> dict[str, Any] | None:
    """Return the mean task's time by part, averaged over seeds; None where a seed answered none."""
    found = [one for one in map(task_time, runs) if one is not None]
    if len(found) < len(runs):
        return None
    mean_s = fmean(one.mean_s for one in found)
    parts = {part: fmean(one.seconds[part] for one in found) for part in TASK_PARTS}
    return {
        "mean_s": mean_s,
        "parts": {
            part: {"seconds": seconds, "share_ratio": seconds / mean_s if mean_s else 0.0}
            for part, seconds in parts.items()
        },
    }


def compare_sides(
    sources: Sequence[SideSource], *, overrides: Sequence[str] = (), progress: Progress | None = None
) -> SideBySide:
    """Run scenarios with common seeds and compare them.

    Parameters
    ----------
    sources : ``SOURCE[#VARIANT][@PATH=VALUE]...`` texts (`simulator.explaining.sides`), paths or scenarios;
        the first is what the others are compared with, and its seeds are those of all.
    overrides : ``PATH=VALUE`` texts for every side.
    progress : called with (tasks ended, tasks in all) over all runs.

    Returns
    -------
    SideBySide
        Figures with intervals in ``summary``, ``metrics``, ``inputs`` and ``time``.

    Raises
    ------
    ScenarioError
        If a side cannot be read, there is one only, or two are the same.
    InfeasiblePlanError
        If a side does not fit its hardware; shows the sum.

    Examples
    --------
    >>> few = ["workload.tasks.repeats=1", "report.seeds=1"]
    >>> found = compare_sides(["quickstart#dense", "quickstart#dense@engine.max_sequences=32"], overrides=few)
    >>> found.inputs.loc["engine.max_sequences"].to_list()
    ['256', '32']
    """
    sides = read_sides(list(sources), list(overrides))
    seeds = sides[0].scenario.report.seeds
    total = sum(side.scenario.workload.count for side in sides) * seeds
    done = 0

    def report(ended: int, _total: int) -> None:
        if progress is not None:
            progress(done + ended, total)

    runs: dict[str, tuple[Result, ...]] = {}
    for side in sides:
        results = []
        for repetition in range(seeds):
            results.append(simulate(side.scenario, seed=side.scenario.seed + repetition, progress=report))
            done += side.scenario.workload.count
        runs[side.name] = tuple(results)
    return SideBySide(tuple(sides), Comparison(sides[0].scenario, runs))
