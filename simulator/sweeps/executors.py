"""Where jobs run: here, in processes, or on the workers of a Dask cluster.

All are `concurrent.futures.Executor`; nothing but this file knows which.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from typing import Any, Final, ParamSpec, TypeVar

from simulator.errors import SimulatorError
from simulator.processes import process_pool, without_interrupts

P = ParamSpec("P")
T = TypeVar("T")

LOCAL: Final = "local"
CONNECT_S: Final = 10.0
"""Time that a Dask scheduler has to answer, s."""

ASK_S: Final = 1.0
"""Time after which a cluster is asked again how many workers it has, s: they come and go."""


class ExecutorError(SimulatorError):
    """Processes or a cluster that cannot be had."""


class Serial(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future


class Cluster(Executor):
    """Runs what is submitted on the workers of a Dask cluster.

    Parameters
    ----------
    client : a connected client.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - an extra, whose stubs are incomplete
        self._client = client
        self._executor = client.get_executor()
        self._workers = 1
        self._asked_s = -ASK_S

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of a call on one of the workers."""
        future: Future[T] = self._executor.submit(fn, *args, **kwargs)
        return future

    @property
    def workers(self) -> int:
        """Threads of all workers just now, at least 1: those still to come find something to do."""
        if time.monotonic() - self._asked_s >= ASK_S:
            with suppress(OSError):  # lost: the runs that are handed out say so
                self._workers = max(1, sum(self._client.ncores().values()))
            self._asked_s = time.monotonic()
        return self._workers


def workers_of(executor: Executor, otherwise: int) -> int:
    """Return how many jobs an executor runs at once; `otherwise` where it does not say."""
    return executor.workers if isinstance(executor, Cluster) else otherwise


@contextmanager
def open_executor(workers: int = 1, dask: str | None = None) -> Iterator[Executor]:
    """Yield an executor that is closed at the end.

    Parameters
    ----------
    workers : processes; 1 runs in this one.  With ``dask="local"``, workers of the cluster that is made.
    dask : address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``; or ``local``.

    Raises
    ------
    ExecutorError
        If Dask is not installed, or its scheduler does not answer.
    """
    if dask is not None:
        with _cluster(workers, dask) as executor:
            yield executor
    elif workers == 1:
        yield Serial()
    else:
        with process_pool(workers) as pool:
            yield pool


def is_loss(error: BaseException) -> bool:
    """Say whether a run failed because its worker or the cluster was lost, and not by itself."""
    return isinstance(error, CancelledError) or type(error).__module__.partition(".")[0] == "distributed"


@contextmanager
def _cluster(workers: int, address: str) -> Iterator[Executor]:
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = '--dask needs Dask: pip install "kinesim[dask]"'
        raise ExecutorError(message) from error
    cluster: Any = None
    try:
        if address == LOCAL:
            with without_interrupts():
                cluster = LocalCluster(  # type: ignore[no-untyped-call] # its stubs are incomplete
                    n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
                )
        client = Client(cluster or address, timeout=CONNECT_S)  # type: ignore[no-untyped-call] # its stubs, too
    except (OSError, ValueError, TimeoutError) as error:
        if cluster is not None:
            cluster.close()
        message = f"--dask {address}: no Dask scheduler answers within {CONNECT_S:g} s: {error}"
        raise ExecutorError(message) from error
    with _quiet("distributed"):
        try:
            yield Cluster(client)
        finally:
            client.close()  # type: ignore[no-untyped-call] # its stubs, too
            if cluster is not None:
                cluster.close()


@contextmanager
def _quiet(package: str) -> Iterator[None]:
    """Keep a package from writing tracebacks to the terminal: what is lost is said once, in words."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == package]
    before = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in before:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)
