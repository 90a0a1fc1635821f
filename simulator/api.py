"""The programming interface: simulate a scenario, compare its variants, keep what came out.

`simulate` is a pure function of a scenario and a seed.  Writing files is the caller's act, through
``to_dir``; outputs are put together beside their destination and appear at once or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from simulator.engine.records import RunRecords
from simulator.engine.run import EngineName, run_scenario
from simulator.errors import ScenarioError, UnknownNameError, suggest
from simulator.invariants import Check, check_run
from simulator.kvcache import KvCapacity
from simulator.latency import StepLatency
from simulator.metrics import compare_runs, summarise
from simulator.output import manifest, write_folder
from simulator.scenario.components import own_components
from simulator.scenario.document import shown
from simulator.scenario.schema import LARGEST_SEED, Scenario

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
"""Called with (tasks ended, tasks in all)."""

SHARED_FROM_S: Final = 2.0
"""Time of the runs that are left from which other processes take part: starting them takes a second."""


@dataclass(frozen=True)
class Result:
    """One finished run.

    Parameters
    ----------
    scenario, seed, engine : what was run.
    records : integer records of steps, trials and tasks.
    capacity : KV blocks of a replica, with the sum behind them.
    latency : the step-latency model of a replica.
    checks : invariants that were checked, if that was asked for.
    """

    scenario: Scenario
    seed: int
    engine: EngineName
    records: RunRecords
    capacity: KvCapacity
    latency: StepLatency
    checks: tuple[Check, ...] = ()

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Metrics as nested plain values in SI units (``docs/metrics.md``); None where undefined."""
        return summarise(self.scenario, self.records, self.capacity, self.latency)

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """One row per task: arrival, end, nodes, whether it was solved."""
        from simulator.metrics.frames import task_frame  # noqa: PLC0415 - pandas only where it is asked for

        return task_frame(self.records)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per node of a request tree: tokens, times, outcome."""
        from simulator.metrics.frames import trial_frame  # noqa: PLC0415 - pandas only where it is asked for

        return trial_frame(self.records)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """One row per run of equal steps of a replica: batch, tokens, KV blocks."""
        from simulator.metrics.frames import step_frame  # noqa: PLC0415 - pandas only where it is asked for

        return step_frame(self.records)

    @property
    def manifest(self) -> dict[str, Any]:
        """What is needed to run this again to the same bytes; ``kinesim run manifest.json`` takes it."""
        alone = self.scenario.model_copy(update={"variants": {}})
        return manifest(alone, seed=self.seed)

    def to_dir(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write summary, records and manifest into a new folder and return it.

        Raises
        ------
        OutputExistsError
            If the folder exists and `overwrite` is not set.
        """
        return write_folder(path, {"": self}, self.summary, self.manifest, overwrite=overwrite)


