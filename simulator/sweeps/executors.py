"""Where jobs run: here, in processes, or on the workers of a Dask cluster.

All are `concurrent.futures.Executor`; nothing but this file knows which.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from typing import Any, Final, ParamSpec, TypeVar

from simulator.processes import (
    UNGUARDED,
    ExecutorError,
    Processes,
    process_pool,
    refuse_in_workers,
    without_interrupts,
)

LOG = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

LOCAL: Final = "local"
CONNECT_S: Final = 10.0
"""Time that a Dask scheduler has to answer, s."""

GRACE_S: Final = 1.0
"""Time that Dask has beyond that to say so by itself, s."""

ADDRESS: Final = re.compile(r"(?:(?:tcp|tls|ucx|ws|wss)://)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s/:]+):(\d{1,5})/?")
"""A scheduler: how to reach it, TCP if that is left out, its machine and its port."""

MOST_PORT: Final = 65535
"""The largest port of a machine (RFC 9293, 16 bit)."""

ASK_S: Final = 1.0
"""Time after which a cluster is asked again how many workers it has, s: they come and go."""

TELL_S: Final = 10.0
"""Time after which a cluster without workers is told to the user, s."""

GIVE_UP_S: Final = 1800.0
"""Time after which a cluster without workers is given up, s: longer than a batch system starts a job in, as a
rule, and shorter than a night."""


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
    executor : one of the client's; None takes a new one.
    """

    def __init__(self, client: Any, executor: Executor | None = None) -> None:  # noqa: ANN401 - an extra, whose stubs are incomplete
        self._client = client
        self._executor = client.get_executor() if executor is None else executor
        self._workers = 0
        self._asked_s = -ASK_S
        self._alone_since_s: float | None = None
        self._told = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of a call on one of the workers."""
        future: Future[T] = self._executor.submit(fn, *args, **kwargs)
        return future

    @property
    def workers(self) -> int:
        """Threads of all workers just now, at least 1: those still to come find something to do."""
        return max(1, self._count())

    def _count(self) -> int:
        if time.monotonic() - self._asked_s >= ASK_S:
            with suppress(OSError):  # lost: the runs that are handed out say so
                self._workers = sum(self._client.ncores().values())
            self._asked_s = time.monotonic()
        return self._workers

    def rest(self) -> None:
        """Forget that there was nobody: somebody has done a run."""
        self._alone_since_s, self._told = None, False

    def attend(self) -> None:
        """Look whether there is anybody to wait for.

        Raises
        ------
        ExecutorError
            If there has been no worker for a long time; that there is none is told well before.
        """
        now_s = time.monotonic()
        if self._count():
            self.rest()
        elif self._alone_since_s is None:
            self._alone_since_s = now_s
        elif now_s - self._alone_since_s >= GIVE_UP_S:
            message = (
                f"the Dask cluster has had no worker for {GIVE_UP_S / 60:g} min; start some, and go on with "
                "the same line: what was done is kept"
            )
            raise ExecutorError(message)
        elif now_s - self._alone_since_s >= TELL_S and not self._told:
            self._told = True
            LOG.warning(
                "the Dask cluster has no workers; waiting up to %g min for some to come", GIVE_UP_S / 60
            )


def first_of(running: Collection[Future[T]], executor: Executor) -> Collection[Future[T]]:
    """Wait for runs that have been handed out, and return those that are done, at least one.

    Raises
    ------
    ExecutorError
        If nobody is there to do them.
    """
    if not isinstance(executor, Cluster):
        return wait(running, return_when=FIRST_COMPLETED).done
    while not (done := wait(running, timeout=ASK_S, return_when=FIRST_COMPLETED).done):
        executor.attend()
    executor.rest()
    return done


def recognised(executor: Executor) -> Executor:
    """Return an executor of somebody else, as a cluster if it is one of Dask's, whose workers count."""
    client = getattr(executor, "_client", None)  # it says it nowhere else
    if client is None or type(executor).__module__.partition(".")[0] != "distributed":
        return executor
    return Cluster(client, executor)


