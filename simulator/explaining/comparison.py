"""Several scenarios side by side: figures, what differs in the inputs, and where the time went.

All sides run with the seeds of the first one, so that luck they share cancels in ratios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.api import Comparison, Progress, run_seeds, simulate
from simulator.explaining.finished import folder_notes
from simulator.explaining.inputs import Difference, differences
from simulator.explaining.mean_time import mean_times
from simulator.explaining.sides import Side, SideSource, read_sides

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
        time by part), as `simulator.explaining.mean_time.mean_times` says.
        """
        confidence = self.sides[0].scenario.report.confidence_ratio
        return {
            **self.comparison.summary,
            "sides": {side.name: side.source for side in self.sides},
            "inputs": [{"path": d.path, "values": list(d.values)} for d in self.differences],
            "paired": not self._other_tasks,
            "time": mean_times(self.comparison.runs, confidence),
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
        runs = self.comparison.runs
        return found + [note for side in self.sides for note in folder_notes(side, runs[side.name])]

    @property
    def _run_notes(self) -> Sequence[Any]:
        notes = self.comparison.summary["notes"]
        return notes if isinstance(notes, Sequence) else ()

    @cached_property
    def _other_tasks(self) -> list[str]:
        workloads = [side.scenario.workload.model_dump(mode="json", by_alias=True) for side in self.sides]
        keys = [key for key in SAME_TASKS if any(w.get(key) != workloads[0].get(key) for w in workloads)]
        return [f"workload.{key}" for key in keys]

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per side and figure: the estimate and its ratio to the first side, each with bounds.

        Columns ``estimate``, ``low``, ``high``, ``ratio``, ``ratio_low`` and ``ratio_high``; NaN where a
        figure or an interval is undefined.
        """
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        return pd.DataFrame(metric_rows(self))

    @cached_property
    def inputs(self) -> pd.DataFrame:
        """One row per value in which the sides differ, one column per side; indexed by path."""
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        table = {path: list(values) for path, values in self.differences}
        return pd.DataFrame.from_dict(table, orient="index", columns=list(self.names))

    @cached_property
    def time(self) -> pd.DataFrame:
        """One row per side, whole and part, as `simulator.explaining.mean_time.mean_times` says.

        Columns ``seconds``, ``gpu_seconds_per_task`` (NaN for tasks), ``share_ratio``, ``share_low``,
        ``share_high`` and the differences to the first side ``share_difference`` and
        ``per_task_difference``, each with ``_low`` and ``_high``.
        """
        import pandas as pd  # noqa: PLC0415 - pandas only where it is asked for

        return pd.DataFrame(time_rows(self.summary["time"]))

    def to_dir(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``answer.json``, ``metrics.csv``, ``inputs.csv``, ``time.csv`` and pictures.

        Pictures are drawn where matplotlib is installed.  All is written, or nothing; returns the folder.

        Raises
        ------
        OutputExistsError
            If the folder exists and `overwrite` is not set, or holds something else.
        """
        from simulator.explaining.files import write_comparison  # noqa: PLC0415 - it reads this class

        return write_comparison(self, path, overwrite=overwrite)


def _bounds(found: Mapping[str, Any] | None, prefix: str) -> dict[str, float | None]:
    names = {"estimate": prefix or "estimate"}
    names |= {key: f"{prefix}_{key}" if prefix else key for key in ("low", "high")}
    return {column: None if found is None else found[key] for key, column in names.items()}


def metric_rows(found: SideBySide) -> list[dict[str, Any]]:
    """Return the rows of `SideBySide.metrics`."""
    rows = []
    for name in found.names:
        against = found.comparison.summary["against_reference"].get(name, {})
        for path, figure in found.comparison.summary["variants"][name]["metrics"].items():
            ratio = (against.get(path) or {}).get("ratio")
            rows.append({"side": name, "figure": path, **_bounds(figure, ""), **_bounds(ratio, "ratio")})
    return rows


def time_rows(time: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of `SideBySide.time`, of ``time`` in its summary."""
    shown = ("seconds", "gpu_seconds_per_task", "share_ratio", "share_low", "share_high")
    differences = ("share_difference", "per_task_difference")
    return [
        {"side": name, "whole": whole, "part": part}
        | {key: figures.get(key) for key in shown}
        | {column: value for key in differences for column, value in _bounds(figures[key], key).items()}
        for name, tables in time.items()
        for whole, table in tables.items()
        if table is not None
        for part, figures in table["parts"].items()
    ]


def compare_sides(
    sources: Sequence[SideSource],
    *,
    overrides: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> SideBySide:
    """Run scenarios with common seeds and compare them.

    Parameters
    ----------
    sources : ``SOURCE[#VARIANT][@PATH=VALUE]...`` texts (`simulator.explaining.sides`), paths or scenarios;
        the first is what the others are compared with, and its seeds are those of all.
    overrides : ``PATH=VALUE`` texts for every side.
    workers : processes that may help where the runs take seconds, as in `simulator.compare`.
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
    WorkerLostError
        If one of the processes is killed.

    Examples
    --------
    >>> few = ["workload.tasks.repeats=1", "report.seeds=1"]
    >>> found = compare_sides(["quickstart#dense", "quickstart#dense@engine.max_sequences=32"], overrides=few)
    >>> found.inputs.loc["engine.max_sequences"].to_list()
    ['256', '32']
    """
    sides = read_sides(list(sources), list(overrides))
    first = sides[0].scenario
    seeds = [first.seed + repetition for repetition in range(first.report.seeds)]
    runs = run_seeds({side.name: side.scenario for side in sides}, seeds, simulate, workers, progress)
    return SideBySide(tuple(sides), Comparison(first, runs))