@dataclass(frozen=True)
class Comparison:
    """All variants of a scenario, each run with the same seeds.

    Parameters
    ----------
    scenario : what was asked for.
    runs : results by variant, one per seed; a scenario without variants has one, under its own name.
    """

    scenario: Scenario
    runs: dict[str, tuple[Result, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Variants in the order of the file; the first is what the others are compared with."""
        return tuple(self.runs)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Means and intervals per variant, paired ratios to the first, and the answer in a sentence."""
        summaries = {name: [result.summary for result in results] for name, results in self.runs.items()}
        return compare_runs(summaries, self.scenario.report.confidence_ratio)

    @property
    def manifest(self) -> dict[str, Any]:
        """What is needed to run this again to the same bytes."""
        return manifest(self.scenario, seed=self.scenario.seed)

    def to_dir(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        more: Callable[[Path, Result], None] | None = None,
    ) -> Path:
        """Write the comparison and, in a folder per variant and seed, every run; return the folder.

        Parameters
        ----------
        path : the folder.
        overwrite : replace it if it is there.
        more : called with each run's folder and the run, to write what else belongs there.

        Raises
        ------
        OutputExistsError
            If the folder exists and `overwrite` is not set.
        """
        runs = {
            f"{name}/seed-{result.seed}": result for name, results in self.runs.items() for result in results
        }

        def fill(folder: Path, name: str) -> None:
            if more is not None:
                more(folder, runs[name])

        return write_folder(path, runs, self.summary, self.manifest, overwrite=overwrite, more=fill)


def _checked_seed(seed: int) -> int:
    """Return `seed` as a plain whole number; refuse what the manifest of a run could not hold."""
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed <= LARGEST_SEED:
        message = f"seed: must be a whole number from 0 to {LARGEST_SEED}, got {shown(seed)}"
        raise ScenarioError(message)
    return int(seed)


def _check_engine(engine: EngineName) -> None:
    """Refuse an engine that does not exist."""
    if engine not in get_args(EngineName):
        message = f"unknown engine {engine!r}; {suggest(str(engine), get_args(EngineName))}"
        raise UnknownNameError(message)


def simulate(
    scenario: Scenario,
    *,
    seed: int | None = None,
    engine: EngineName = "fast",
    check: bool = False,
    token_times: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Simulate a scenario once.

    Parameters
    ----------
    scenario : what to simulate; its variants are ignored, see `compare`.
    seed : root of the random numbers; None takes the scenario's.
    engine : ``fast``, or ``reference`` for the slow oracle with the same records.
    check : check the numbered invariants on the records.
    token_times : keep what the time of every token follows from (`simulator.metrics.token_times`).
    progress : called with (tasks ended, tasks in all).

    Returns
    -------
    Result
        Equal scenarios and seeds give equal results in any process.

    Raises
    ------
    ScenarioError
        If `seed` is no whole number that a scenario may have as its seed.
    UnknownNameError
        If there is no such engine; says the nearest.
    InfeasiblePlanError
        If weights or a single sequence do not fit the memory of a replica; shows the sum.
    InvariantViolation
        If `check` finds a relation that does not hold.

    Examples
    --------
    >>> from simulator import load_scenario, simulate
    >>> result = simulate(load_scenario("quickstart", overrides={"workload.tasks.repeats": 1}))
    >>> result.summary["conservation"]["tasks"]["submitted"]
    30
    """
    chosen = _checked_seed(scenario.seed if seed is None else seed)
    _check_engine(engine)
    total = scenario.workload.count

    def report(ended: int) -> None:
        if progress is not None:
            progress(ended, total)

    run = run_scenario(
        scenario,
        seed=chosen,
        engine=engine,
        on_task_end=None if progress is None else report,
        token_times=token_times,
    )
    checks = check_run(scenario, chosen, run) if check else ()
    return Result(scenario, chosen, engine, run.records, run.capacity, run.latency, tuple(checks))


def compare(
    scenario: Scenario,
    *,
    engine: EngineName = "fast",
    check: bool = False,
    token_times: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Simulate every variant of a scenario with every seed of ``report.seeds``.

    Parameters
    ----------
    scenario : what to simulate; without variants it is its own only variant.
    engine, check, token_times : as in `simulate`.
    workers : processes that may help where the runs take seconds; the results are the same.  Components of
        the caller's own, which another process may not know, run here alone.
    progress : called with (tasks ended, tasks in all) over all runs; runs of other processes count at their
        end.

    Returns
    -------
    Comparison
        Variants share arrivals, lengths and outcomes draw by draw (common random numbers), so their
        differences are paired by seed.

    Raises
    ------
    ScenarioError
        If the last seed is larger than a seed may be.
    UnknownNameError, InfeasiblePlanError, InvariantViolation
        As in `simulate`.
    """
    _check_engine(engine)
    if scenario.seed + scenario.report.seeds - 1 > LARGEST_SEED:
        message = (
            f"report.seeds: {scenario.report.seeds} seeds from {scenario.seed} on go beyond {LARGEST_SEED}"
        )
        raise ScenarioError(message)
    variants = scenario.variants or {scenario.name: scenario}
    seeds = [scenario.seed + repetition for repetition in range(scenario.report.seeds)]
    simulated = partial(simulate, engine=engine, check=check, token_times=token_times)
    return Comparison(scenario, run_seeds(variants, seeds, simulated, workers, progress))


def run_seeds(
    scenarios: Mapping[str, Scenario],
    seeds: Sequence[int],
    simulated: Callable[..., Result],
    workers: int,
    progress: Progress | None,
) -> dict[str, tuple[Result, ...]]:
    """Return the results of scenarios by name, one for each seed.

    Parameters
    ----------
    scenarios, seeds : what is run.
    simulated : `simulate`, or a part of it with options.
    workers, progress : as in `compare`.

    Raises
    ------
    WorkerLostError
        If one of the processes is killed.
    """
    jobs = [partial(simulated, scenario, seed=seed) for scenario in scenarios.values() for seed in seeds]
    sizes = [scenario.workload.count for scenario in scenarios.values() for _ in seeds]
    own = any(own_components(scenario) for scenario in scenarios.values())
    results = _run(jobs, sizes, 1 if own else workers, progress)
    return {name: tuple(islice(results, len(seeds))) for name in scenarios}


def _run(
    jobs: Sequence[partial[Result]], sizes: Sequence[int], workers: int, progress: Progress | None
) -> Iterator[Result]:
    """Yield the results of `jobs` in order: the first ones from here, others where it pays from processes.

    Parameters
    ----------
    jobs : runs.
    sizes : tasks of each.
    workers : processes that may run.
    progress : told of tasks.

    Raises
    ------
    WorkerLostError
        If one of the processes is killed.
    """
    done, total = 0, sum(sizes)

    def report(ended: int, _total: int = 0) -> None:
        if progress is not None:
            progress(done + ended, total)

    begun = time.perf_counter()
    for place, (job, size) in enumerate(zip(jobs, sizes, strict=True)):
        left_s = (time.perf_counter() - begun) / done * (total - done) if done else 0.0
        if workers > 1 and len(jobs) - place > 1 and left_s > SHARED_FROM_S:
            break
        yield job(progress=None if progress is None else report)
        done += size
    else:
        return
    from concurrent.futures import as_completed  # noqa: PLC0415 - most runs are over before it is loaded

    from simulator.processes import process_pool  # noqa: PLC0415 - as the line above

    with process_pool(min(workers, len(jobs) - place)) as pool:
        running = {pool.submit(job): size for job, size in zip(jobs[place:], sizes[place:], strict=True)}
        for future in as_completed(running):
            future.result()
            done += running[future]
            report(0)
        yield from (future.result() for future in running)
