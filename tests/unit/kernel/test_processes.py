"""Worker processes: what they are sent, and that nothing waits for ever."""

from __future__ import annotations

import multiprocessing
import os
import sys
from math import factorial
from types import ModuleType

import pytest

from simulator.errors import SimulatorError
from simulator.processes import LOADED, process_pool


def test_workers_compute_in_other_processes() -> None:
    with process_pool(2) as pool:
        assert list(pool.map(factorial, range(6))) == [1, 1, 2, 6, 24, 120]
        assert pool.submit(os.getpid).result() != os.getpid()
    assert not multiprocessing.active_children()


@pytest.mark.skipif("forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork server here")
def test_workers_have_the_simulator_loaded_from_the_start() -> None:
    with process_pool(1) as pool:
        assert set(LOADED) <= set(pool.submit(eval, "list(__import__('sys').modules)").result())


@pytest.mark.parametrize("calls", [1, 5])
def test_what_cannot_be_sent_is_said_at_once(calls: int) -> None:
    with process_pool(2) as pool:
        for _ in range(calls):
            with pytest.raises(SimulatorError, match="cannot be sent to another process"):
                pool.submit(lambda: 1)
        assert pool.submit(factorial, 3).result() == 6


def test_what_is_not_understood_is_said_and_breaks_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("only_here")
    exec("def called(): return 1", module.__dict__)  # noqa: S102 - a function that no other process can import
    monkeypatch.setitem(sys.modules, "only_here", module)
    with process_pool(1) as pool:
        with pytest.raises(SimulatorError, match=r"only_here.*components of your own must stand"):
            pool.submit(module.called).result()
        assert pool.submit(factorial, 3).result() == 6
