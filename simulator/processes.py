"""Worker processes: they have the simulator loaded, leave Ctrl-C to their parent, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_all_start_methods, get_context, parent_process, resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Final, ParamSpec, TypeVar
from uuid import uuid4

from simulator.errors import SimulatorError

P = ParamSpec("P")
J = TypeVar("J")
T = TypeVar("T")

LOADED: Final = ("simulator.api", "simulator.sweeps.jobs")
"""What workers need: loaded once, by the process that they are forked from."""

MOST_ON_WINDOWS: Final = 61
"""Processes that Windows can wait for at once (`concurrent.futures`)."""

UNGUARDED: Final = (
    "Workers load the script that asks for them: put what it does below `if __name__ == '__main__':`"
)
"""What to do about a script that would start workers in its workers."""

MOST_SENT_BYTES: Final = 16_384
"""Size up to which a result goes through the pipe to the parent, in one piece: a pipe of Linux holds 65,536.

Of a larger one who is killed leaves half, and the parent would wait for the rest for ever: these go by files.
"""

COMMAND: Final = "simulator.cli"
"""The command line, which a worker's main module imports where it runs for a command."""


def process_context() -> ForkServerContext | SpawnContext:
    """Return how processes are started.

    A server with a single thread loads the simulator and forks all workers, those of later pools too; where
    the system has no such thing every worker loads it anew.
    """
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([*LOADED, *([COMMAND] if COMMAND in sys.modules else [])])
    from multiprocessing import forkserver  # noqa: PLC0415 - not on every system

    with without_interrupts(), _same_packages():
        forkserver.ensure_running()
    return context