def is_starting(executor: Executor) -> bool:
    """Say whether an executor is known to have no worker yet, but some to come."""
    return isinstance(executor, Processes) and not executor.started.done()


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
        If there are to be no workers, Dask is not installed, or its scheduler does not answer.
    """
    if workers < 1:
        message = f"workers: expected a whole number of at least 1, got {workers}"
        raise ExecutorError(message)
    refuse_in_workers()
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
    _check_address(address)
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = '--dask needs Dask: pip install "kinesim[dask]"'
        raise ExecutorError(message) from error
    cluster: Any = None
    try:
        if address == LOCAL:
            with without_interrupts(), _quiet("distributed", "tornado"):
                cluster = LocalCluster(  # type: ignore[no-untyped-call] # its stubs are incomplete
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # without one the scheduler takes 8787 all the same
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,  # workers, too, are quiet; what is lost is said here
                )
        else:
            _greet(address)
        client = Client(cluster or address, timeout=CONNECT_S)  # type: ignore[no-untyped-call] # its stubs, too
    except RuntimeError as error:
        if address != LOCAL:
            raise
        message = f"--dask {address}: workers ended as they started. {UNGUARDED}"
        raise ExecutorError(message) from error
    except (OSError, ValueError, TimeoutError) as error:
        if cluster is not None:
            cluster.close()
        message = f"--dask {address}: no Dask scheduler answers within {CONNECT_S:g} s: {error}"
        raise ExecutorError(message) from error
    with _quiet("distributed", "tornado"):
        try:
            yield Cluster(client)
        finally:
            client.close()  # type: ignore[no-untyped-call] # its stubs, too
            if cluster is not None:
                cluster.close()


def _check_address(address: str) -> None:
    """Refuse what is no address of a scheduler.

    Raises
    ------
    ExecutorError
        Says what is expected.
    """
    found = ADDRESS.fullmatch(address)
    if address != LOCAL and (found is None or not 0 < int(found[1]) <= MOST_PORT):
        message = (
            f"--dask {address or '(nothing)'}: is no address of a Dask scheduler; expected tcp://HOST:PORT "
            f"with a port from 1 to {MOST_PORT}, such as tcp://127.0.0.1:8786, or {LOCAL}"
        )
        raise ExecutorError(message)


def _greet(address: str) -> None:
    """Shake hands with a scheduler, as its clients do, who wait for ever if something else listens there.

    Raises
    ------
    ExecutorError
        If what answers is no Dask scheduler.
    OSError
        If nobody answers.
    """
    from distributed.comm.core import connect  # noqa: PLC0415 - an extra
    from distributed.security import Security  # noqa: PLC0415 - an extra

    async def meet() -> None:
        with _quiet("distributed", "tornado"):
            options = Security().get_connection_args("client")  # type: ignore[no-untyped-call] # its stubs
            meeting = connect(address, CONNECT_S, **options)  # type: ignore[no-untyped-call] # its stubs
            await (await asyncio.wait_for(meeting, CONNECT_S + GRACE_S)).close()

    try:
        with ThreadPoolExecutor(1) as thread:  # whoever asks may have an event loop of its own: a notebook
            thread.submit(asyncio.run, meet()).result()
    except TimeoutError as error:
        message = f"--dask {address}: something answers there, but no Dask scheduler within {CONNECT_S:g} s"
        raise ExecutorError(message) from error
    except OSError:
        raise
    except Exception as error:
        message = f"--dask {address}: cannot be talked to as a Dask scheduler: {error}"
        raise ExecutorError(message) from error


@contextmanager
def _quiet(*packages: str) -> Iterator[None]:
    """Keep packages from writing tracebacks to the terminal: what is lost is said once, in words."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in packages]
    before = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in before:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)
