"""Runs on processes: in order, with the same results as here, and with an end that is told in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import TypeVar

from simulator.sweeps.executors import ExecutorError, open_executor

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
    ExecutorError
        If a process ends before its job does: it was killed, by its user or for want of memory.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    try:
        with open_executor(workers) as pool:
            yield from pool.map(function, jobs)
    except BrokenExecutor as error:
        message = (
            f"one of {workers} processes was ended before its run was: is there enough memory? fewer at a "
            "time need less: --workers 1"
        )
        raise ExecutorError(message) from error
