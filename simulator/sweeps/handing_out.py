"""Runs are handed out to a pool, few at a time, and come back as they are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from simulator.processes import ExecutorError, WorkerLostError
from simulator.sweeps.executors import (
    Serial,
    first_of,
    is_loss,
    is_starting,
    open_executor,
    recognised,
    workers_of,
)
from simulator.sweeps.jobs import Job, Outcome, run_job
from simulator.sweeps.losses import Losses

WINDOW: Final = 4
"""Jobs handed out for each worker: enough to keep it busy, few enough that memory stays flat."""

MOST_AT_ONCE: Final = 256
"""Workers that an executor of somebody else is taken to have, if it is not one of Dask's."""


@dataclass(frozen=True)
class Pool:
    """How to open executors: a pool whose worker died is opened again, a caller's own one is not.

    Parameters
    ----------
    reopen : returns a context that yields an executor for so many runs.
    workers : jobs that it runs at once, as far as is known.
    own : whether it may be opened again.
    """

    reopen: Callable[[int], AbstractContextManager[Executor]]
    workers: int
    own: bool


@contextmanager
def open_pool(workers: int = 1, dask: str | None = None, executor: Executor | None = None) -> Iterator[Pool]:
    """Yield a pool of processes, of a Dask cluster, or of an executor of somebody else, as for `sweep`."""
    if executor is not None:
        given = recognised(executor)
        yield Pool(lambda _runs: nullcontext(given), MOST_AT_ONCE, own=False)
    elif dask is not None:
        with open_executor(workers, dask) as cluster:
            yield Pool(lambda _runs: nullcontext(cluster), workers, own=False)
    else:
        # No more than runs, but never this process where others are asked for: a run may end its own.
        yield Pool(lambda runs: open_executor(min(workers, max(2, runs))), workers, own=True)


def _is_wrong(future: Future[Outcome]) -> bool:
    """Say whether a run that has ended has no outcome; those that have one are kept before it is said."""
    return future.cancelled() or future.exception() is not None


def _outcome(future: Future[Outcome], job: Job) -> Outcome:
    try:
        return future.result()
    except Exception as error:
        lacking = next((each for each in (error, error.__cause__) if isinstance(each, ImportError)), None)
        if lacking is not None:
            message = (
                f"a worker or the scheduler cannot load kinesim ({lacking}): install the same on all of them "
                "and go on with the same line: what was done is kept"
            )
            raise ExecutorError(message) from error
        if is_loss(error):
            why = f": {error}" if str(error) else ""
            message = (
                f"the workers or their scheduler were lost while {job.changes} was run{why}; go on with "
            )
            message += "the same line: what was done is kept"
            raise ExecutorError(message) from error
        raise


def computed(jobs: Sequence[Job], pool: Pool) -> Iterator[tuple[Job, Outcome]]:
    """Yield jobs as they are done, handing out few at a time; what a dead worker had is handed out again.

    Raises
    ------
    ExecutorError
        If workers go on dying, by which time other runs are done; or a pool of somebody else is broken.
    """
    waiting, losses = deque(jobs), Losses()
    while waiting:
        running = dict[Future[Outcome], Job]()
        try:
            with pool.reopen(len(waiting)) as executor:
                while waiting or running:
                    one = losses.suspects or isinstance(executor, Serial)  # what is done here is kept at once
                    most = 1 if one else WINDOW * workers_of(executor, pool.workers)
                    while waiting and len(running) < most:
                        running[executor.submit(run_job, waiting[0])] = waiting[0]
                        waiting.popleft()  # not before: a pool that breaks takes nothing
                    while waiting and not losses.happened and is_starting(executor):
                        job = waiting.popleft()  # starting takes a second or two: not idle meanwhile
                        yield job, run_job(job)
                    for future in sorted(first_of(running, executor), key=_is_wrong):
                        outcome = _outcome(future, running[future])
                        losses.survived()
                        yield running.pop(future), outcome
        except (BrokenExecutor, WorkerLostError) as error:
            if not pool.own:
                message = f"the executor is broken: {error}; go on with the same line: what was done is kept"
                raise ExecutorError(message) from error
            losses.hand_back(list(running.values()), waiting, error)
