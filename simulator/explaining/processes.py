"""Runs on processes: in order, with the same results as here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from simulator.processes import process_pool

J = TypeVar("J")
T = TypeVar("T")


def run_all(function: Callable[[J], T], jobs: Sequence[J], workers: int) -> Iterator[T]:
    """Yield what `function` returns for each job, in the order of the jobs.

    Parameters
    ----------
    function, jobs : must be importable and picklable where there are several processes.
    workers : processes; 1 runs in this one, one job when its result is asked for.

    Raises
    ------
    LostProcessError
        If one of the processes is killed.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    with process_pool(workers) as pool:
        yield from pool.map(function, jobs)
