"""Running a sweep: what is not in the store yet is handed out, and every result is kept as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from simulator.errors import ScenarioError
from simulator.frozen import FrozenModel
from simulator.scenario.document import shown
from simulator.scenario.faults import addressed, faults_of
from simulator.scenario.loader import Resolved
from simulator.scenario.located import dotted, locate
from simulator.scenario.overrides import HERE, Overrides
from simulator.scenario.schema import Scenario
from simulator.scenario.sweeps import SweepSpec, axis_of
from simulator.sweeps.checking import refuse_own, refuse_wrong_values, unreached
from simulator.sweeps.columns import Columns, frame_of
from simulator.sweeps.design import Point, design
from simulator.sweeps.figures import Row, row_of
from simulator.sweeps.files import Fingerprints, anchored
from simulator.sweeps.handing_out import Pool, computed, open_pool
from simulator.sweeps.jobs import Base, Job, base_of, changes_of, code_sha256, document_of
from simulator.sweeps.store import Others, Store
from simulator.sweeps.table import point_columns, run_columns

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
"""Called with (runs done, runs in all)."""


@dataclass(frozen=True)
class Swept:
    """A finished sweep.

    Parameters
    ----------
    spec : what was varied.
    points : the points, in the order of the axes.
    jobs : the runs, in the order of points, variants and seeds.
    rows : what came of each.
    confidence_ratio : level of the intervals.
    others : results in the store that are not of this sweep.
    computed : runs that were simulated now.
    kept : runs that were in the store.
    remarks : what to know of the points.
    """

    spec: SweepSpec
    points: Sequence[Point]
    jobs: Sequence[Job]
    rows: Sequence[Row]
    confidence_ratio: float
    others: Others
    computed: int
    kept: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def runs_per_point(self) -> int:
        """Variants times seeds."""
        return len(self.jobs) // len(self.points)

    @cached_property
    def run_columns(self) -> Columns:
        """Columns of `runs`, without pandas."""
        return run_columns(self)

    @cached_property
    def point_columns(self) -> Columns:
        """Columns of `table`, without pandas."""
        return point_columns(self)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a run: axes, variant, seed, status, reason, hash, every metric and its own interval."""
        return frame_of(self.run_columns)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a point and variant: means over the seeds, and their confidence intervals."""
        return frame_of(self.point_columns)


def sweep(
    source: str | Path | Mapping[str, object],
    axes: Mapping[str, object] | None = None,
    *,
    overrides: Overrides = (),
    combine: str | None = None,
    samples: int | None = None,
    seeds: int | None = None,
    draw_seed: int | None = None,
    store: str | Path | None = None,
    workers: int = 1,
    dask: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    components: Mapping[str, FrozenModel] | None = None,
) -> Swept:
    """Simulate a scenario at many points.

    Parameters
    ----------
    source, overrides : the scenario, as for `load_scenario`; its section ``sweep`` is the start.
    axes : values by dotted path, added to those of the scenario or in their place; lists, ranges, arrays.
    combine, samples, seeds, draw_seed : in place of what the scenario says of its sweep.
    store : folder that keeps results; a sweep that was ended goes on from there.  None keeps them in
        memory alone.
    workers : processes; 1 runs in this one.
    dask : address of a Dask scheduler, or ``local``.
    executor : any other executor; it is not closed.
    progress : called with (runs done, runs in all).
    components : a strategy, scheduler or router of the caller's own at every point, by these names, as for
        `with_components`.  Other processes must be able to import their classes.

    Returns
    -------
    Swept
        The same for any number of workers and however often it was ended and begun again.

    Raises
    ------
    ScenarioError
        If the scenario or an axis is wrong; before anything runs.
    StoreError, ExecutorError
        If the store or the workers cannot be used.

    Examples
    --------
    >>> from simulator import sweep
    >>> found = sweep(
    ...     "quickstart",
    ...     {"workload.strategy.trials": "1:2:*2"},
    ...     overrides={"workload.tasks.repeats": 1, "report.seeds": 1},
    ... )
    >>> found.table["workload.strategy.trials"].tolist(), found.table["variant"].tolist()
    ([1, 1, 2, 2], ['dense', 'block_topk', 'dense', 'block_topk'])
    """
    base, resolved = base_of(source, overrides, components)
    given = {"combine": combine, "samples": samples, "seeds": seeds, "draw_seed": draw_seed}
    spec = spec_of(resolved.scenario.sweep, axes or {}, given)
    repetitions = spec.seeds or resolved.scenario.report.seeds
    variants = base.variants or ("",)
    axes_found = anchored(spec.parsed, resolved)
    refuse_own(base, axes_found)
    in_file = not axes and all(value is None for value in given.values())
    try:
        points = design(spec, runs_per_point=repetitions * len(variants), axes=axes_found)
    except ScenarioError as error:
        raise ScenarioError(_placed(error.faults, resolved) if in_file else error.faults) from error
    refuse_wrong_values(base, axes_found, points, resolved)
    remarks = [*unreached(base, axes_found)]
    if spec.samples is not None and len(points) < spec.samples:
        remarks.append(f"{spec.samples:,} points were drawn, {len(points):,} of them different")
    jobs = _jobs(base, points, variants, repetitions)
    confidence = resolved.scenario.report.confidence_ratio

    def opened(runs: int) -> AbstractContextManager[Pool]:
        return open_pool(min(workers, runs), dask, executor)

    rows, others, made, kept = _rows(jobs, opened, store, progress)
    return Swept(spec, points, jobs, rows, confidence, others, made, kept, tuple(remarks))


def _placed(faults: Sequence[str], resolved: Resolved) -> list[str]:
    """Return faults of the section of a scenario with the lines where they stand."""
    return [str(addressed(fault, resolved.document, Scenario)) for fault in faults]


def _jobs(base: Base, points: Sequence[Point], variants: Sequence[str], repetitions: int) -> list[Job]:
    """Return the runs of all points, in the order of points, variants and seeds."""
    made = Jobs(base)
    return [
        made.of(point.changes, variant, repetition)
        for point in points
        for variant in variants
        for repetition in range(repetitions)
    ]


class Jobs:
    """Makes the jobs of one scenario.

    Parameters
    ----------
    base : the scenario.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        self._code = code_sha256()
        self._files = Fingerprints(document_of(base.text))

    def of(self, changes: Mapping[str, object], variant: str, repetition: int) -> Job:
        """Return the run of a point, a variant and a seed."""
        own = changes_of(changes, variant)
        text = json.dumps(own, sort_keys=True)
        return Job(self._base, text, variant, repetition, self._code, self._files.of(own))