@contextmanager
def _same_packages() -> Iterator[None]:
    """Let a server load what this process has, and no package of that name in the working directory."""
    ours = {
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "PYTHONSAFEPATH": "1",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class ExecutorError(SimulatorError):
    """Processes or a cluster that cannot be had, or were lost."""


class WorkerLostError(ExecutorError):
    """A process that ended before what it computed."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        super().__init__(
            f"one of {workers} processes was ended before its run was: is there enough memory? fewer at a "
            "time need less: --workers 1"
        )

    def __reduce__(self) -> tuple[type[WorkerLostError], tuple[int]]:
        """Let the error cross process boundaries: it is made of a number, not of its text."""
        return type(self), (self.workers,)


class Processes(ProcessPoolExecutor):
    """A pool that does not wait for ever for what it cannot send (CPython issue 94777) or who was killed.

    Parameters
    ----------
    workers : processes.  They start when the pool is made.

    Attributes
    ----------
    started : a future that is done when the first of them runs.
    """

    def __init__(self, workers: int) -> None:
        workers = min(workers, MOST_ON_WINDOWS) if sys.platform == "win32" else workers
        self._folder = tempfile.TemporaryDirectory(prefix="kinesim-")
        super().__init__(
            workers,
            mp_context=process_context(),
            initializer=_attend_to_parent,
            initargs=(self._folder.name,),
        )
        with without_interrupts():
            self.started = super().submit(int)  # each call starts one
            with suppress(BrokenExecutor):  # who hands out the first run is told
                for _ in range(workers - 1):
                    super().submit(int)

    @property
    def has_started(self) -> bool:
        """Whether a process has run."""
        return self.started.done() and not self.started.cancelled() and self.started.exception() is None

    def end(self) -> None:
        """End the processes at once, and with them what they compute."""
        for process in list((self._processes or {}).values()):
            process.terminate()
        # One may have been sending: whoever waits for the rest of that sees the end once nobody can write.
        with suppress(AttributeError, OSError):
            self._result_queue._writer.close()  # type: ignore[attr-defined] # noqa: SLF001 - no other way

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of a call in one of the processes; it never says that it is running.

        Raises
        ------
        ExecutorError
            If the call cannot be sent, or by the future if it is not understood there.
        """
        try:
            call = pickle.dumps((fn, args, kwargs))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ExecutorError(_UNSENT.format(error)) from error
        told: Future[T] = Future()
        sent = super().submit(_called, call, self._folder.name)
        sent.add_done_callback(partial(_open, told))
        told.add_done_callback(lambda each: each.cancelled() and sent.cancel())
        return told

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as its parent's
        """Free what the pool holds; see `concurrent.futures.Executor`.

        Results that are still to come after `wait` was False are lost with the pool, if they are large.
        """
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._folder.cleanup()


def _open(told: Future[T], sent: Future[bytes | Path]) -> None:
    """Pass on what a call came to; where nobody wants it any more, its file is removed."""
    if sent.cancelled():
        told.cancel()
    wanted = told.set_running_or_notify_cancel()
    try:
        result = b"" if sent.cancelled() else _read(sent.result())
        if wanted:
            told.set_result(pickle.loads(result))  # noqa: S301 - our worker's
    except BaseException as error:  # noqa: BLE001 - whatever the call has raised
        if wanted:
            told.set_exception(error)


_UNSENT: Final = (
    "a run cannot be sent to another process: {}; components of your own must stand at the top of a module "
    "that other processes can import, or use workers=1"
)


def _read(kept: bytes | Path) -> bytes:
    """Return what a worker sent, and remove its file."""
    if isinstance(kept, bytes):
        return kept
    told = kept.read_bytes()
    kept.unlink()
    return told


def _called(call: bytes, folder: str) -> bytes | Path:
    """Return what a call returns, or the file that holds it."""
    try:
        fn, args, kwargs = pickle.loads(call)  # noqa: S301 - from our own parent
    except (pickle.UnpicklingError, AttributeError, ImportError) as error:
        raise ExecutorError(_UNSENT.format(error)) from error
    told = pickle.dumps(fn(*args, **kwargs))
    return told if len(told) <= MOST_SENT_BYTES else _kept(told, Path(folder))


def _kept(told: bytes, folder: Path) -> bytes | Path:
    """Return the file that holds `told`; without room for it, `told` itself."""
    path = folder / uuid4().hex
    try:
        path.write_bytes(told)
    except OSError:
        path.unlink(missing_ok=True)
        return told
    return path


@contextmanager
def process_pool(workers: int) -> Iterator[Processes]:
    """Yield a pool whose processes are about to run; it is closed at the end.

    An interrupt, and an end of whoever takes the results, end the workers at once and with them what was
    handed out: it may take minutes.  Any other error lets the runs in progress end.

    Raises
    ------
    WorkerLostError
        If a process ends before its call does: it was killed, by its user or for want of memory.
    ExecutorError
        If processes end as they start: they load the script that asks for them.
    """
    refuse_in_workers()
    pool = Processes(workers)
    try:
        yield pool
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        pool.end()
        raise
    except BrokenExecutor as error:
        if not pool.has_started:
            message = f"worker processes ended as they started. {UNGUARDED}"
            raise ExecutorError(message) from error
        raise WorkerLostError(workers) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def refuse_in_workers() -> None:
    """End a worker that is about to start workers as it loads the script that asked for it.

    Else each of them would print what it thinks of workers of its own; the parent says it once.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as Python's own check asks
        raise SystemExit(UNGUARDED)


def run_all(function: Callable[[J], T], jobs: Sequence[J], workers: int) -> Iterator[T]:
    """Yield what `function` returns for each job, in the order of the jobs.

    Parameters
    ----------
    function, jobs : must be known to other processes where there are several.
    workers : processes; 1 runs in this one, one job when its result is asked for.

    Raises
    ------
    ExecutorError
        As `process_pool`.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(function, jobs)
        return
    with process_pool(workers) as pool:
        yield from pool.map(function, jobs)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start processes that never see Ctrl-C, not even before their first line: the parent answers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # the first one starts it, which lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _attend_to_parent(folder: str) -> None:
    """Leave Ctrl-C to the parent, and end with it: a parent that is killed cannot say so, nor tidy up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
