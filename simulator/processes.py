"""Worker processes: they have the simulator loaded, leave Ctrl-C to their parent, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Final

LOADED: Final = ("simulator.api", "simulator.sweeps.jobs")
"""What workers need: loaded once, by the process that they are forked from."""

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
    return context


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes run already; it is closed at the end.

    An interrupt ends the workers at once, and what was handed out with them; any other error lets the runs
    in progress end.
    """
    pool = ProcessPoolExecutor(workers, mp_context=process_context(), initializer=_attend_to_parent)
    with without_interrupts():
        pool.submit(int)  # starts a worker, and the server before it
    try:
        yield pool
    except (KeyboardInterrupt, SystemExit):
        for process in multiprocessing.active_children():
            process.terminate()  # what they compute is computed again, and may take minutes
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start processes that never see Ctrl-C, not even before their first line: the parent answers."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