def spec_of(own: SweepSpec | None, axes: Mapping[str, object], given: Mapping[str, object]) -> SweepSpec:
    """Return what is swept: what a scenario says, with other axes and options in its place.

    Parameters
    ----------
    own : the scenario's section ``sweep``, if it has one.
    axes : added, or in place of axes of the same name.
    given : other fields of `SweepSpec`; None leaves them.

    Raises
    ------
    ScenarioError
        If there is no axis, or one is wrong.
    """
    if not isinstance(axes, Mapping):
        wanted = '{"workload.strategy.trials": "1:64:*2"}'
        message = f"axes: expected a mapping such as {wanted}, got {shown(axes)}"
        raise ScenarioError(message)
    axes = {name: _plain(value) for name, value in axes.items()}
    start: dict[str, object] = {} if own is None else own.model_dump()
    start |= {name: value for name, value in given.items() if value is not None}
    if given.get("combine") in ("grid", "zip") and given.get("samples") is None:
        start.pop("samples", None)
    start["axes"] = {**(own.axes if own is not None else {}), **axes}
    if not start["axes"]:
        message = (
            "a sweep needs an axis: --axis workload.strategy.trials=1:64:*2, or sweep.axes in the scenario"
        )
        raise ScenarioError(message)
    faults = []
    for name, value in axes.items():
        try:
            axis_of(name, value)
        except ValueError as error:
            faults.append(f"--axis {name}: {error}")
    if faults:
        raise ScenarioError(faults)
    try:
        return SweepSpec.model_validate(start)
    except ValidationError as error:
        wrong = faults_of(error, locate(start, HERE), SweepSpec)
        told = [f"{dotted(('sweep', *fault.path))}: {fault.message}" for fault in wrong]
        raise ScenarioError(told) from error


def _plain(value: object) -> object:
    """Return ranges, and arrays and numbers of numpy, as the lists and numbers that a file would hold."""
    listed = getattr(value, "tolist", None)
    if listed is not None:
        return listed()
    return [_plain(each) for each in value] if isinstance(value, list | tuple | range) else value


def _rows(
    jobs: Sequence[Job],
    opened: Callable[[int], AbstractContextManager[Pool]],
    store: str | Path | None,
    progress: Progress | None,
) -> tuple[list[Row], Others, int, int]:
    """Return what came of each job, results in the store that are not asked for, runs made and kept."""
    kept = None if store is None else Store(Path(store))
    unique = {job.key: job for job in jobs}
    known = dict[str, Row]()
    missing = list[Job]()
    for key, job in unique.items():
        found = None if kept is None else kept.get(key)
        if found is None:
            missing.append(job)
        else:
            known[key] = row_of(found)
    others = Others() if kept is None else kept.others(jobs[0])
    if progress is not None:
        progress(len(known), len(unique))
    if not missing:
        return [known[job.key] for job in jobs], others, 0, len(unique)
    with opened(len(missing)) as pool:
        for job, outcome in computed(missing, pool):
            if kept is not None:
                kept.put(job, outcome)
            known[job.key] = row_of(outcome)
            if progress is not None:
                progress(len(known), len(unique))
    return [known[job.key] for job in jobs], others, len(missing), len(unique) - len(missing)
