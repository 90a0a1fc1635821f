"""Where jobs run: here, in processes, or on the workers of a Dask cluster.

All are `concurrent.futures.Executor`; nothing but this file knows which.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, Final, ParamSpec, TypeVar

from simulator.errors import SimulatorError

P = ParamSpec("P")
T = TypeVar("T")

LOCAL: Final = "local"
CONNECT_S: Final = 10.0
"""Time that a Dask scheduler has to answer, s."""


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
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_attend_to_parent)
        with _without_interrupts():
            pool.submit(int)  # starts all of them
        try:
            yield pool
        except (KeyboardInterrupt, SystemExit):
            for process in multiprocessing.active_children():
                process.terminate()  # what they compute is computed again, and may take minutes
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that never see Ctrl-C, not even before their first line: the parent answers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def is_loss(error: BaseException) -> bool:
    """Say whether a run failed because its worker or the cluster was lost, and not by itself."""
    return isinstance(error, CancelledError) or type(error).__module__.partition(".")[0] == "distributed"


def _attend_to_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it: a parent that is killed cannot say so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


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
            with _without_interrupts():
                cluster = LocalCluster(  # type: ignore[no-untyped-call] # its stubs are incomplete
                    n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
                )
        client = Client(cluster or address, timeout=CONNECT_S)  # type: ignore[no-untyped-call] # as above
    except (OSError, ValueError, TimeoutError) as error:
        if cluster is not None:
            cluster.close()
        message = f"--dask {address}: no Dask scheduler answers within {CONNECT_S:g} s: {error}"
        raise ExecutorError(message) from error
    try:
        yield client.get_executor()  # type: ignore[no-untyped-call] # as above
    finally:
        client.close()  # type: ignore[no-untyped-call] # as above
        if cluster is not None:
            cluster.close()
